"""Bytes on disk per event: the table and each of its indexes."""

from datetime import date

from django.db import connection

from benchmarks import preload
from benchmarks.cli import Options
from benchmarks.figures import print_table
from benchmarks.pool import Pool, yesterday
from events import partitions

SIZES = """
SELECT 'table', pg_relation_size(c.oid) FROM pg_class c WHERE relname = %s
UNION ALL SELECT 'oversized properties (TOAST)', pg_total_relation_size(c.reltoastrelid) FROM pg_class c
    WHERE relname = %s
UNION ALL SELECT replace(i.relname, c.relname || '_', 'index '), pg_relation_size(i.oid)
FROM pg_class c JOIN pg_index x ON x.indrelid = c.oid JOIN pg_class i ON i.oid = x.indexrelid WHERE c.relname = %s
"""


def run(options: Options, pool: Pool) -> None:
    show(yesterday().date(), "as it is being written")


def show(day: date, state: str) -> None:
    partition = partitions.name_of(day)
    rows = preload.one(f"SELECT count(*) FROM {partition}")
    with connection.cursor() as cursor:
        cursor.execute(SIZES, [partition] * 3)
        sizes = sorted(((str(name), int(size)) for name, size in cursor.fetchall()), key=lambda item: -item[1])
    properties = preload.one(f"SELECT sum(pg_column_size(properties)) FROM {partition}")
    total = sum(size for _, size in sizes)
    print_table(
        f"storage: a day of {rows:,} simulated events, {state}",
        ("what", "bytes/event", "share"),
        [
            *((name, f"{size / rows:.1f}", f"{size / total:.0%}") for name, size in sizes),
            ("all", f"{total / rows:.1f}", "100%"),
            ("of the table: properties", f"{properties / rows:.1f}", f"{properties / total:.0%}"),
        ],
    )
