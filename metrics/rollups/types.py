"""Which event types a metric takes, of those that exist."""

from collections.abc import Callable, Iterable, Sequence

from django.db import connection

from metrics.declarations import COUNT_PREFIX, Metric
from metrics.models import Interval

# Each metric that was ever computed has a version.
COUNT_NAMES = """
SELECT metric_name FROM rollup_versions
WHERE project_id = %s AND interval = %s AND starts_with(metric_name, %s)
"""


def count_names(project_id: int) -> list[str]:
    """`events.count.…` of each type that was added up."""
    with connection.cursor() as cursor:
        cursor.execute(COUNT_NAMES, [project_id, Interval.MINUTE.value, COUNT_PREFIX])
        return [name for (name,) in cursor.fetchall()]


def types_of(project_id: int, metric: Metric, waiting: Callable[[], Iterable[str]]) -> Sequence[str] | None:
    """The event types that a metric takes; None for all.

    `waiting` gives the types whose facts are not added up yet. It is asked for patterns only.
    """
    if not metric.has_patterns:
        return metric.event_types
    if "*" in metric.event_types:
        return None
    counted = (name.removeprefix(COUNT_PREFIX) for name in count_names(project_id))
    return sorted(event_type for event_type in {*counted, *waiting()} if metric.takes(event_type))
