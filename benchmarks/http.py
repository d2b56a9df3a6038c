"""POST of single events and of batches, against what PostgreSQL alone makes of the same."""

import threading
import time
from dataclasses import dataclass, field
from functools import partial

from benchmarks import machine, raw_copy, web
from benchmarks.cli import Options
from benchmarks.figures import Spread, percentile, print_table, ratio
from benchmarks.pool import Pool

BATCH = 500
BATCH_CONNECTIONS = 4
SINGLE_CONNECTIONS = 8
SINGLES = 4_000
INSERT = "INSERT INTO events (id, \"timestamp\", project_id, event_type, properties) VALUES (%s, %s, 1, 'bench', '{}')"


@dataclass
class Figures:
    """Round by round; latencies in milliseconds."""

    batches: list[float] = field(default_factory=list)
    raw: list[float] = field(default_factory=list)
    p50: list[float] = field(default_factory=list)
    p99: list[float] = field(default_factory=list)
    insert_p50: list[float] = field(default_factory=list)
    insert_p99: list[float] = field(default_factory=list)
    per_second: list[float] = field(default_factory=list)
    foreign: list[float] = field(default_factory=list)
    cpu_per_event: list[float] = field(default_factory=list)
    cpu_per_single: list[float] = field(default_factory=list)


def run(options: Options, pool: Pool) -> None:
    figures = Figures()
    with web.serving() as (port, server):
        measure_batches(port, pool, 20 * BATCH, Figures())
        measure_singles(port, pool, Figures())
        clock = machine.CpuClock({"web": partial(machine.cpu_seconds, server)})
        for _ in range(options.rounds):
            figures.raw.append(raw_copy.events_per_second(pool.copy_lines(options.events // 2)))
            clock.start()
            measure_batches(port, pool, options.events // 2, figures)
            clock.stop()
            figures.foreign.append(clock.foreign_cores)
            figures.cpu_per_event.append(clock.used["web"] / (options.events // 2) * 1e6)
            measure_inserts(pool, figures)
            clock.start()
            measure_singles(port, pool, figures)
            clock.stop()
            figures.cpu_per_single.append(clock.used["web"] / SINGLES * 1e6)
    print_results(figures)


def measure_batches(port: int, pool: Pool, events: int, figures: Figures) -> None:
    bodies = [b"[" + b",".join(pool.envelopes(BATCH)) + b"]" for _ in range(events // BATCH)]
    wall, _ = web.load(port, "/api/v1/events/batch", BATCH_CONNECTIONS, bodies)
    figures.batches.append(len(bodies) * BATCH / wall)


def measure_singles(port: int, pool: Pool, figures: Figures) -> None:
    wall, seconds = web.load(port, "/api/v1/events", SINGLE_CONNECTIONS, pool.envelopes(SINGLES))
    figures.per_second.append(SINGLES / wall)
    figures.p50.append(percentile(seconds, 0.5) * 1000)
    figures.p99.append(percentile(seconds, 0.99) * 1000)


def measure_inserts(pool: Pool, figures: Figures) -> None:
    """The reference for single events: INSERT and commit of one row on as many connections."""
    seconds: list[float] = []

    def insert(keys: list[list[str]]) -> None:
        with raw_copy.connect() as connection:
            for key in keys:
                began = time.perf_counter()
                connection.execute(INSERT, key)
                seconds.append(time.perf_counter() - began)

    keys = [[id_, time_] for id_, time_, _ in pool.take(SINGLES)]
    threads = [
        threading.Thread(target=insert, args=(keys[number::SINGLE_CONNECTIONS],))
        for number in range(SINGLE_CONNECTIONS)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    figures.insert_p50.append(percentile(seconds, 0.5) * 1000)
    figures.insert_p99.append(percentile(seconds, 0.99) * 1000)


def print_results(figures: Figures) -> None:
    batches, raw = Spread.of(figures.batches), Spread.of(figures.raw)
    print_table(
        f"http, {machine.describe()}, PostgreSQL, client and others {Spread.of(figures.foreign):.2f} cores",
        ("what", "figure", "reference", "ratio"),
        [
            (
                f"POST /events/batch, {BATCH} events, {BATCH_CONNECTIONS} connections: events/s",
                *(f"{batches:,.0f}", f"raw COPY {raw:,.0f}", f"{ratio(batches, raw):.2f}"),
            ),
            latencies("p50", figures.p50, figures.insert_p50),
            latencies("p99", figures.p99, figures.insert_p99),
            ("POST /events: requests/s", f"{Spread.of(figures.per_second):,.0f}", "", ""),
            ("CPU of the web server, us/event of a batch", f"{Spread.of(figures.cpu_per_event):.0f}", "", ""),
            ("CPU of the web server, us/request of POST /events", f"{Spread.of(figures.cpu_per_single):.0f}", "", ""),
        ],
    )


def latencies(name: str, api: list[float], insert: list[float]) -> tuple[str, str, str, str]:
    ours, theirs = Spread.of(api), Spread.of(insert)
    return (
        f"POST /events, {SINGLE_CONNECTIONS} connections: {name}, ms",
        *(f"{ours:.1f}", f"INSERT {theirs:.1f}", f"{ratio(ours, theirs):.1f}"),
    )
