"""Partitions as the catalog knows them: list them, mark them as ours, take them off and drop them.

Nothing here makes a writer wait: a partition is detached concurrently and dropped when it is a table
of its own, and each wait for a lock is short and tried again later.
"""

import logging
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import LiteralString

from django.db import OperationalError, connection, transaction
from psycopg import errors, sql

logger = logging.getLogger(__name__)

# Comments on tables. No table is dropped without the second, which is written just before it is detached: a table
# that somebody detached by hand, to keep it, has the first.
MADE = "partition made by this service"
RETIRED = "partition retired by this service"
LOCKED = (errors.LockNotAvailable, errors.DeadlockDetected)
LOCK_TIMEOUT = "2s"
ATTEMPTS = 5
PAUSE = 1.0  # seconds, between attempts

ATTACHED = r"""
SELECT c.relname, b.bounds[1]::timestamptz, b.bounds[2]::timestamptz, i.inhdetachpending,
    coalesce(obj_description(c.oid, 'pg_class'), ''), greatest(c.reltuples, 0)::bigint, pg_total_relation_size(c.oid)
FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid CROSS JOIN LATERAL (
    SELECT regexp_match(pg_get_expr(c.relpartbound, c.oid),
        '^FOR VALUES FROM \(''([^'']+)''\) TO \(''([^'']+)''\)$')) b (bounds)
WHERE i.inhparent = %s::regclass ORDER BY 2, 1
"""
DETACHED = """
SELECT c.relname, coalesce(obj_description(c.oid, 'pg_class'), '') FROM pg_class c
WHERE c.relkind = 'r' AND NOT c.relispartition AND c.relnamespace = current_schema()::regnamespace
    AND c.relname ~ %s ORDER BY 1
"""
COMMENT = "COMMENT ON TABLE {table} IS {text}"
DETACH = "ALTER TABLE {parent} DETACH PARTITION {table} CONCURRENTLY"
FINALIZE = "ALTER TABLE {parent} DETACH PARTITION {table} FINALIZE"
PENDING = "SELECT inhdetachpending FROM pg_inherits WHERE inhparent = %s::regclass AND inhrelid = to_regclass(%s)"


class Busy(Exception):
    """Somebody else has the table for long; to be tried again another time."""


class NotOurs(Exception):
    """A table that this service has not retired, or that is in use again."""


@dataclass(frozen=True)
class Partition:
    """One partition of [start, end); both None if its bounds are of another kind. Rows are the planner's estimate."""

    name: str
    start: datetime | None
    end: datetime | None
    pending: bool = False
    comment: str = ""
    rows: int = 0
    size: int = 0

    @property
    def marked(self) -> bool:
        return self.comment in (MADE, RETIRED)


def attached(parent: str) -> list[Partition]:
    """The partitions of a table, oldest first, those included whose detaching was interrupted."""
    with connection.cursor() as cursor:
        cursor.execute(ATTACHED, [parent])
        return [Partition(*row) for row in cursor.fetchall()]


def detached(pattern: str) -> dict[str, str]:
    """The tables of such a name (a regular expression) that are no partitions, with their comments."""
    with connection.cursor() as cursor:
        cursor.execute(DETACHED, [pattern])
        return dict(cursor.fetchall())


def mark(table: str, text: str = MADE) -> None:
    _execute(COMMENT, table=sql.Identifier(table), text=sql.Literal(text))


def detach(parent: str, table: str) -> None:
    """Mark a partition as retired and detach it while others read and write; finish what was interrupted.

    Outside a transaction only. Raises Busy when locks are not to be had. What is half done then is invisible to
    queries, and finished by the next call.
    """
    names = {"parent": sql.Identifier(parent), "table": sql.Identifier(table)}
    for other in attached(parent):
        if other.pending and other.name != table:
            # There can be one at a time. Whoever began it wanted it gone; it stays a table of its own.
            _patiently(FINALIZE, parent=names["parent"], table=sql.Identifier(other.name))
    _patiently(COMMENT, table=names["table"], text=sql.Literal(RETIRED))
    for attempt in range(ATTEMPTS):
        if (pending := is_pending(parent, table)) is None:
            return
        try:
            with lock_timeout():
                _execute(FINALIZE if pending else DETACH, **names)
        except OperationalError as error:
            _give_up_or_wait(error, table, attempt)


def is_pending(parent: str, table: str) -> bool | None:
    """Whether its detaching was interrupted; None if it is no partition of the parent (any more)."""
    with connection.cursor() as cursor:
        cursor.execute(PENDING, [parent, table])
        row = cursor.fetchone()
    return bool(row[0]) if row else None


def drop(table: str) -> None:
    """Drop a table that was retired and detached. Raises NotOurs for any other, and Busy."""
    for attempt in range(ATTEMPTS):
        try:
            with lock_timeout(), transaction.atomic():
                # Locked first: nobody attaches it again between the look and the drop.
                _execute("LOCK TABLE {table} IN ACCESS EXCLUSIVE MODE", table=sql.Identifier(table))
                if detached(f"^{table}$").get(table) != RETIRED:
                    raise NotOurs(f"{table} was not retired by this service, or is in use again")
                _execute("DROP TABLE {table}", table=sql.Identifier(table))
            return
        except OperationalError as error:
            _give_up_or_wait(error, table, attempt)


def analyze(parents: Iterable[str]) -> None:
    """Tell the planner about partitioned tables: autovacuum looks at their partitions only."""
    only: LiteralString = "ONLY " if connection.pg_version >= 180_000 else ""  # type: ignore[attr-defined]
    for parent in parents:
        _execute(f"ANALYZE {only}{{table}}", table=sql.Identifier(parent))


@contextmanager
def lock_timeout(limit: str | None = None) -> Iterator[None]:
    """Let statements of the block wait so long for a lock; for those that cannot run in a transaction."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT set_config('lock_timeout', %s, false)", [limit or LOCK_TIMEOUT])
        try:
            yield
        finally:
            cursor.execute("RESET lock_timeout")


def _patiently(statement: LiteralString, **names: sql.Composable) -> None:
    for attempt in range(ATTEMPTS):
        try:
            with lock_timeout():
                return _execute(statement, **names)
        except OperationalError as error:
            _give_up_or_wait(error, names["table"].as_string(), attempt)
    return None


def _give_up_or_wait(error: OperationalError, table: str, attempt: int) -> None:
    if not isinstance(error.__cause__, LOCKED):
        raise error
    if attempt == ATTEMPTS - 1:
        raise Busy(f"{table} is in use") from error
    logger.info("%s is in use; trying again", table)
    time.sleep(PAUSE)


def _execute(statement: LiteralString, **names: sql.Composable) -> None:
    with connection.cursor() as cursor:
        cursor.execute(sql.SQL(statement).format(**names).as_string(cursor.connection))
