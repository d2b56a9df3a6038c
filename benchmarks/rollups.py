"""Rolling up: what an event costs, whether that grows with what is stored, and how late events heal.

For the cost of an event the engine runs in this process; that is its CPU time and that of its PostgreSQL backend,
from the marks of whole minutes at 20,000 events/s to the last interval. Late events are healed by two engines.
"""

import os
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import psutil
from django.db import connection

from benchmarks import machine, raw_copy
from benchmarks.cli import Options
from benchmarks.figures import Spread, print_table, say
from benchmarks.pool import Pool
from events import partitions
from metrics.rollups import engine

RATE = 20_000
MINUTES = 2
LATE = 1_000_000
LATE_DAYS = 60
# As the maintenance worker has children.
ENGINES = 2
PIECE = 100_000
MARK_ALL = """
INSERT INTO touched_buckets (project_id, event_type, bucket)
SELECT DISTINCT project_id, event_type, date_trunc('minute', "timestamp") FROM events
WHERE "timestamp" >= %s AND "timestamp" < %s
"""
# As batches leave them: each batch of a thousand late events marks nearly a thousand minutes.
MARK_LATE = """
INSERT INTO touched_buckets (project_id, event_type, bucket)
SELECT project_id, event_type, date_trunc('minute', "timestamp") FROM events
WHERE created_at >= %s
"""


@dataclass
class Figures:
    cpu: list[float] = field(default_factory=list)
    wall: list[float] = field(default_factory=list)
    foreign: list[float] = field(default_factory=list)


def run(options: Options, pool: Pool) -> None:
    few, many = Figures(), Figures()
    start = datetime.now(UTC).replace(second=0, microsecond=0) - timedelta(days=3)
    for number in range(options.rounds):
        say(f"round {number + 1} of {options.rounds}")
        keep_pace(start + timedelta(minutes=10 * number), few)
    say(f"storing {options.reads:,} events more")
    spread(options.reads, timedelta(days=30))
    for number in range(options.rounds):
        keep_pace(start + timedelta(hours=2, minutes=10 * number), many)
    print_pace(few, many, options)
    heal()


def keep_pace(start: datetime, figures: Figures) -> None:
    """Store whole minutes at RATE, then roll them up."""
    pool = Pool(start=start, per_second=RATE)
    events = RATE * 60 * MINUTES
    partitions.ensure([start.date(), (start + timedelta(hours=1)).date()])
    for _ in range(events // PIECE):
        raw_copy.copy_all(raw_copy.buffers(pool.copy_lines(PIECE), size=10_000))
    end = start + timedelta(minutes=MINUTES + 1)
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE events")
        cursor.execute(MARK_ALL, [start, end])
    clock = machine.CpuClock({"backend": backend_seconds})
    clock.start()
    engine.roll_up(seconds=600)
    clock.stop()
    figures.cpu.append(sum(clock.used.values()) / events * 1e6)
    figures.wall.append(clock.wall / (MINUTES * 60))
    figures.foreign.append(clock.foreign_cores)


def backend_seconds() -> float:
    """CPU time of the PostgreSQL backend that this process talks to; its parallel helpers are waited for by it."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_backend_pid()")
        return machine.cpu_seconds(psutil.Process(cursor.fetchone()[0]))


def spread(events: int, over: timedelta) -> None:
    """Store events evenly over the days before yesterday, unmarked."""
    pool = Pool(start=datetime.now(UTC) - over - timedelta(days=1), per_second=events / over.total_seconds())
    partitions.ensure(days_of(over))
    for done in range(0, events, PIECE):
        raw_copy.copy_all(raw_copy.buffers(pool.copy_lines(min(PIECE, events - done)), size=10_000))
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE events")


def days_of(over: timedelta) -> Iterator[datetime]:
    first = datetime.now(UTC) - over - timedelta(days=1)
    return (
        (first + timedelta(days=number)).date()  # type: ignore[misc]
        for number in range(over.days + 3)
    )


def print_pace(few: Figures, many: Figures, options: Options) -> None:
    cost, later = Spread.of(few.cpu), Spread.of(many.cpu)
    cores = os.cpu_count() or 1
    print_table(
        f"rollups: minutes of {RATE:,} events/s, foreign load {Spread.of(few.foreign + many.foreign):.2f} cores",
        ("what", "figure"),
        [
            ("CPU of engine and PostgreSQL, us/event", f"{cost:.1f}"),
            (f"the same with {options.reads:,} more stored", f"{later:.1f}"),
            (
                "share of the machine at this rate",
                f"{Spread.of([c * RATE / 1e6 / cores * 100 for c in few.cpu]):.1f} %",
            ),
            ("seconds for a second of events", f"{Spread.of(few.wall):.3f}"),
        ],
    )


def heal() -> None:
    """A million late events over sixty days: how long until the last interval has them, and in how much memory."""
    say(f"{LATE:,} late events over {LATE_DAYS} days")
    over, before = timedelta(days=LATE_DAYS), datetime.now(UTC)
    spread(LATE, over)
    with connection.cursor() as cursor:
        cursor.execute(MARK_LATE, [before])
        marks = cursor.rowcount
    began, most = time.monotonic(), 0.0
    engines = [psutil.Popen([sys.executable, "-m", "benchmarks.roller"]) for _ in range(ENGINES)]
    while running := [process for process in engines if process.poll() is None]:
        most = max(most, *(machine.resident_mb(process) for process in running))
        time.sleep(0.2)
    print_table(
        f"late events: {LATE:,} over {LATE_DAYS} days, {marks:,} marks",
        ("what", "figure"),
        [
            ("seconds until all is healed", f"{time.monotonic() - began:.0f}"),
            ("memory of each of two engines, MB", f"{most:.0f}"),
        ],
    )
