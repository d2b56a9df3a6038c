"""The database asked directly, and from another connection."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import psycopg
from django.db import connection

from analytics_project.lib import partitioned
from events import partitions


def execute(statement: str, *parameters: str) -> list[tuple[Any, ...]]:
    with connection.cursor() as cursor:
        cursor.execute(statement, parameters)
        return list(cursor.fetchall()) if cursor.description else []


def exists(table: str) -> bool:
    return bool(execute("SELECT to_regclass(%s) IS NOT NULL", table)[0][0])


def drop_days() -> None:
    """Drop all days of events, and what other tests have detached."""
    names = [partition.name for partition in partitioned.attached("events")]
    for name in [*names, *partitioned.detached(partitions.NAME)]:
        execute(f"DROP TABLE {name}")
    partitions.forget()


@contextmanager
def other() -> Iterator["psycopg.Connection[tuple[Any, ...]]"]:
    """Another connection, in a transaction that is rolled back."""
    with psycopg.connect(**connection.get_connection_params() | {"cursor_factory": psycopg.Cursor}) as own:
        yield own
        own.rollback()
