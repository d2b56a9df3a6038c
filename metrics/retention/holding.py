"""Why a partition that is older than its retention is not dropped yet, and the seal on what is."""

from collections.abc import Collection
from datetime import datetime

from django.db import OperationalError, connection, transaction

from analytics_project.lib import partitioned
from analytics_project.lib.partitioned import Busy, Partition
from metrics.models import Interval
from metrics.retention.families import Family
from metrics.rollups.intervals import LADDER
from metrics.rollups.locks import ROLLUP_LOCKS

LOCK_TIMEOUT = "30s"  # the engine works in pieces far shorter than this
# What is marked before the seal is never computed: the engine takes such marks away.
UNFINISHED = """
SELECT (SELECT count(*) FROM touched_buckets WHERE bucket >= sealed.until AND bucket < %(end)s) + (
        SELECT count(*) FROM rollup_marks
        WHERE interval = '1m' AND time_bucket >= sealed.until AND time_bucket < %(end)s),
    (SELECT complete_until FROM rollup_progress WHERE interval = '1m'),
    (SELECT string_agg(name, ', ') FROM metric_definitions WHERE active AND backfill_before > sealed.until)
FROM (SELECT coalesce((SELECT sealed_until FROM rollup_seal), '-infinity') AS until) sealed
"""
MARKED = "SELECT count(*) FROM rollup_marks WHERE interval = ANY (%s) AND time_bucket >= %s AND time_bucket < %s"
SEAL = """
INSERT INTO rollup_seal ("only", sealed_until) VALUES (true, %s) ON CONFLICT ("only")
DO UPDATE SET sealed_until = greatest(rollup_seal.sealed_until, excluded.sealed_until)
"""


def reason(family: Family, partition: Partition, leaving: Collection[str] = ()) -> str | None:
    """What speaks against dropping it; None if nothing does. `leaving`: days of events that are dropped before it."""
    if not family.made(partition) or partition.start is None or partition.end is None:
        return "this service did not make it: its name and bounds do not belong together"
    older = [day for day in partitioned.attached("events") if day.start and day.start < partition.end]
    older = [day for day in older if day.name not in leaving and day.name != partition.name]
    if older:
        # One seal for all: facts before it are gone. So days go in their order, and rollups after their facts.
        return f"{older[0].name} is still there, and older"
    if family.interval is None:
        return _not_rolled_up(partition.end)
    return _not_rolled_on(family.interval, partition.start, partition.end)


def _not_rolled_up(end: datetime) -> str | None:
    with connection.cursor() as cursor:
        cursor.execute(UNFINISHED, {"end": end})
        marked, complete_until, backfills = cursor.fetchone()
    if complete_until is None or complete_until < end:
        return f"not rolled up: minutes are complete until {complete_until or 'no time at all'}"
    if marked:
        return f"not rolled up: {marked:,} marks of minutes before its end"
    return f"not rolled up: the backfill of {backfills} is not done" if backfills else None


def _not_rolled_on(interval: Interval, start: datetime, end: datetime) -> str | None:
    """Marks of the interval itself, of what it is made of, and of what is made of it."""
    place = [rung.interval for rung in LADDER].index(interval)
    with connection.cursor() as cursor:
        cursor.execute(MARKED, [[rung.interval.value for rung in LADDER[: place + 2]], start, end])
        [marked] = cursor.fetchone()
    return f"not rolled up: {marked:,} marks of its time" if marked else None


def seal(family: Family, partition: Partition) -> str | None:
    """Look again and promise that what the partition holds is never computed again; answers what speaks against it.

    Committed before the partition goes, and under the engine's lock: it neither is at work on these minutes nor
    begins to be.
    """
    try:
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute("SELECT set_config('lock_timeout', %s, true)", [LOCK_TIMEOUT])
            cursor.execute("SELECT pg_advisory_xact_lock(%s)", [ROLLUP_LOCKS[Interval.MINUTE]])
            against = reason(family, partition)
            if against is None:
                cursor.execute(SEAL, [partition.end])
            return against
    except OperationalError as error:
        if not isinstance(error.__cause__, partitioned.LOCKED):
            raise
        raise Busy("the rollup engine is at work for long") from error
