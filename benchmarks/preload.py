"""Filling the table before a measurement."""

from datetime import datetime

from django.core.management import call_command
from django.db import connection

from benchmarks import raw_copy
from benchmarks.figures import say
from benchmarks.pool import Pool, yesterday
from events import partitions

PORTION = 50_000


def migrate() -> None:
    call_command("migrate", verbosity=0)
    partitions.ensure([yesterday().date()])


def fill(pool: Pool, rows: int) -> None:
    """COPY so many rows of the pool, then leave the table as autovacuum would."""
    say(f"filling the table with {rows:,} events")
    for done in range(0, rows, PORTION):
        raw_copy.copy_all(raw_copy.buffers(pool.copy_lines(min(PORTION, rows - done)), size=10_000))
    settle()


def settle() -> None:
    """VACUUM ANALYZE, which autovacuum would do at a time of its own choice."""
    with raw_copy.connect() as own:
        own.execute("VACUUM (ANALYZE) events")


def one(statement: str, *parameters: str | datetime) -> int:
    """The single number that a query answers."""
    with connection.cursor() as cursor:
        cursor.execute(statement, parameters)
        return int(cursor.fetchone()[0])
