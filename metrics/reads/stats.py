"""How many events of each type lie in any window: from rollups, and from the facts where it cuts a minute."""

from collections.abc import Sequence
from datetime import datetime

from django.db import connection

from events.api.queries import Window
from metrics.declarations import COUNT_PREFIX
from metrics.reads import state
from metrics.reads.covering import Segment, cover
from metrics.reads.sources import rendered
from metrics.rollups.intervals import LADDER
from metrics.rollups.types import count_names

FROM_ROLLUPS = """
SELECT substr(metric_name, %(skip)s) AS event_type, sum(count) AS n FROM metric_aggregations
WHERE project_id = %(project)s AND metric_name = ANY(%(names)s::text[]) AND interval = %(interval)s
AND time_bucket >= %(start)s AND time_bucket < %(end)s GROUP BY metric_name
"""
FROM_FACTS = """
SELECT event_type, count(*) AS n FROM events
WHERE project_id = %(project)s AND "timestamp" >= %(start)s AND "timestamp" < %(end)s {of_types} GROUP BY event_type
"""
ADDED = "SELECT event_type, sum(n)::bigint FROM ({pieces}) counted GROUP BY event_type ORDER BY 2 DESC, 1"


def count_by_type(project_id: int, window: Window) -> dict[str, int]:
    """The most frequent type first."""
    with state.snapshot():
        return counted(project_id, window.start, window.end)


def counted(project_id: int, start: datetime, end: datetime, types: Sequence[str] | None = None) -> dict[str, int]:
    """The same within a snapshot, of these types or of all."""
    segments = cover(start, end, LADDER[-1], state.look(project_id, ()).progress)
    if not segments:
        return {}
    names = count_names(project_id) if types is None else [f"{COUNT_PREFIX}{name}" for name in types]
    pieces = " UNION ALL ".join(_piece(project_id, names, types, segment) for segment in segments)
    with connection.cursor() as cursor:
        cursor.execute(ADDED.format(pieces=pieces))
        return dict(cursor.fetchall())


def _piece(project_id: int, names: Sequence[str], types: Sequence[str] | None, segment: Segment) -> str:
    window = {"project": project_id, "start": segment.start, "end": segment.end}
    if segment.rung is None:
        of_types = "" if types is None else "AND event_type = ANY(%(types)s::text[])"
        return rendered(FROM_FACTS.format(of_types=of_types), window | {"types": list(types or ())})
    more = {"names": list(names), "interval": segment.rung.interval.value, "skip": len(COUNT_PREFIX) + 1}
    return rendered(FROM_ROLLUPS, window | more)
