"""Dropping a day of many events while others are written: the work of it, and how long writers wait.

The day was closed, as it is in production, and counts as rolled up. Writers store batches by the one write path, all
the time; their slowest batch while retention is at work is compared with the slowest in the seconds before.
"""

import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import psutil
from django.conf import settings
from django.db import connection

from analytics_project.lib import partitioned
from benchmarks import machine, preload, raw_copy
from benchmarks.cli import Options
from benchmarks.figures import Spread, percentile, print_table, say
from benchmarks.pool import Pool
from benchmarks.stopwatch import Stopwatch
from events import closing, partitions
from events.store import store_http
from metrics import retention
from metrics.models import RollupProgress
from metrics.retention import holding

PARTS: dict[str, tuple[object, str]] = {
    "seal": (holding, "seal"),
    "detach": (partitioned, "detach"),
    "drop": (partitioned, "drop"),
    "ANALYZE of rollups": (partitioned, "analyze"),
}
WRITERS = 2
BATCH = 100
BEFORE = 10.0  # seconds of writing without retention, for each round


@dataclass
class Writes:
    """When each batch began, and how many milliseconds it took."""

    batches: list[tuple[float, float]] = field(default_factory=list)

    def between(self, began: float, ended: float) -> list[float]:
        """Of the batches that were on their way at any time within."""
        return [took for start, took in self.batches if start < ended and start + took / 1000 > began]


@dataclass
class Round:
    seconds: dict[str, float]
    total: float
    cpu: float
    before: list[float]
    during: list[float]


def run(options: Options, pool: Pool) -> None:
    kept = settings.CONFIG.analytics.retention.raw_events
    day, _ = partitions.bounds_of((datetime.now(UTC) - kept - timedelta(days=3)).date())
    rounds = []
    for number in range(options.rounds):
        say(f"round {number + 1} of {options.rounds}: storing and closing a day of {options.dropped:,} events")
        fill(day, options.dropped, pool)
        rounds.append(measure(pool))
    print_rounds(rounds, options)


def fill(day: datetime, events: int, pool: Pool) -> None:
    """A closed day of so many events that counts as rolled up."""
    partitions.create(day.date())
    source = sharing(pool, Pool(seed=events, start=day, per_second=events / 80_000))
    for done in range(0, events, preload.PORTION):
        lines = source.copy_lines(min(preload.PORTION, events - done))
        raw_copy.copy_all(raw_copy.buffers(lines, size=10_000))
    closing.close_day(day.date())
    RollupProgress.objects.update_or_create(interval="1m", defaults={"complete_until": datetime.now(UTC)})


def measure(pool: Pool) -> Round:
    plan = retention.plan()
    say(str(plan))
    watch = Stopwatch()
    with writing(pool) as writes:
        time.sleep(BEFORE)
        began, cpu = time.perf_counter(), cpu_seconds()
        with watch.watching(PARTS):
            done = retention.apply(plan)
        ended, cpu = time.perf_counter(), cpu_seconds() - cpu
        time.sleep(0.5)
    assert len(done.dropped) == 1, str(done)
    during = writes.between(began, ended)
    return Round(dict(watch.seconds), ended - began, cpu, writes.between(began - BEFORE + 1, began), during)


def cpu_seconds() -> float:
    """Of this thread and, where it is on this machine, of its backend; the rest of the time is waiting for the disk."""
    backend = connection.connection.info.backend_pid
    return time.thread_time() + (machine.own_seconds(psutil.Process(backend)) if psutil.pid_exists(backend) else 0.0)


@contextmanager
def writing(pool: Pool) -> Iterator[Writes]:
    """Threads that store batches without a pause, each on a connection of its own."""
    writes, stop = Writes(), threading.Event()

    def write(source: Pool) -> None:
        try:
            while not stop.is_set():
                bodies = source.envelopes(BATCH)
                began = time.perf_counter()
                store_http(bodies)
                writes.batches.append((began, (time.perf_counter() - began) * 1000))
        finally:
            connection.close()

    with ThreadPoolExecutor(WRITERS) as threads:
        seed = time.time_ns()
        running = [threads.submit(write, sharing(pool, Pool(seed=seed + number))) for number in range(WRITERS)]
        try:
            yield writes
        finally:
            stop.set()
        for thread in running:
            thread.result()


def sharing(pool: Pool, other: Pool) -> Pool:
    """Another pool with the samples of this one, which take long to make."""
    other.samples = pool.samples
    return other


def print_rounds(rounds: list[Round], options: Options) -> None:
    print_table(
        f"retention: a day of {options.dropped:,} events dropped, {machine.describe()}",
        ("step", "ms"),
        [
            *((part, f"{Spread.of(r.seconds.get(part, 0.0) * 1000 for r in rounds):.0f}") for part in PARTS),
            ("all", f"{Spread.of(r.total * 1000 for r in rounds):.0f}"),
            ("of it CPU", f"{Spread.of(r.cpu * 1000 for r in rounds):.0f}"),
        ],
    )
    print_table(
        f"meanwhile: {WRITERS} writers, batches of {BATCH}, ms a batch",
        ("", "batches", "p50", "p99", "longest"),
        [
            cells("in the seconds before", [r.before for r in rounds]),
            cells("while retention was at work", [r.during for r in rounds]),
        ],
    )


def cells(name: str, rounds: list[list[float]]) -> tuple[str, ...]:
    return (
        name,
        f"{sum(map(len, rounds)):,}",
        f"{Spread.of(percentile(times, 0.5) for times in rounds):.1f}",
        f"{Spread.of(percentile(times, 0.99) for times in rounds):.1f}",
        f"{Spread.of(map(max, rounds)):.1f}",
    )
