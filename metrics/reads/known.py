"""Which event types there are: each that was ever added up, and those that wait for it."""

from collections.abc import Sequence

from django.db import connection

from metrics.declarations import COUNT_PREFIX, Metric
from metrics.models import Interval

# Each metric that was ever computed has a version.
COUNT_NAMES = """
SELECT metric_name FROM rollup_versions
WHERE project_id = %s AND interval = %s AND starts_with(metric_name, %s)
"""
# Facts that are not added up yet have a mark each, also those of types that were never seen before.
WAITING_TYPES = "SELECT DISTINCT event_type FROM touched_buckets WHERE project_id = %s"


def count_names(project_id: int) -> list[str]:
    """`events.count.…` of each type that was added up."""
    with connection.cursor() as cursor:
        cursor.execute(COUNT_NAMES, [project_id, Interval.MINUTE.value, COUNT_PREFIX])
        return [name for (name,) in cursor.fetchall()]


def types_of(project_id: int, metric: Metric) -> Sequence[str] | None:
    """The event types that a metric takes, as far as they exist; None for all."""
    if "*" in metric.event_types:
        return None
    if not any("*" in pattern for pattern in metric.event_types):
        return metric.event_types
    with connection.cursor() as cursor:
        cursor.execute(WAITING_TYPES, [project_id])
        waiting = {event_type for (event_type,) in cursor.fetchall()}
    counted = (name.removeprefix(COUNT_PREFIX) for name in count_names(project_id))
    return sorted(event_type for event_type in waiting.union(counted) if metric.takes(event_type))
