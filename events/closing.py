"""What is done to a partition once its day is over and hardly anything is written to it any more.

The index on properties costs a third of the throughput while a partition is being written
(docs/storage.md), and hardly anything afterwards. So searches by property have it for all days
but the current one, which they read by time.
"""

import logging
from datetime import UTC, date, datetime, timedelta

from django.db import connection
from psycopg import sql

from events import partitions

logger = logging.getLogger(__name__)

GRACE = timedelta(hours=1)  # most late events come within it
INDEX_STATE = """
SELECT i.indisvalid FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid WHERE c.relname = %s
"""


def open_days(now: datetime | None = None) -> list[date]:
    """Days that are over and whose partition has no index on properties yet, newest first."""
    today = ((now or datetime.now(UTC)) - GRACE).date()
    return [day for day in reversed(partitions.existing()) if day < today and not _index_valid(day)]


def close_day(day: date) -> None:
    """Index the properties of a partition, and freeze and analyze it. Outside a transaction only.

    Reads and writes go on. An index that an interrupted run left behind is built anew.
    """
    names = {"partition": sql.Identifier(partitions.name_of(day)), "index": sql.Identifier(_index_of(day))}
    for statement in (
        "DROP INDEX IF EXISTS {index}",
        "CREATE INDEX CONCURRENTLY {index} ON {partition} USING gin (properties jsonb_path_ops)",
        "VACUUM (FREEZE, ANALYZE) {partition}",
    ):
        with connection.cursor() as cursor:
            cursor.execute(sql.SQL(statement).format(**names).as_string(cursor.connection))
    logger.info("Closed partition %s", partitions.name_of(day))


def _index_of(day: date) -> str:
    return f"{partitions.name_of(day)}_properties"


def _index_valid(day: date) -> bool:
    with connection.cursor() as cursor:
        cursor.execute(INDEX_STATE, [_index_of(day)])
        row = cursor.fetchone()
    return row is not None and bool(row[0])
