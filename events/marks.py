"""Marks of the buckets that a batch touched, for the rollup engine to recompute."""

from collections.abc import Iterable

from django.db import connection

# Of those who take marks away: compaction, and the rollup engine.
LOCK = 0xB25_0100
INSERT = """
INSERT INTO touched_buckets (project_id, event_type, bucket)
SELECT %s, * FROM unnest(%s::text[], %s::timestamptz[])
"""
# One statement: what it takes away it also puts back once, so no mark is ever missing. To keep
# one of several and delete the others would not do: the engine may be taking just that one away.
COMPACT = """
WITH repeated AS (
    SELECT project_id, event_type, bucket FROM touched_buckets
    GROUP BY project_id, event_type, bucket HAVING count(*) > 1),
taken AS (
    DELETE FROM touched_buckets t USING repeated r
    WHERE t.project_id = r.project_id AND t.event_type = r.event_type AND t.bucket = r.bucket
    RETURNING t.project_id, t.event_type, t.bucket)
INSERT INTO touched_buckets (project_id, event_type, bucket) SELECT DISTINCT * FROM taken
"""


def mark(touched: Iterable[tuple[str, str]], project_id: int) -> None:
    """Append a mark for each (event_type, minute), in the transaction that stores the facts.

    A minute is ISO 8601 up to the minutes, e.g. `2026-11-23T13:05`.
    """
    pairs = list(touched)
    if not pairs:
        return
    types = [event_type for event_type, _ in pairs]
    minutes = [f"{minute}:00Z" for _, minute in pairs]
    with connection.cursor() as cursor:
        cursor.execute(INSERT, [project_id, types, minutes])


def compact() -> int:
    """Merge equal marks; answers how many are left of those merged."""
    with connection.cursor() as cursor:
        cursor.execute(COMPACT)
        return int(cursor.rowcount)
