"""The daily partitions of `events`: list what is there, plan what is missing, apply the plan.

There is no default partition: it would be scanned under an exclusive lock by each attach, and
would make it impossible to detach one concurrently. What lies outside the accepted window is a
dead letter, so no row needs one.
"""

import logging
import threading
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import LiteralString

from django.conf import settings
from django.db import Error, OperationalError, connection, transaction
from psycopg import sql

from analytics_project.lib import partitioned

logger = logging.getLogger(__name__)
LOCK = 0xB25_0001
ONE_DAY = timedelta(days=1)

# The days that this process saw a partition for. Only a cache: a writer that finds no
# partition after all forgets it and asks the database.
_known: set[date] = set()
_known_lock = threading.Lock()

NAME = r"^events_y\d{4}m\d\dd\d\d$"
# One whose detaching was begun is invisible to queries and writers already.
LIST = """
SELECT c.relname FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid
WHERE i.inhparent = 'events'::regclass AND c.relname ~ %s AND NOT i.inhdetachpending ORDER BY 1
"""
# Attached rather than made in place, which would wait for readers and make others wait behind it. The CHECK lets ATTACH
# skip its scan, and is dropped as the bounds then say the same.
CREATE = (
    "CREATE TABLE {partition} (LIKE events INCLUDING ALL, CONSTRAINT one_day CHECK"
    ' ("timestamp" >= {start} AND "timestamp" < {end}))',
    "ALTER TABLE events ATTACH PARTITION {partition} FOR VALUES FROM ({start}) TO ({end})",
    "ALTER TABLE {partition} DROP CONSTRAINT one_day",
    "COMMENT ON TABLE {partition} IS {made}",
)
REATTACH = (CREATE[1], CREATE[3])
FINALIZE = "ALTER TABLE events DETACH PARTITION {partition} FINALIZE"


@dataclass(frozen=True)
class Plan:
    """The days to create partitions for."""

    create: tuple[date, ...]

    def __str__(self) -> str:
        return "\n".join(f"create {name_of(day)}" for day in self.create) or "nothing to do"


def name_of(day: date) -> str:
    return f"events_y{day:%Y}m{day:%m}d{day:%d}"


def day_of(name: str) -> date:
    year, month, day = name.removeprefix("events_y").replace("m", "-").replace("d", "-").split("-")
    return date(int(year), int(month), int(day))


def bounds_of(day: date) -> tuple[datetime, datetime]:
    start = datetime.combine(day, time(), UTC)
    return start, start + ONE_DAY


def existing() -> list[date]:
    with connection.cursor() as cursor:
        cursor.execute(LIST, [NAME])
        return [day_of(name) for (name,) in cursor.fetchall()]


def plan_ahead(today: date, days: int) -> Plan:
    """Partitions for yesterday to `today + days`; late events of other days get theirs on demand."""
    wanted = [today + timedelta(days=offset) for offset in range(-1, days + 1)]
    present = set(existing())
    return Plan(create=tuple(day for day in wanted if day not in present))


def apply(plan: Plan) -> None:
    """Make what is planned; a day that cannot be made is told, and keeps no other from being made."""
    for day in plan.create:
        try:
            create(day)
        except Detached as error:
            logger.error("%s", error)  # noqa: TRY400 - all of it is in the message


def ensure(days: Iterable[date]) -> None:
    """Make the partitions that are missing; cheap when this process knows them already."""
    missing = set(days) - _known
    if not missing:
        return
    for day in sorted(missing - set(existing())):
        create(day)
    with _known_lock:
        _known.update(missing)


def forget() -> None:
    with _known_lock:
        _known.clear()


class Detached(Exception):
    """A table with the name of a partition is there, and cannot be attached."""


def create(day: date) -> None:
    """Create and attach one partition; reads and writes of the others go on meanwhile.

    One that is there but detached is attached again, with all that is in it: else each writer that has an event of
    that day would fail for ever. Raises Detached when that cannot be.
    """
    name = name_of(day)
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(%s)", [LOCK])
        cursor.execute("SELECT to_regclass(%s) IS NOT NULL", [name])
        [exists] = cursor.fetchone()
        pending = partitioned.is_pending("events", name)
        if pending is False:
            return
        cursor.execute("SET LOCAL lock_timeout = '2s'")
        if exists:
            _attach_again(day, pending=bool(pending))
        else:
            _execute(CREATE, day)
        # Not for what else the caller's transaction may wait for.
        cursor.execute("SET LOCAL lock_timeout TO DEFAULT")


def _attach_again(day: date, *, pending: bool) -> None:
    name = name_of(day)
    if bounds_of(day)[1] <= datetime.now(UTC) - settings.CONFIG.analytics.retention.raw_events:
        raise Detached(f"{name} is there, detached, and older than raw events are kept: attach, rename or drop it")
    try:
        with transaction.atomic():
            _execute((FINALIZE, *REATTACH) if pending else REATTACH, day)
    except OperationalError:
        raise
    except Error as error:
        reason = " ".join(str(error).split())
        raise Detached(f"{name} is there, detached, and cannot be attached: {reason}") from error
    logger.warning("Attached %s again, which somebody had detached", name)


def _execute(statements: Iterable[LiteralString], day: date) -> None:
    start, end = bounds_of(day)
    names = {
        "partition": sql.Identifier(name_of(day)),
        "start": sql.Literal(start),
        "end": sql.Literal(end),
        "made": sql.Literal(partitioned.MADE),
    }
    with connection.cursor() as cursor:
        for statement in statements:
            cursor.execute(sql.SQL(statement).format(**names).as_string(cursor.connection))


def days_ahead(today: date) -> int:
    """How many days after `today` have a partition without a gap; below zero: not even today."""
    present = set(existing())
    ahead = -1
    while today + timedelta(days=ahead + 1) in present:
        ahead += 1
    return ahead
