"""The one builder of queries on `events`.

Each query names the project and both bounds of time as literals of its own, so PostgreSQL
prunes partitions while planning; each has a time limit, so no question can hold the database.
"""

import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import orjson
from django.conf import settings
from django.db import connection, transaction

from events.api.paging import Position

COLUMNS = 'id, event_type, user_id, session_id, properties::text, "timestamp", created_at'
JSON_LITERAL = re.compile(r"true|false|null|-?(0|[1-9]\d{0,40})(\.\d{1,40})?([eE][+-]?\d{1,3})?", re.ASCII)
ONE_DAY = timedelta(days=1)
MICROSECOND = timedelta(microseconds=1)
LAST_MOMENT = datetime.max.replace(tzinfo=UTC)
ONE_MINUTE = timedelta(minutes=1)
UUID7_RANGE = range(2**42)  # milliseconds until the year 2109

EventRow = tuple[UUID, str, str | None, str | None, str, datetime, datetime]


@dataclass(frozen=True)
class Window:
    """[start, end): the start belongs to it, the end does not."""

    start: datetime
    end: datetime


@dataclass(frozen=True)
class PropertyFilter:
    """A value at a path of `properties`, given as text: equals the string, or the same number or literal."""

    path: tuple[str, ...]
    value: str

    def candidates(self) -> list[str]:
        """The JSON documents of which an event must contain one."""
        values = [orjson.dumps(self.value).decode()]
        if JSON_LITERAL.fullmatch(self.value):
            values.append(self.value)
        return [self._nest(value) for value in values]

    def _nest(self, value: str) -> str:
        for key in reversed(self.path):
            value = f"{{{orjson.dumps(key).decode()}:{value}}}"
        return value


@dataclass(frozen=True)
class Filters:
    event_type: str | None = None
    user_id: str | None = None
    session_id: str | None = None
    properties: tuple[PropertyFilter, ...] = ()

    def conditions(self) -> Iterator[tuple[str, list[Any]]]:
        for column in ("event_type", "user_id", "session_id"):
            value = getattr(self, column)
            if value is not None:
                yield f"{column} = %s", [value]
        for wanted in self.properties:
            documents = wanted.candidates()
            yield f"({' OR '.join(['properties @> %s::jsonb'] * len(documents))})", [*documents]


def newest(
    project_id: int, window: Window, filters: Filters, *, limit: int, after: Position | None = None
) -> list[EventRow]:
    """Events of the window, newest first, beginning after the given position."""
    conditions = ["project_id = %s", '"timestamp" >= %s', '"timestamp" < %s']
    parameters: list[Any] = [project_id, window.start, window.end]
    if after is not None:
        # The bound in time prunes partitions. The comparison of rows must be `<=`: with `<`, PostgreSQL
        # enters the index at the bound in time, and walks over all that was read of this moment before.
        conditions.append('("timestamp", id) <= (%s, %s)')
        parameters[-1] = after.timestamp + MICROSECOND
        parameters += predecessor(after)
    for condition, values in filters.conditions():
        conditions.append(condition)
        parameters += values
    return _fetch(
        f'SELECT {COLUMNS} FROM events WHERE {" AND ".join(conditions)} ORDER BY "timestamp" DESC, id DESC LIMIT %s',
        [*parameters, limit],
    )


def predecessor(position: Position) -> Position:
    """The greatest key below this one."""
    if position.id.int:
        return Position(position.timestamp, UUID(int=position.id.int - 1))
    return Position(position.timestamp - MICROSECOND, UUID(int=2**128 - 1))


def find(project_id: int, event_id: UUID, timestamp: datetime | None = None) -> EventRow | None:
    """The event with this id; with its timestamp by the key, else where its id says it should lie.

    An id alone is no key: the newest event that has it is taken. Only an id that tells no time,
    or another than its event's, has to be looked for in every partition.
    """
    for window in places(event_id, timestamp):
        rows = _fetch(
            f'SELECT {COLUMNS} FROM events WHERE project_id = %s AND "timestamp" >= %s AND "timestamp" < %s'
            ' AND id = %s ORDER BY "timestamp" DESC LIMIT 1',
            [project_id, window.start, window.end, event_id],
        )
        if rows:
            return rows[0]
    return None


def places(event_id: UUID, timestamp: datetime | None) -> Iterator[Window]:
    """Where to look for an id, the likeliest and smallest window first."""
    if timestamp is not None:
        # The last moment of the calendar has none after it, and no event either.
        yield Window(timestamp, timestamp + min(MICROSECOND, LAST_MOMENT - timestamp))
        return
    guess = time_of(event_id)
    if guess is not None:
        # Nearly all events are given their id within a moment of their time.
        yield Window(guess - ONE_MINUTE, guess + ONE_MINUTE)
        yield Window(guess - ONE_DAY, guess + ONE_DAY)
    yield retained()


def retained() -> Window:
    """All that may be stored at the moment."""
    now = datetime.now(UTC)
    analytics = settings.CONFIG.analytics
    # A day more on each side: limits are checked on the way in, rows stay until their day is dropped.
    return Window(now - analytics.retention.raw_events - ONE_DAY, now + analytics.ingestion.max_clock_skew + ONE_DAY)


def time_of(event_id: UUID) -> datetime | None:
    """When a UUIDv7 was made."""
    milliseconds = event_id.int >> 80
    if event_id.version != 7 or milliseconds not in UUID7_RANGE:
        return None
    return datetime(1970, 1, 1, tzinfo=UTC) + timedelta(milliseconds=milliseconds)


def _fetch(statement: str, parameters: Sequence[Any]) -> list[EventRow]:
    with time_limit(), connection.cursor() as cursor:
        cursor.execute(statement, parameters)
        rows: list[EventRow] = cursor.fetchall()
        return rows


@contextmanager
def time_limit() -> Iterator[None]:
    """Statements inside are cancelled after `query.timeout`; QueryCanceled is the cause of the error then."""
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SET LOCAL statement_timeout = %s", [timeout_ms()])
        yield


def timeout_ms() -> int:
    timeout: timedelta = settings.CONFIG.analytics.query.timeout
    return timeout // timedelta(milliseconds=1)
