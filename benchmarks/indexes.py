"""What other indexes, storage settings and orders of columns would cost or save.

Each variant is a table of its own with the rows of `events`, filled and then written to round by
round, one after the other, as one connection's raw COPY writes.
"""

import time
from collections.abc import Sequence
from dataclasses import dataclass, field

import psutil
from psycopg import Connection, sql

from benchmarks import machine, raw_copy
from benchmarks.cli import Options
from benchmarks.figures import Spread, print_table, ratio, say
from benchmarks.pool import Pool

COLUMNS = (
    '"timestamp" timestamptz NOT NULL, created_at timestamptz NOT NULL DEFAULT now(), project_id integer NOT NULL,'
    " id uuid NOT NULL, event_type text NOT NULL, user_id text, session_id text, properties jsonb NOT NULL"
)
IN_ORDER_OF_THE_SCHEMA = (
    "project_id integer NOT NULL, id uuid NOT NULL, event_type text NOT NULL, user_id text, session_id text,"
    ' properties jsonb NOT NULL, "timestamp" timestamptz NOT NULL, created_at timestamptz NOT NULL DEFAULT now()'
)
KEY = 'PRIMARY KEY (project_id, "timestamp", id)'
TYPE = 'CREATE INDEX ON {table} (project_id, event_type, "timestamp")'
USER = 'CREATE INDEX ON {table} (project_id, user_id, "timestamp") WHERE user_id IS NOT NULL'
SESSION = 'CREATE INDEX ON {table} (project_id, session_id, "timestamp") WHERE session_id IS NOT NULL'
USUAL = (TYPE, USER, SESSION)
COMPRESSED = "ALTER TABLE {table} ALTER properties SET STORAGE MAIN, SET (toast_tuple_target = 128)"


@dataclass
class Variant:
    """A table like `events`, with another choice in one respect."""

    name: str
    statements: Sequence[str] = USUAL
    columns: str = COLUMNS
    key: str = KEY
    speed: list[float] = field(default_factory=list)
    cpu_us: list[float] = field(default_factory=list)
    wal: list[float] = field(default_factory=list)


def variants() -> list[Variant]:
    return [
        Variant("as it is: key, type, partial user and session"),
        Variant("key only", ()),
        Variant("key and type", (TYPE,)),
        Variant("user and session for all rows", tuple(index.partition(" WHERE ")[0] for index in USUAL)),
        Variant("and BRIN bloom on id", (*USUAL, "CREATE INDEX ON {table} USING brin (id uuid_bloom_ops)")),
        Variant("and btree on id", (*USUAL, "CREATE INDEX ON {table} (id)")),
        Variant("and GIN jsonb_path_ops", (*USUAL, "CREATE INDEX ON {table} USING gin (properties jsonb_path_ops)")),
        Variant("and GIN jsonb_ops", (*USUAL, "CREATE INDEX ON {table} USING gin (properties)")),
        Variant("properties compressed in place (pglz)", (COMPRESSED, *USUAL)),
        Variant("columns in the order of the schema", columns=IN_ORDER_OF_THE_SCHEMA),
        Variant("key with fillfactor 100", key=f"{KEY} WITH (fillfactor = 100)"),
        Variant(
            "indexes without deduplication",
            tuple(index.replace('"timestamp")', '"timestamp") WITH (deduplicate_items = off)') for index in USUAL),
        ),
    ]


def run(options: Options, pool: Pool) -> None:
    all_ = variants()
    with raw_copy.connect() as connection:
        backend = backend_of(connection)
        for number, variant in enumerate(all_):
            make(connection, number, variant)
            fill(connection, number, pool, options.preloaded // 2)
        for _ in range(options.rounds):
            lines = pool.copy_lines(options.events // 2)
            for number, variant in enumerate(all_):
                measure(connection, number, variant, lines, backend)
        rows = options.preloaded // 2 + options.rounds * (options.events // 2)
        sizes = [size_of(connection, number, rows) for number in range(len(all_))]
    print_results(all_, sizes)


def make(connection: Connection[tuple[object, ...]], number: int, variant: Variant) -> None:
    table = sql.Identifier(f"variant_{number}")
    connection.execute(sql.SQL("DROP TABLE IF EXISTS {}").format(table))
    connection.execute(sql.SQL(f"CREATE TABLE {{}} ({variant.columns}, {variant.key})").format(table))
    for statement in variant.statements:
        connection.execute(sql.SQL(statement).format(table=table))


def fill(connection: Connection[tuple[object, ...]], number: int, pool: Pool, rows: int) -> None:
    say(f"filling variant {number}")
    for _ in range(0, rows, 50_000):
        copy(connection, number, raw_copy.buffers(pool.copy_lines(50_000), size=10_000))
    connection.execute(f"VACUUM (ANALYZE) variant_{number}")


def copy(connection: Connection[tuple[object, ...]], number: int, batches: list[bytes]) -> None:
    statement = raw_copy.STATEMENT.replace("COPY events", f"COPY variant_{number}")
    with connection.cursor() as cursor:
        for batch in batches:
            with cursor.copy(statement) as into:
                into.write(batch)


def measure(
    connection: Connection[tuple[object, ...]],
    number: int,
    variant: Variant,
    lines: list[bytes],
    backend: psutil.Process | None,
) -> None:
    batches = raw_copy.buffers(lines)
    before, wal = machine.cpu_seconds(backend), wal_position(connection)
    began = time.perf_counter()
    copy(connection, number, batches)
    variant.speed.append(len(lines) / (time.perf_counter() - began))
    variant.cpu_us.append((machine.cpu_seconds(backend) - before) / len(lines) * 1e6)
    variant.wal.append((wal_position(connection) - wal) / len(lines))


def wal_position(connection: Connection[tuple[object, ...]]) -> float:
    row = connection.execute("SELECT pg_current_wal_lsn() - '0/0'").fetchone()
    return float(str(row[0])) if row else 0.0


def backend_of(connection: Connection[tuple[object, ...]]) -> psutil.Process | None:
    """The server's process, if it is on this machine."""
    try:
        process = psutil.Process(connection.info.backend_pid)
        return process if "postgres" in process.name() else None
    except psutil.NoSuchProcess:
        return None


def size_of(connection: Connection[tuple[object, ...]], number: int, rows: int) -> tuple[float, float]:
    row = connection.execute(
        "SELECT pg_table_size(c), pg_indexes_size(c) FROM to_regclass(%s) c", [f"variant_{number}"]
    ).fetchone()
    if row is None:
        raise LookupError(f"variant_{number}")
    return float(str(row[0])) / rows, float(str(row[1])) / rows


def print_results(all_: list[Variant], sizes: list[tuple[float, float]]) -> None:
    usual = Spread.of(all_[0].speed)
    print_table(
        f"variants of `events`, one connection's COPY in batches of 1000, {machine.describe()}",
        ("variant", "events/s", "ratio", "backend CPU us/event", "WAL B/event", "table B/event", "indexes B/event"),
        [
            (
                variant.name,
                f"{Spread.of(variant.speed):,.0f}",
                f"{ratio(Spread.of(variant.speed), usual):.2f}",
                f"{Spread.of(variant.cpu_us):.1f}",
                f"{Spread.of(variant.wal):,.0f}",
                *(f"{table:.0f}", f"{indexes:.0f}"),
            )
            for variant, (table, indexes) in zip(all_, sizes, strict=True)
        ],
    )
