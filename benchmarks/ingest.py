"""Kafka -> consumer -> Celery -> stored, against raw COPY of the same rows into the same table."""

import os
import time
from dataclasses import dataclass, field
from functools import partial
from uuid import uuid4

import psutil

from analytics_project.services import Instance
from benchmarks import machine, preload, programs, raw_copy, topics
from benchmarks.cli import Options
from benchmarks.figures import Spread, print_table, ratio, say
from benchmarks.place import INSTANCE
from benchmarks.pool import Pool

PARTITIONS = 4
WARM_UP = 20_000
STORED = "SELECT coalesce(sum(received), 0) FROM ingest_batches WHERE topic = %s"
PATIENCE = 300.0


@dataclass
class Figures:
    """Round by round."""

    pipeline: list[float] = field(default_factory=list)
    raw_one: list[float] = field(default_factory=list)
    raw_two: list[float] = field(default_factory=list)
    cpu: dict[str, list[float]] = field(default_factory=dict)
    foreign: list[float] = field(default_factory=list)
    memory: dict[str, float] = field(default_factory=dict)


def run(options: Options, pool: Pool) -> None:
    figures = Figures()
    with programs.running(programs.worker()) as worker:
        pipeline(pool, WARM_UP, worker, Figures())
        for number in range(options.rounds):
            say(f"round {number + 1} of {options.rounds}")
            figures.raw_one.append(raw_copy.events_per_second(pool.copy_lines(options.events), 1))
            pipeline(pool, options.events, worker, figures)
            figures.raw_two.append(raw_copy.events_per_second(pool.copy_lines(options.events), 2))
            preload.settle()
    print_results(figures, options)


def pipeline(pool: Pool, events: int, worker: psutil.Process, figures: Figures) -> None:
    """One round: fill a fresh topic, then let a new consumer loose on it."""
    topics.recycle()
    topic = f"bench.ingest.{uuid4().hex[:8]}"
    topics.create(topic, PARTITIONS)
    topics.fill(topic, pool.envelopes(events), PARTITIONS)
    # A group of its own: nobody waits for members of the last round to be missed.
    env = os.environ | {"KAFKA_CONSUMER_GROUP": topic}
    with programs.running(programs.manage("consume_events", "--topic", topic), env) as consumer:
        clock = machine.CpuClock(meters(consumer, worker))
        measure(topic, events, clock, figures, consumer)
        note_memory(consumer, worker, figures)
    topics.remove(topic)


def measure(topic: str, events: int, clock: machine.CpuClock, figures: Figures, consumer: psutil.Process) -> None:
    """From the first batch that is stored to the last."""
    first = wait_for(topic, 1, consumer)
    clock.start()
    wait_for(topic, events, consumer)
    clock.stop()
    counted = events - first
    figures.pipeline.append(counted / clock.wall)
    figures.foreign.append(clock.foreign_cores)
    for name, seconds in clock.used.items():
        figures.cpu.setdefault(name, []).append(seconds / counted * 1e6)


def wait_for(topic: str, events: int, consumer: psutil.Process) -> int:
    deadline = time.monotonic() + PATIENCE
    while (stored := preload.one(STORED, topic)) < events:
        if time.monotonic() > deadline or consumer.status() == psutil.STATUS_ZOMBIE:
            raise TimeoutError(f"{stored} of {events} events stored, and no more coming")
        time.sleep(0.02)
    return stored


def meters(consumer: psutil.Process, worker: psutil.Process) -> dict[str, machine.Meter]:
    services = {service.name: service.running() for service in Instance(INSTANCE).services}
    return {
        "consumer": partial(machine.cpu_seconds, consumer),
        "worker, parent": partial(machine.own_seconds, worker),
        "worker, two children": lambda: machine.cpu_seconds(worker) - machine.own_seconds(worker),
        **{name: partial(machine.cpu_seconds, process) for name, process in services.items()},
    }


def note_memory(consumer: psutil.Process, worker: psutil.Process, figures: Figures) -> None:
    named = {"consumer": consumer, "worker, parent": worker}
    named |= {f"worker {number}": child for number, child in enumerate(worker.children(), 1)}
    for name, process in named.items():
        figures.memory[name] = max(figures.memory.get(name, 0.0), machine.resident_mb(process))


def print_results(figures: Figures, options: Options) -> None:
    pipeline_, one, two = (Spread.of(v) for v in (figures.pipeline, figures.raw_one, figures.raw_two))
    print_table(
        f"ingest: {options.rounds} rounds of {options.events:,} events over {options.preloaded:,}"
        f" stored ones, {machine.describe()}, foreign load {Spread.of(figures.foreign):.2f} cores",
        ("what", "events/s", "ratio"),
        [
            ("raw COPY, one connection", f"{one:,.0f}", "1"),
            ("raw COPY, two connections", f"{two:,.0f}", f"{ratio(two, one):.2f}"),
            ("Kafka to stored, two workers", f"{pipeline_:,.0f}", f"{ratio(pipeline_, one):.2f}"),
            ("the same, of two connections", "", f"{ratio(pipeline_, two):.2f}"),
        ],
    )
    total = Spread(tuple(map(sum, zip(*figures.cpu.values(), strict=True))))
    print_table(
        "CPU seconds per million events, and resident memory",
        ("process", "CPU s", "MB"),
        [
            *((name, f"{Spread.of(values):.1f}", "") for name, values in figures.cpu.items()),
            ("all", f"{total:.1f}", ""),
            *((name, "", f"{megabytes:.0f}") for name, megabytes in figures.memory.items()),
        ],
    )
