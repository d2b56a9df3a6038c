"""`store_kafka` in one process, without broker and queue: what each part of it takes."""

import time
from dataclasses import dataclass, field
from itertools import count
from uuid import uuid4

from django.db import transaction

from benchmarks import machine, raw_copy
from benchmarks.cli import Options
from benchmarks.figures import Spread, print_table, ratio
from benchmarks.pool import Pool
from benchmarks.stopwatch import Stopwatch
from events import accounting, copying, ledger, marks, store, wire
from events.records import Stretch

PARTS: dict[str, tuple[object, str]] = {
    "unpack": (wire, "unpack"),
    "prepare": (store, "prepare"),
    "claim": (ledger, "claim"),
    "lines": (copying, "row"),
    "COPY": (copying, "write"),
    "marks": (marks, "mark"),
    "figures": (accounting, "record"),
    "complete": (ledger, "complete"),
    "instruments": (accounting, "observe"),
    "begin, commit": (transaction.Atomic, "__exit__"),
}
BATCH = 1000


@dataclass
class Rounds:
    """The figures of one share of duplicates."""

    events_per_second: list[float] = field(default_factory=list)
    raw: list[float] = field(default_factory=list)
    cpu_us: list[float] = field(default_factory=list)


def run(options: Options, pool: Pool) -> None:
    feed = Feed(pool)
    feed.store(feed.batches(20_000))
    shares = (0.0, 0.5, 1.0)
    rounds = {share: Rounds() for share in shares}
    for _ in range(options.rounds):
        raw = raw_copy.events_per_second(pool.copy_lines(options.events))
        for share in shares:
            figures = rounds[share]
            figures.raw.append(raw)
            batches = feed.batches(options.events, duplicates=share)
            cpu, wall = time.process_time(), time.perf_counter()
            feed.store(batches)
            figures.events_per_second.append(options.events / (time.perf_counter() - wall))
            figures.cpu_us.append((time.process_time() - cpu) / options.events * 1e6)
    print_table(
        f"store_kafka, one process, batches of {BATCH}, {machine.describe()}",
        ("duplicates", "events/s", "of raw COPY, one connection", "CPU of Python, us/event"),
        [
            (
                f"{share:.0%}",
                f"{Spread.of(r.events_per_second):,.0f}",
                f"{ratio(Spread.of(r.events_per_second), Spread.of(r.raw)):.2f}",
                f"{Spread.of(r.cpu_us):.1f}",
            )
            for share, r in rounds.items()
        ],
    )
    print_breakdown(feed, options.events)


def print_breakdown(feed: "Feed", events: int) -> None:
    watch = Stopwatch()
    batches = feed.batches(events)
    with watch.watching(PARTS), watch.span("the rest"):
        feed.store(batches)
    total = sum(watch.seconds.values())
    print_table(
        "where the wall time of store_kafka goes (slowed by the watching of each line)",
        ("part", "us/event", "share"),
        [
            (part, f"{seconds / events * 1e6:.2f}", f"{seconds / total:.0%}")
            for part, seconds in sorted(watch.seconds.items(), key=lambda item: -item[1])
        ],
    )


class Feed:
    """Packed batches of a Kafka partition that only the ledger knows."""

    def __init__(self, pool: Pool) -> None:
        self.pool = pool
        self.stretch = Stretch("bench.store", 0, uuid4())
        self.offsets = count(step=BATCH)
        self.known = pool.envelopes(BATCH)
        ledger.open_entry(self.stretch, 0)
        self.store([self._pack(self.known)])

    def batches(self, events: int, duplicates: float = 0.0) -> list[bytes]:
        repeated = round(BATCH * duplicates)
        return [
            self._pack(self.known[:repeated] + self.pool.envelopes(BATCH - repeated)) for _ in range(events // BATCH)
        ]

    def _pack(self, values: list[bytes]) -> bytes:
        lo = next(self.offsets)
        hi = lo + len(values)
        now = time.time_ns() // 1_000_000
        return wire.pack(self.stretch, lo, hi, list(range(lo, hi)), [now] * len(values), [*values])

    def store(self, batches: list[bytes]) -> None:
        for packed in batches:
            store.store_kafka(wire.unpack(packed))
