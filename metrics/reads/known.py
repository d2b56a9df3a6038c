"""The event types of a metric as a reader knows them: with those that wait to be added up."""

from collections.abc import Iterable, Sequence
from functools import partial

from django.db import connection

from metrics.declarations import Metric
from metrics.rollups import types

# Facts that are not added up yet have a mark each, also those of types that were never seen before.
WAITING_TYPES = "SELECT DISTINCT event_type FROM touched_buckets WHERE project_id = %s"


def types_of(project_id: int, metric: Metric) -> Sequence[str] | None:
    """The event types that a metric takes, as far as they exist; None for all."""
    return types.types_of(project_id, metric, partial(_waiting, project_id))


def _waiting(project_id: int) -> Iterable[str]:
    with connection.cursor() as cursor:
        cursor.execute(WAITING_TYPES, [project_id])
        return [event_type for (event_type,) in cursor.fetchall()]
