"""Marks taken away by the engine: which buckets it is to compute. In the transaction that computes them.

Newest first, so that what people look at is right first. Never much more than a bounded number: whole buckets.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db import connection

from metrics.models import Interval

# All from the oldest of so many buckets on: a range of an index, whatever the planner knows of a table that was filled
# a moment ago. A mark that is committed after the statement has begun stays, and is taken next time.
TOUCHED = """
WITH taken AS (
    DELETE FROM touched_buckets WHERE bucket < %(before)s AND bucket >= (
        SELECT min(bucket) FROM (
            SELECT DISTINCT bucket, project_id, event_type FROM touched_buckets WHERE bucket < %(before)s
            ORDER BY bucket DESC LIMIT %(limit)s) newest)
    RETURNING project_id, event_type, bucket)
SELECT DISTINCT project_id, event_type, bucket FROM taken
"""
MARKED = """
WITH taken AS (
    DELETE FROM rollup_marks WHERE interval = %(interval)s AND time_bucket < %(before)s AND time_bucket >= (
        SELECT min(time_bucket) FROM (
            SELECT DISTINCT time_bucket, project_id, metric_name FROM rollup_marks
            WHERE interval = %(interval)s AND time_bucket < %(before)s
            ORDER BY time_bucket DESC LIMIT %(limit)s) newest)
    RETURNING project_id, metric_name, time_bucket)
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
