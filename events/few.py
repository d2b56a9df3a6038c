"""A few rows in one statement: the events, the marks of their buckets and the figures of the batch.

Outside a transaction, a statement is one of its own: a single round trip, and half of the CPU of BEGIN, COPY, what goes
with it and COMMIT. With more rows COPY wins, which reads them in less time.
"""

from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext, suppress

import orjson
import psycopg
from django.db import connection, transaction

from events.copying import COLUMNS, Row
from events.models import Source

# COPY draws level at 60 rows of 2 KB, or 130 of 100 bytes.
MOST = 32
# Marks and figures as `marks.mark` and `accounting.record` write them. What no other part reads comes after the main
# statement, so the clock of the figures has seen the events go in: in the order of the rows, as with COPY.
STORE = f"""
WITH rows AS MATERIALIZED (
    SELECT * FROM json_to_recordset(%(rows)s) AS row ("timestamp" timestamptz, id uuid, event_type text,
        user_id text, session_id text, properties jsonb)),
marks AS (
    INSERT INTO touched_buckets (project_id, event_type, bucket)
    SELECT DISTINCT %(project)s::int, event_type, date_trunc('minute', "timestamp", 'UTC') FROM rows),
figures AS (
    INSERT INTO ingest_batches (project_id, source, received, stored, duplicates, refused, redelivered, duration_ms)
    SELECT %(project)s, %(source)s, count(*), count(*), 0, 0, 0,
        %(ms)s + extract(epoch FROM clock_timestamp() - statement_timestamp()) * 1000 FROM rows)
INSERT INTO events ({COLUMNS}) SELECT %(project)s, * FROM rows
"""


def store(rows: Sequence[Row], project_id: int, source: Source, seconds: float) -> None:
    """Store all rows, which must be sorted, and what belongs to them; or raise, and store nothing.

    `seconds` is what the batch took before.
    """
    connection.close_if_health_check_failed()
    connection.ensure_connection()
    values = {"rows": _json(rows), "project": project_id, "source": source.value, "ms": seconds * 1000}
    # Planning takes as long as running. Django's own cursors cannot prepare: they put the values into the text.
    try:
        with _survivable(), psycopg.Cursor(connection.connection) as cursor:
            cursor.execute(STORE, values, prepare=True)
    except psycopg.Error:
        # psycopg forgets a statement that fails as it is prepared, and prepares another for the next batch: the server
        # would keep one for each of a stream of duplicates.
        with suppress(psycopg.Error):
            connection.connection.execute("DEALLOCATE ALL")
        raise


def _json(rows: Sequence[Row]) -> str:
    """The properties are in it as they were sent, so decimals stay exact."""
    objects = [
        {
            "timestamp": f"{row.time}Z",
            "id": row.id,
            "event_type": row.envelope.event_type,
            "user_id": row.envelope.user_id,
            "session_id": row.envelope.session_id,
            "properties": orjson.Fragment(row.envelope.properties),
        }
        for row in rows
    ]
    return orjson.dumps(objects).decode()


def _survivable() -> AbstractContextManager[None]:
    """For a caller within a transaction, which a failed statement would end."""
    return transaction.atomic() if connection.in_atomic_block else nullcontext()
