"""The rows that make up a window: those of rollups, and the open tail added up from the facts, as one table."""

from collections.abc import Iterator, Sequence
from typing import Any

from django.db import connection
from psycopg import ClientCursor, sql

from metrics.declarations import Metric
from metrics.reads.buckets import Buckets
from metrics.reads.covering import Segment
from metrics.reads.known import types_of
from metrics.reads.questions import Question
from metrics.rollups import facts
from metrics.rollups.facts import COLUMNS, Part
from metrics.rollups.series import OTHER

# Rows without a percentile of their own have it in their histogram.
FROM_ROLLUPS = f"""
SELECT {COLUMNS}, p50, p95, p99 FROM metric_aggregations WHERE project_id = %(project)s
AND {{names}} AND interval = %(interval)s
AND time_bucket >= %(start)s AND time_bucket < %(end)s
"""
# As the engine will do with them: a full list of series takes no new ones.
FROM_FACTS = """
SELECT metric_name, time_bucket, CASE WHEN dimensions <> '{{}}' AND %(limit)s <= (
        SELECT count(*) FROM metric_series s WHERE s.project_id = %(project)s AND s.metric_name = f.metric_name)
    AND NOT EXISTS (SELECT FROM metric_series s WHERE s.project_id = %(project)s
        AND s.metric_name = f.metric_name AND s.dimensions = f.dimensions)
    THEN %(other)s ELSE dimensions END AS dimensions,
    count, skipped, sum, sum_squares, min, max, first, last, bins, bin_counts,
    NULL::float8 AS p50, NULL::float8 AS p95, NULL::float8 AS p99
FROM ({facts}) f ({columns})
"""


def rendered(statement: str | sql.Composable, parameters: dict[str, Any]) -> str:
    """The statement with its parameters in it, so that several become one: each has names of its own for them."""
    with connection.cursor() as cursor:
        text = statement if isinstance(statement, str) else statement.as_string(cursor.connection)
        return ClientCursor(cursor.connection).mogrify(text, parameters)


def escaped(statement: str) -> str:
    """A finished statement as a part of one that is to be rendered."""
    return statement.replace("%", "%%")


def rows(project_id: int, metrics: Sequence[Metric], segments: Sequence[Segment], buckets: Buckets) -> str:
    """SQL of all rows of these metrics, with `facts.COLUMNS` and the percentiles p50, p95 and p99."""
    return " UNION ALL ".join(_pieces(project_id, metrics, segments, buckets))


SEVERAL_ROWS = """
SELECT EXISTS (SELECT FROM metric_series WHERE project_id = %s AND metric_name = %s AND dimensions - %s::text[] <> '{}')
"""


def are_single(question: Question) -> bool:
    """Whether a bucket of a series that is asked for is one row at most."""
    told = {*question.group_by, *question.filters}
    if question.metric.parts:
        return False
    if told.issuperset(question.metric.dimensions):
        return True
    # What exceeds the limit on series is none of the known ones: only grouping keeps it apart.
    return bool(question.group_by) and not _has_more(question, sorted(told))


def _has_more(question: Question, told: Sequence[str]) -> bool:
    with connection.cursor() as cursor:
        cursor.execute(SEVERAL_ROWS, [question.project_id, question.metric.name, list(told)])
        return bool(cursor.fetchone()[0])


def _pieces(project_id: int, metrics: Sequence[Metric], segments: Sequence[Segment], buckets: Buckets) -> Iterator[str]:
    for segment in segments:
        if segment.rung is not None:
            names = [metric.name for metric in metrics]
            yield _from_rollups(project_id, names, segment.rung.interval.value, segment)
        elif parts := parts_of(segment, buckets):
            for metric in metrics:
                yield _from_facts(project_id, metric, parts)


def _from_rollups(project_id: int, names: Sequence[str], interval: str, segment: Segment) -> str:
    window = {"start": segment.start, "end": segment.end}
    # Of a single name the statistics know better how much there is of it.
    of_names = "metric_name = %(name)s" if len(names) == 1 else "metric_name = ANY(%(names)s::text[])"
    parameters = {"project": project_id, "name": names[0], "names": list(names), "interval": interval, **window}
    return rendered(FROM_ROLLUPS.format(names=of_names), parameters)


def _from_facts(project_id: int, metric: Metric, parts: Sequence[Part]) -> str:
    statement = facts.statement(metric, project_id, types_of(project_id, metric), parts)
    return rendered(
        FROM_FACTS.format(facts=escaped(rendered(statement.text, statement.parameters)), columns=COLUMNS),
        {"project": project_id, "limit": metric.max_series, "other": OTHER},
    )


def parts_of(segment: Segment, buckets: Buckets) -> list[Part]:
    """What of each bucket lies in a segment."""
    return [
        Part(start, max(start, segment.start), min(end, segment.end))
        for start, end in buckets.bounds()
        if start < segment.end and end > segment.start
    ]
