"""Produced -> answered by the API, under a steady load."""

import json
import os
import threading
import time
from datetime import UTC, datetime, timedelta
from uuid import uuid4

from benchmarks import machine, programs, topics, web
from benchmarks.cli import Options
from benchmarks.client import Connection
from benchmarks.figures import Spread, percentile, print_table
from benchmarks.pool import Pool
from events.simulation.identity import uuid7

RATE = 2_000
PROBE_EVERY = 40
SECONDS = 20
WARM_UP_SECONDS = 4
POLL_SECONDS = 0.01
PARTITIONS = 4


def run(options: Options, pool: Pool) -> None:
    rounds = [measure(pool) for _ in range(options.rounds)]
    print_table(
        f"latency: {RATE:,} events/s through Kafka, asked for every {POLL_SECONDS * 1000:.0f} ms, "
        f"{sum(len(r) for r in rounds):,} probes, {machine.describe()}",
        ("produced -> answered by GET /api/v1/events", "ms"),
        [
            (name, f"{Spread.of(percentile(r, share) * 1000 for r in rounds):.0f}")
            for name, share in (("p50", 0.5), ("p95", 0.95), ("p99", 0.99), ("max", 1.0))
        ],
    )


def measure(pool: Pool) -> list[float]:
    """Seconds of each probe of one round."""
    topic = f"bench.latency.{uuid4().hex[:8]}"
    topics.recycle()
    topics.create(topic, PARTITIONS)
    env = os.environ | {"KAFKA_CONSUMER_GROUP": topic}
    with (
        programs.running(programs.worker()),
        programs.running(programs.manage("consume_events", "--topic", topic), env),
        web.serving() as (port, _),
    ):
        probes = Probes(pool, topic)
        producer = threading.Thread(target=probes.produce, args=(SECONDS,))
        producer.start()
        probes.watch(port)
        producer.join()
    topics.remove(topic)
    return probes.seconds()


class Probes:
    """Every so many events one is a probe, recognised by its user."""

    def __init__(self, pool: Pool, topic: str) -> None:
        self.pool = pool
        self.topic = topic
        self.user = topic
        self.sent: dict[str, float] = {}
        self.seen: dict[str, float] = {}
        self.done = False

    def produce(self, seconds: int) -> None:
        sender = topics.producer(linger_ms=5)
        began = time.perf_counter()
        # The first seconds are for the group to form; what they probe is not counted.
        for number in range(RATE * (WARM_UP_SECONDS + seconds)):
            if number % 20 == 0:
                time.sleep(max(0.0, began + number / RATE - time.perf_counter()))
            probing = number % PROBE_EVERY == 0
            value = self._probe(counted=number > RATE * WARM_UP_SECONDS) if probing else self.pool.envelopes(1)[0]
            sender.send(self.topic, value, partition=number % PARTITIONS)
        sender.flush()
        sender.close()
        self.done = True

    def _probe(self, *, counted: bool) -> bytes:
        now = datetime.now(UTC)
        id_ = uuid7(round(now.timestamp() * 1e6), self.pool.random)
        if counted:
            self.sent[id_] = time.perf_counter()
        event = {"id": id_, "event_type": "bench.probe", "user_id": self.user, "timestamp": now.isoformat()}
        return json.dumps(event | {"properties": {"padding": "x" * 200}}).encode()

    def watch(self, port: int) -> None:
        """Ask for the newest probes until all have been answered."""
        connection = Connection(port)
        deadline = time.monotonic() + 120
        while not (self.done and len(self.seen) == len(self.sent)):
            if time.monotonic() > deadline:
                raise TimeoutError(f"{len(self.sent) - len(self.seen)} of {len(self.sent)} probes never came")
            start = (datetime.now(UTC) - timedelta(minutes=5)).isoformat()
            answer = json.loads(connection.get("/api/v1/events", user_id=self.user, limit=200, start_time=start))
            now = time.perf_counter()
            for event in answer["events"]:
                if event["id"] in self.sent:
                    self.seen.setdefault(event["id"], now)
            time.sleep(POLL_SECONDS)

    def seconds(self) -> list[float]:
        return [self.seen[id_] - sent for id_, sent in self.sent.items()]
