"""Marks taken away by the engine: which buckets it is to compute. In the transaction that computes them.

Newest first, so that what people look at is right first, and never more than a bounded number.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db import connection

from metrics.models import Interval

# A mark that is committed after this has taken its snapshot stays, and is taken next time.
TOUCHED = """
WITH newest AS (
    SELECT project_id, event_type, bucket FROM touched_buckets WHERE bucket < %(before)s
    GROUP BY project_id, event_type, bucket ORDER BY bucket DESC LIMIT %(limit)s),
taken AS (
    DELETE FROM touched_buckets t USING newest n
    WHERE t.bucket = n.bucket AND t.project_id = n.project_id AND t.event_type = n.event_type
    RETURNING t.project_id, t.event_type, t.bucket)
SELECT DISTINCT project_id, event_type, bucket FROM taken
"""
MARKED = """
WITH newest AS (
    SELECT project_id, metric_name, time_bucket FROM rollup_marks
    WHERE interval = %(interval)s AND time_bucket < %(before)s
    GROUP BY project_id, metric_name, time_bucket ORDER BY time_bucket DESC LIMIT %(limit)s),
taken AS (
    DELETE FROM rollup_marks m USING newest n
    WHERE m.interval = %(interval)s AND m.time_bucket = n.time_bucket
        AND m.project_id = n.project_id AND m.metric_name = n.metric_name
    RETURNING m.project_id, m.metric_name, m.time_bucket)
SELECT DISTINCT project_id, metric_name, time_bucket FROM taken
"""


@dataclass(frozen=True, order=True)
class Claim:
    """A bucket to compute: `name` is an event type whose facts changed, or a metric."""

    project_id: int
    name: str
    bucket: datetime


def take_touched(before: datetime, limit: int) -> list[Claim]:
    """Minutes before `before` whose facts changed, by event type."""
    return _take(TOUCHED, {"before": before, "limit": limit})


def take_marked(interval: Interval, before: datetime, limit: int) -> list[Claim]:
    """Buckets of metrics that are to be computed again."""
    return _take(MARKED, {"interval": interval.value, "before": before, "limit": limit})


def _take(statement: str, parameters: dict[str, Any]) -> list[Claim]:
    with connection.cursor() as cursor:
        cursor.execute(statement, parameters)
        return [Claim(*row) for row in cursor.fetchall()]
