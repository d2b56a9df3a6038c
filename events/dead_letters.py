"""Refused records: kept with their bytes, origin and reason, and replayed on request."""

from collections.abc import Sequence
from typing import NamedTuple

from django.db import connection
from psycopg import sql

from events.models import Source
from events.records import Record, Stretch
from events.refusal import Refused

COPY_DEAD_LETTERS = sql.SQL(
    "COPY dead_letters (project_id, reason, error, source, topic, topic_id, incarnation,"
    " kafka_partition, kafka_offset, record_timestamp, raw) FROM STDIN"
)
MAX_ERROR = 1000


class DeadRecord(NamedTuple):
    record: Record
    refused: Refused


def write(dead: Sequence[DeadRecord], *, project_id: int, source: Source, stretch: Stretch | None = None) -> None:
    """Append dead letters, within the transaction that stores their batch."""
    if not dead:
        return
    origin = (
        (stretch.topic, str(stretch.topic_id), stretch.incarnation, stretch.partition)
        if stretch
        else (None, None, None, None)
    )
    with connection.connection.cursor() as cursor, cursor.copy(COPY_DEAD_LETTERS) as copy:
        for record, refused in dead:
            copy.write_row(
                (
                    project_id,
                    refused.reason.value,
                    _clean(refused.error),
                    source.value,
                    *origin,
                    record.offset if stretch else None,
                    record.time,
                    record.value or b"",
                )
            )


def _clean(error: str) -> str:
    """Error texts quote what came in, which may be anything."""
    return error.replace("\x00", "\\0").encode("utf-8", "replace").decode()[:MAX_ERROR]
