"""Marks to compute buckets again: of a window for `rebuild_rollups`, of a metric's whole past for a backfill.

The engine replaces bucket by bucket what it computes, so readers never meet a window without its rollups.
"""

from collections.abc import Collection, Iterator, Sequence
from datetime import UTC, date, datetime, timedelta
from typing import Any

from django.db import connection, transaction

from events import partitions
from events.api.queries import Window
from metrics import catalogue
from metrics.declarations import COUNT_PREFIX, UNIQUE_USERS, Metric, count_of
from metrics.rollups.intervals import LADDER, MINUTE, Rung

SEALED_UNTIL = "SELECT sealed_until FROM rollup_seal"
# From one type to the next by the index: costs as many steps as there are types, however many events.
TYPES = """
WITH RECURSIVE types (event_type) AS (
    (SELECT event_type FROM events
        WHERE project_id = %(project)s AND "timestamp" >= %(start)s AND "timestamp" < %(end)s
        ORDER BY event_type LIMIT 1)
    UNION ALL
    SELECT (SELECT e.event_type FROM events e
        WHERE e.project_id = %(project)s AND e.event_type > types.event_type
        AND e."timestamp" >= %(start)s AND e."timestamp" < %(end)s
        ORDER BY e.event_type LIMIT 1)
    FROM types WHERE types.event_type IS NOT NULL)
SELECT event_type FROM types WHERE event_type IS NOT NULL
"""
COUNTED_TYPES = """
SELECT DISTINCT substr(metric_name, %s) FROM metric_series WHERE project_id = %s AND starts_with(metric_name, %s)
"""
# One look into the index for each type and minute, however many events: LATERAL with LIMIT keeps it so.
MARK_MINUTES = """
INSERT INTO rollup_marks (interval, project_id, metric_name, time_bucket)
SELECT '1m', %(project)s, %(metric)s, minute FROM (
    SELECT minute
    FROM unnest(%(types)s::text[]) AS t (event_type)
    CROSS JOIN generate_series(%(start)s::timestamptz, %(end)s - interval '1 minute', interval '1 minute') AS minute
    CROSS JOIN LATERAL (
        SELECT FROM events WHERE project_id = %(project)s AND event_type = t.event_type
        AND "timestamp" >= minute AND "timestamp" < minute + interval '1 minute'
        AND "timestamp" >= %(start)s AND "timestamp" < %(end)s LIMIT 1) found
    UNION
    SELECT time_bucket FROM {table} WHERE project_id = %(project)s {of_metric}
        AND interval = '1m' AND time_bucket >= %(start)s AND time_bucket < %(end)s) minutes
"""
# Rows that nothing below them explains. Where minutes are marked, these mark what is above them in time.
MARK_LEFT_OVER = """
INSERT INTO rollup_marks (interval, project_id, metric_name, time_bucket)
SELECT DISTINCT %(interval)s, %(project)s, %(metric)s, r.time_bucket FROM {table} r
WHERE r.project_id = %(project)s {of_metric} AND r.interval = %(interval)s
    AND r.time_bucket > %(start)s - %(length)s AND r.time_bucket < %(end)s
    AND NOT EXISTS (SELECT FROM {table} b WHERE b.project_id = %(project)s {of_metric} AND b.interval = %(below)s
        AND b.time_bucket >= r.time_bucket AND b.time_bucket < r.time_bucket + %(length)s)
    AND NOT EXISTS (SELECT FROM rollup_marks m WHERE m.interval = '1m' AND m.project_id = %(project)s
        AND m.metric_name = %(metric)s
        AND m.time_bucket >= r.time_bucket AND m.time_bucket < r.time_bucket + %(length)s)
"""
# Only buckets that are over: of the others there is always something to do.
PENDING = """
SELECT count(*) FROM rollup_marks JOIN (VALUES {lengths}) AS l (name, length) ON l.name = interval
WHERE project_id = ANY(%(projects)s) AND (%(metrics)s::text[] IS NULL OR metric_name = ANY(%(metrics)s))
    AND time_bucket > %(start)s - length AND time_bucket < %(end)s AND time_bucket + length <= %(now)s
"""


class Impossible(Exception):
    """The window or the metric cannot be computed again, and why."""


def sealed_until() -> datetime | None:
    """Facts before it are gone: what was added up from them stays as it is."""
    with connection.cursor() as cursor:
        cursor.execute(SEALED_UNTIL)
        row = cursor.fetchone()
    return row[0] if row else None


