"""A steady load for a long time: does the memory of any process grow?"""

import os
import threading
import time
from collections.abc import Sequence
from uuid import uuid4

import psutil

from benchmarks import machine, programs, topics
from benchmarks.cli import Options
from benchmarks.figures import print_table, say
from benchmarks.pool import Pool

RATE = 2_000
SAMPLE_SECONDS = 10
PARTITIONS = 4
Samples = dict[str, list[tuple[float, float]]]


def run(options: Options, pool: Pool) -> None:
    seconds = options.soak.total_seconds()
    if not seconds:
        say("soak: only with --soak, e.g. --soak 30m")
        return
    topic = f"bench.soak.{uuid4().hex[:8]}"
    topics.create(topic, PARTITIONS)
    env = os.environ | {"KAFKA_CONSUMER_GROUP": topic}
    with (
        programs.running(programs.worker()) as worker,
        programs.running(programs.manage("consume_events", "--topic", topic), env) as consumer,
    ):
        producer = threading.Thread(target=produce, args=(pool, topic, seconds), daemon=True)
        producer.start()
        samples = watch(consumer, worker, seconds)
        producer.join()
    print_results(samples, seconds)


def produce(pool: Pool, topic: str, seconds: float) -> None:
    sender = topics.producer()
    began = time.monotonic()
    for step in range(int(seconds * 10)):
        for number, value in enumerate(pool.envelopes(RATE // 10)):
            sender.send(topic, value, partition=number % PARTITIONS)
        time.sleep(max(0.0, began + (step + 1) / 10 - time.monotonic()))
    sender.flush()
    sender.close()


def watch(consumer: psutil.Process, worker: psutil.Process, seconds: float) -> Samples:
    samples: Samples = {}
    began = time.monotonic()
    while (elapsed := time.monotonic() - began) < seconds:
        # First the wait: a program that is still starting would look like one that grows.
        time.sleep(SAMPLE_SECONDS)
        named = {"consumer": consumer, "worker, parent": worker}
        named |= {f"worker {child.pid}": child for child in worker.children()}
        for name, process in named.items():
            samples.setdefault(name, []).append((elapsed, machine.resident_mb(process)))
    return samples


def print_results(samples: Samples, seconds: float) -> None:
    print_table(
        f"soak: {RATE:,} events/s for {seconds / 60:.0f} minutes, {machine.describe()}",
        ("process", "MB at first", "MB at last", "most", "MB/h in the second half"),
        [
            (
                name,
                *(f"{values[0][1]:.0f}", f"{values[-1][1]:.0f}", f"{max(mb for _, mb in values):.0f}"),
                f"{slope(values[len(values) // 2 :]) * 3600:+.1f}",
            )
            for name, values in samples.items()
        ],
    )


def slope(values: Sequence[tuple[float, float]]) -> float:
    """By least squares, per second."""
    if len(values) < 2:
        return 0.0
    middle_x = sum(x for x, _ in values) / len(values)
    middle_y = sum(y for _, y in values) / len(values)
    spread = sum((x - middle_x) ** 2 for x, _ in values)
    return sum((x - middle_x) * (y - middle_y) for x, y in values) / spread
