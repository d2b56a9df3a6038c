"""Rows into `events` by COPY: the fast way, and the way that sorts out what cannot go in.

COPY stores all of a batch or nothing. A batch that failed so goes through a temporary table,
where known events are told from new ones; a row that PostgreSQL refuses is found by halving.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import NamedTuple

import psycopg
from django.db import connection, transaction
from psycopg import errors, sql

from events.envelope import Envelope
from events.reasons import Reason
from events.refusal import Refused

COLUMNS = 'project_id, "timestamp", id, event_type, user_id, session_id, properties'
COPY_EVENTS = f"COPY events ({COLUMNS}) FROM STDIN"
STAGE = f"""
CREATE TEMP TABLE IF NOT EXISTS staged_events ON COMMIT DELETE ROWS AS
SELECT {COLUMNS}, 0 AS place FROM events WITH NO DATA
"""
COPY_STAGED = f"COPY staged_events ({COLUMNS}, place) FROM STDIN"
# What is left of the staged rows are those that were not inserted: their keys are taken, by a
# stored event or by an earlier row of the batch. A racing writer's rows count as stored: the
# insert waited for its commit, and the comparison is a statement of its own and sees them.
INSERT_STAGED = f"""
WITH inserted AS (
    INSERT INTO events ({COLUMNS}) SELECT {COLUMNS} FROM staged_events ORDER BY "timestamp", id, place
    ON CONFLICT DO NOTHING RETURNING "timestamp", id),
firsts AS (
    SELECT min(place) AS place FROM staged_events JOIN inserted USING ("timestamp", id) GROUP BY "timestamp", id)
DELETE FROM staged_events s USING firsts WHERE s.place = firsts.place
"""
# LIMIT keeps the planner from joining all of `events`: one look-up by key for each staged row.
COMPARE_STAGED = """
SELECT s.place, e.same FROM staged_events s CROSS JOIN LATERAL (
    SELECT (e.event_type, e.user_id, e.session_id, e.properties)
        IS NOT DISTINCT FROM (s.event_type, s.user_id, s.session_id, s.properties) AS same
    FROM events e
    WHERE e.project_id = s.project_id AND e."timestamp" = s."timestamp" AND e.id = s.id LIMIT 1) e
"""
# What the content of one row can cause. Everything else concerns the whole batch.
ROW_ERRORS = (errors.DataError, errors.IntegrityError, errors.ProgramLimitExceeded)


class Row(NamedTuple):
    """An event to store. It begins with the key, so that sorting rows sorts by key.

    `time` is canonical (`events.timestamps`). `place` is where it stands in the batch: it tells rows of equal key
    apart, the first of which is the one to store. The time and the id of the envelope do not count.
    """

    time: str
    id: str
    place: int
    envelope: Envelope

    def line(self) -> str:
        """The whole of it as COPY takes it, without its project."""
        time, id_, _, (_, _, event_type, user_id, session_id, properties) = self
        return f"{time}Z\t{id_}\t{_text(event_type)}\t{_text(user_id)}\t{_text(session_id)}\t{_json(properties)}"


@dataclass
class Written:
    """What became of rows, by index; those in neither were stored."""

    duplicates: set[int] = field(default_factory=set)
    refusals: dict[int, Refused] = field(default_factory=dict)

    def add(self, other: "Written") -> "Written":
        self.duplicates |= other.duplicates
        self.refusals |= other.refusals
        return self


class MissingPartition(Exception):
    """A row of a day for which there is no partition (any more)."""


def write_all(rows: Sequence[Row], project_id: int) -> Written:
    """Store all rows or, with one of ROW_ERRORS, fail the caller's transaction; `write` is for those.

    `rows` must be sorted here and there: writers that take keys in one order cannot deadlock.
    """
    if rows:
        _copy(COPY_EVENTS, project_id, [row.line() for row in rows])
    return Written()


def write(rows: Sequence[Row], project_id: int) -> Written:
    """Store the rows that can be stored, within the caller's transaction, and tell what the others are."""
    if not rows:
        return Written()
    try:
        with transaction.atomic():
            return _write_staged(rows, project_id)
    except ROW_ERRORS as error:
        return _halve(rows, project_id, error)


def _halve(rows: Sequence[Row], project_id: int, error: psycopg.Error) -> Written:
    if isinstance(error, errors.CheckViolation) and error.diag.constraint_name is None:
        raise MissingPartition(str(error)) from error
    if len(rows) == 1:
        return Written(refusals={rows[0].place: Refused(Reason.STORAGE_REFUSED, str(error))})
    middle = len(rows) // 2
    return write(rows[:middle], project_id).add(write(rows[middle:], project_id))


def _write_staged(rows: Sequence[Row], project_id: int) -> Written:
    """Insert what is new, and compare the rest with what is stored under its key.

    Of several rows of one new key the first is the stored one. Content is equal as jsonb has
    it: spelling and order do not count, 1.0 equals 1.00.
    """
    written = Written()
    database = connection.connection
    database.execute(STAGE)
    database.execute("DELETE FROM staged_events")
    _copy(COPY_STAGED, project_id, [f"{row.line()}\t{row.place}" for row in rows])
    database.execute(INSERT_STAGED)
    for place, same in database.execute(COMPARE_STAGED).fetchall():
        if same:
            written.duplicates.add(place)
        else:
            written.refusals[place] = conflict()
    return written


def conflict() -> Refused:
    return Refused(Reason.CONFLICT, "an event with this id and timestamp is stored with other content")


def _copy(statement: str, project_id: int, lines: list[str]) -> None:
    project = f"{project_id}\t"
    with connection.connection.cursor() as cursor, cursor.copy(sql.SQL(statement)) as copy:
        copy.write(project + f"\n{project}".join(lines) + "\n")


_ESCAPES = str.maketrans({"\\": "\\\\", "\t": "\\t", "\n": "\\n", "\r": "\\r"})


@lru_cache(maxsize=20_000)
def _text(value: str | None) -> str:
    """A text field of COPY; types, users and sessions recur, so most are looked up."""
    return "\\N" if value is None else value.translate(_ESCAPES)


_BLANKS = str.maketrans("\t\n\r", "   ")


def _json(raw: bytes) -> str:
    """JSON as a field of COPY. Tabs and line ends can only stand between tokens, where a blank does."""
    text = raw.decode()
    if "\n" in text or "\t" in text or "\r" in text:
        text = text.translate(_BLANKS)
    return text.replace("\\", "\\\\")
