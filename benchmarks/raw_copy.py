"""The reference: what PostgreSQL takes when nothing but COPY of ready rows is asked of it."""

import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

import psycopg
from django.conf import settings

STATEMENT = 'COPY events ("timestamp", project_id, id, event_type, user_id, session_id, properties) FROM STDIN'
BATCH = 1000


def connect() -> psycopg.Connection[tuple[object, ...]]:
    database = settings.CONFIG.database
    return psycopg.connect(
        host=database.host,
        port=database.port,
        dbname=database.name,
        user=database.user,
        password=database.password.get_secret_value(),
        autocommit=True,
    )


def buffers(lines: Sequence[bytes], size: int = BATCH) -> list[bytes]:
    return [b"\n".join(lines[start : start + size]) + b"\n" for start in range(0, len(lines), size)]


def copy_all(batches: Sequence[bytes]) -> None:
    """One connection, a commit for each batch."""
    with connect() as connection, connection.cursor() as cursor:
        for batch in batches:
            with cursor.copy(STATEMENT) as copy:
                copy.write(batch)


def events_per_second(lines: Sequence[bytes], connections: int = 1) -> float:
    batches = buffers(lines)
    parts = [batches[number::connections] for number in range(connections)]
    with ThreadPoolExecutor(connections) as threads:
        began = time.perf_counter()
        list(threads.map(copy_all, parts))
        return len(lines) / (time.perf_counter() - began)
