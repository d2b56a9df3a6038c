"""The rows that are being computed, in a temporary table, and their way into `metric_aggregations`."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any

from django.db import connection

from metrics.models import Interval
from metrics.rollups import partitions
from metrics.rollups.claims import Claim
from metrics.rollups.facts import COLUMNS, Statement
from metrics.rollups.intervals import Rung

MAKE = f"""
CREATE TEMP TABLE IF NOT EXISTS rollup_work ON COMMIT DELETE ROWS AS
SELECT {COLUMNS} FROM metric_aggregations WITH NO DATA
"""
# A histogram is walked only where there is more than one value.
PUT = f"""
INSERT INTO metric_aggregations (project_id, interval, {COLUMNS}, p50, p95, p99)
SELECT %(project)s, %(interval)s, {COLUMNS}, p[1], p[2], p[3]
FROM rollup_work CROSS JOIN LATERAL (SELECT CASE
    WHEN count = 1 AND min IS NOT NULL THEN array_fill(min::float8, ARRAY[3])
    WHEN count > 1 AND bins IS NOT NULL THEN metric_percentiles(bins, bin_counts, ARRAY[0.5, 0.95, 0.99], min, max)
    END AS p) percentiles
"""
REMOVE = """
DELETE FROM metric_aggregations a USING unnest(%(names)s::text[], %(buckets)s::timestamptz[]) AS c (metric_name, bucket)
WHERE a.project_id = %(project)s AND a.interval = %(interval)s
    AND a.metric_name = c.metric_name AND a.time_bucket = c.bucket
"""
COUNT_VERSIONS = """
INSERT INTO rollup_versions (project_id, metric_name, interval, version)
SELECT %(project)s, name, %(interval)s, 1 FROM unnest(%(names)s::text[]) AS changed (name)
ON CONFLICT (project_id, metric_name, interval) DO UPDATE SET version = rollup_versions.version + 1
"""
MARK = """
INSERT INTO rollup_marks (interval, project_id, metric_name, time_bucket)
SELECT %(interval)s, %(project)s, * FROM unnest(%(names)s::text[], %(buckets)s::timestamptz[])
"""


def make() -> None:
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL client_min_messages = warning")
        cursor.execute(MAKE)
        cursor.execute("DELETE FROM rollup_work")


def add(statement: Statement) -> None:
    """Run a statement that gives rows, and keep them."""
    with connection.cursor() as cursor:
        insert = f"INSERT INTO rollup_work ({COLUMNS}) "
        cursor.execute(insert + statement.text.as_string(cursor.connection), statement.parameters)


def replace(project_id: int, rung: Rung, claims: Sequence[Claim]) -> None:
    """Put the rows in the place of all rows that the claimed buckets had, so that series without facts go."""
    names, buckets = [claim.name for claim in claims], [claim.bucket for claim in claims]
    partitions.ensure(rung.interval, buckets)
    with connection.cursor() as cursor:
        common: dict[str, Any] = {
            "project": project_id,
            "interval": rung.interval.value,
            "names": names,
            "buckets": buckets,
        }
        cursor.execute(REMOVE, common)
        cursor.execute(PUT, common)
        cursor.execute(COUNT_VERSIONS, common | {"names": sorted(set(names))})


def mark_above(project_id: int, rung: Rung, claims: Iterable[Claim]) -> None:
    """Mark what the next interval has of these buckets."""
    if rung.above is not None:
        above = {(claim.name, rung.above.floor(claim.bucket)) for claim in claims}
        append_marks(project_id, rung.above.interval, sorted(above))


def append_marks(project_id: int, interval: Interval, marks: Sequence[tuple[str, datetime]]) -> None:
    """Have these buckets (metric, start) computed again."""
    with connection.cursor() as cursor:
        cursor.execute(
            MARK,
            {
                "interval": interval.value,
                "project": project_id,
                "names": [name for name, _ in marks],
                "buckets": [bucket for _, bucket in marks],
            },
        )