def days(window: Window) -> Iterator[Window]:
    """The days of the window that have facts to compute from, the newest first; the first and last may be cut.

    Bounds become whole minutes, outward.
    """
    end = MINUTE.floor(window.end + MINUTE.length - timedelta(microseconds=1))
    start = MINUTE.floor(max(window.start, sealed_until() or window.start))
    for day in sorted(partitions.existing(), reverse=True):
        first, last = partitions.bounds_of(day)
        if first < end and last > start:
            yield Window(max(first, start), min(last, end))


def oldest_facts() -> datetime | None:
    """Since when there may be facts to compute from; None: there are none at all."""
    present: Sequence[date] = partitions.existing()
    if not present:
        return None
    return max(partitions.bounds_of(min(present))[0], sealed_until() or partitions.bounds_of(min(present))[0])


def refuse_sealed(window: Window) -> None:
    sealed = sealed_until()
    if sealed is not None and window.start < sealed:
        hint = "what was added up from them stays as it is"
        raise Impossible(f"the facts before {sealed:%Y-%m-%dT%H:%M:%SZ} are gone and {hint}; begin there or later")


def rebuild(projects: Collection[int], window: Window, names: Collection[str]) -> Iterator[tuple[Window, int]]:
    """Mark the window day by day, the newest first; gives each day with the number of its marks, once they are stored.

    Without names, all metrics that there are.
    """
    for piece in days(window):
        count = 0
        for project_id in projects:
            known = metrics_in(project_id, piece) if not names else [catalogue.find(project_id, name) for name in names]
            count += mark(project_id, [metric for metric in known if metric is not None], piece)
        yield piece, count


def metrics_in(project_id: int, piece: Window) -> list[Metric]:
    """All metrics that may have rollups in the piece, with those of event types that are or were there."""
    with connection.cursor() as cursor:
        cursor.execute(COUNTED_TYPES, [len(COUNT_PREFIX) + 1, project_id, COUNT_PREFIX])
        counted = {event_type for (event_type,) in cursor.fetchall()}
    types = counted.union(types_in(project_id, piece))
    return [*catalogue.metrics_of(project_id, fresh=True), *map(count_of, sorted(types))]


def types_in(project_id: int, piece: Window) -> list[str]:
    """The event types of the days that the piece lies in."""
    # Whole days: an index of types leads past what a narrower window leaves out only event by event.
    start = partitions.bounds_of(piece.start.astimezone(UTC).date())[0]
    last = partitions.bounds_of((piece.end - timedelta(microseconds=1)).astimezone(UTC).date())[1]
    with connection.cursor() as cursor:
        cursor.execute(TYPES, {"project": project_id, "start": start, "end": last})
        return [event_type for (event_type,) in cursor.fetchall()]


def mark(project_id: int, metrics: Collection[Metric], piece: Window) -> int:
    """Have all buckets of these metrics in the piece, which is within one day, computed again; answers how many marks.

    One transaction: a piece is marked, or it is not.
    """
    with transaction.atomic():
        types = types_in(project_id, piece)
        marked = [
            _mark(project_id, metric, [name for name in types if metric.takes(name)], piece) for metric in metrics
        ]
    return sum(marked)


def _mark(project_id: int, metric: Metric, types: Sequence[str], piece: Window) -> int:
    common = {
        "project": project_id,
        "metric": metric.name,
        "types": list(types),
        "start": piece.start,
        "end": piece.end,
    }
    count = _execute(MARK_MINUTES, metric, common)
    for rung in LADDER[1:]:
        below = (rung.below or MINUTE).interval.value
        count += _execute(
            MARK_LEFT_OVER, metric, common | {"interval": rung.interval.value, "length": rung.length, "below": below}
        )
    return count


def _execute(statement: str, metric: Metric, parameters: dict[str, Any]) -> int:
    users = metric.name == UNIQUE_USERS
    table, of_metric = ("unique_users", "") if users else ("metric_aggregations", "AND metric_name = %(metric)s")
    with connection.cursor() as cursor:
        cursor.execute(statement.format(table=table, of_metric=of_metric), parameters)
        return int(cursor.rowcount)


def pending(projects: Collection[int], window: Window, names: Collection[str] | None, now: datetime) -> int:
    """How many marks of the window, of all intervals, still wait; those of buckets that are not over left out."""
    lengths = ", ".join(f"('{rung.interval.value}', interval '{_minutes(rung)} minutes')" for rung in LADDER)
    with connection.cursor() as cursor:
        cursor.execute(
            PENDING.format(lengths=lengths),
            {
                "projects": list(projects),
                "metrics": None if names is None else list(names),
                "start": window.start,
                "end": window.end,
                "now": now,
            },
        )
        return int(cursor.fetchone()[0])


def _minutes(rung: Rung) -> int:
    return rung.length // MINUTE.length
