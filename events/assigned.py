"""The time of events that came with an id and without a timestamp: that of the first delivery."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from uuid import UUID

from django.db import connection

from analytics_project.lib.batches import delete_in_batches
from events.timestamps import canonical

# DO UPDATE and not DO NOTHING: it returns the row of a delivery that was there before, and
# waits for one that is being stored right now.
ASSIGN = """
INSERT INTO assigned_timestamps (project_id, event_id, "timestamp")
SELECT DISTINCT ON (id) %s, id, "timestamp" FROM unnest(%s::uuid[], %s::timestamptz[]) AS t (id, "timestamp")
ORDER BY id, "timestamp"
ON CONFLICT (project_id, event_id) DO UPDATE SET event_id = excluded.event_id
RETURNING event_id, "timestamp"
"""


def assign(wanted: Sequence[tuple[str, str]], project_id: int) -> dict[str, str]:
    """The time for each id: the one given before, or else the one wanted now. In a transaction."""
    if not wanted:
        return {}
    ids = [UUID(id_) for id_, _ in wanted]
    with connection.cursor() as cursor:
        cursor.execute(ASSIGN, [project_id, ids, [f"{time}Z" for _, time in wanted]])
        return {str(id_): canonical(time) for id_, time in cursor.fetchall()}


def forget_older_than(age: timedelta) -> int:
    """Drop what no accepted retry can ask for any more."""
    return delete_in_batches("assigned_timestamps", '"timestamp" < %s', [datetime.now(UTC) - age])
