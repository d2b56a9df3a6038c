"""Advisory locks of PostgreSQL, so that a periodic task may be started twice and run once."""

from collections.abc import Iterator
from contextlib import contextmanager

from django.db import connection, transaction


@contextmanager
def try_lock(key: int) -> Iterator[bool]:
    """Whether the lock is ours for the length of the block, which is one transaction."""
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SELECT pg_try_advisory_xact_lock(%s)", [key])
        yield bool(cursor.fetchone()[0])


@contextmanager
def try_session_lock(key: int) -> Iterator[bool]:
    """The same for work that cannot run in a transaction. Not through a pooler that shares sessions."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_try_advisory_lock(%s)", [key])
        locked = bool(cursor.fetchone()[0])
    try:
        yield locked
    finally:
        if locked:
            with connection.cursor() as cursor:
                cursor.execute("SELECT pg_advisory_unlock(%s)", [key])
