"""What is done to a partition once its day is over and hardly anything is written to it any more.

The index on properties costs a third of the throughput while a partition is being written
(docs/storage.md), and hardly anything afterwards. So searches by property have it for all days
but the current one, which they read by time.
"""

import logging
from datetime import UTC, date, datetime, timedelta
from typing import LiteralString

from django.conf import settings
from django.db import connection
from psycopg import sql

from events import partitions

logger = logging.getLogger(__name__)

GRACE = timedelta(hours=1)  # most late events come within it
# A look-up by id alone reads a few pages of a closed day and not its whole key.
ADD_INDEXES = (
    "DROP INDEX IF EXISTS {ids}",
    "CREATE INDEX CONCURRENTLY {ids} ON {partition} USING brin (id uuid_bloom_ops) WITH (pages_per_range = 32)",
    "DROP INDEX IF EXISTS {properties}",
    "CREATE INDEX CONCURRENTLY {properties} ON {partition} USING gin (properties jsonb_path_ops)",
)
OF_PARTITION = """
SELECT c.relname FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid JOIN pg_am a ON a.oid = c.relam
WHERE i.indrelid = %s::regclass
"""
# All but the key, which grows at its end.
GROWING = f"{OF_PARTITION} AND NOT i.indisprimary AND i.indisvalid AND a.amname = 'btree'"
LEFT_BEHIND = f"{OF_PARTITION} AND NOT i.indisvalid"
INDEX_STATE = """
SELECT i.indisvalid FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid WHERE c.relname = %s
"""


def open_days(now: datetime | None = None) -> list[date]:
    """Days that are over and whose partition has no index on properties yet, newest first."""
    now = now or datetime.now(UTC)
    today, oldest = (now - GRACE).date(), (now - settings.CONFIG.analytics.retention.raw_events).date()
    # What retention is about to drop is not worth the work.
    return [day for day in reversed(partitions.existing()) if oldest <= day < today and not _index_valid(day)]


def close_day(day: date) -> None:
    """Rebuild the indexes of a partition, add those that closed ones have, freeze and analyze it.

    Outside a transaction only; reads and writes go on. The index on properties comes last of
    the indexes: where it is valid, all was done.
    """
    partition = partitions.name_of(day)
    names = {
        "partition": sql.Identifier(partition),
        "properties": sql.Identifier(_index_of(day)),
        "ids": sql.Identifier(f"{partition}_ids"),
    }
    # What an interrupted run left behind is invalid and only costs.
    drop = _for_each("DROP INDEX CONCURRENTLY {}", _indexes(LEFT_BEHIND, partition))
    # Indexes that grow in many places at once are left half empty; rebuilt they are dense.
    rebuild = _for_each("REINDEX INDEX CONCURRENTLY {}", _indexes(GROWING, partition))
    add = [sql.SQL(statement).format(**names) for statement in ADD_INDEXES]
    for statement in [*drop, *rebuild, *add, sql.SQL("VACUUM (FREEZE, ANALYZE) {partition}").format(**names)]:
        with connection.cursor() as cursor:
            cursor.execute(statement.as_string(cursor.connection))
    logger.info("Closed partition %s", partition)


def _indexes(query: str, partition: str) -> list[str]:
    with connection.cursor() as cursor:
        cursor.execute(query, [partition])
        return [name for (name,) in cursor.fetchall()]


def _for_each(statement: LiteralString, indexes: list[str]) -> list[sql.Composed]:
    return [sql.SQL(statement).format(sql.Identifier(index)) for index in indexes]


def _index_of(day: date) -> str:
    return f"{partitions.name_of(day)}_properties"


def _index_valid(day: date) -> bool:
    with connection.cursor() as cursor:
        cursor.execute(INDEX_STATE, [_index_of(day)])
        row = cursor.fetchone()
    return row is not None and bool(row[0])
