"""The pipeline as it runs in production, on a test's own topics, consumer group and Redis database.

Nothing is faked: `consume_events` and a Celery worker run as processes against the test
database, and the ledger says when everything that was produced is dealt with.
"""

import os
import threading
from collections import Counter
from collections.abc import Callable, Iterable
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import NamedTuple
from uuid import uuid4

from django.db import OperationalError, connection
from kafka import KafkaProducer
from kafka.admin import KafkaAdminClient
from kafka.producer.future import RecordMetadata
from redis import Redis

from events import ledger
from tests import embedded
from tests.processes import Running, wait_until

REDIS_DB = 9
QUEUE = "b25:ingest"
WITHIN = 60.0
# The least that Apache Kafka takes by default; the embedded broker keeps a joining consumer waiting for half of it.
SESSION_TIMEOUT = "6s" if embedded.NAME.startswith("real") else "3s"


class Place(NamedTuple):
    topic: str
    partition: int


class Sent(NamedTuple):
    """A record as Kafka took it."""

    place: Place
    offset: int


class Pipeline:
    """Processes and topics of one test. `settings` are environment variables for the processes."""

    def __init__(self, folder: Path, *, topics: int = 1, partitions: int = 2, **settings: str) -> None:
        self.folder = folder
        name = uuid4().hex[:8]
        self.topics = [f"e2e-{name}-{number}" for number in range(topics)]
        self.partitions = partitions
        self.brokers = os.environ["KAFKA_BROKERS"].split(",")
        self.environment = os.environ | {
            "DB_NAME": str(connection.settings_dict["NAME"]),
            "REDIS_DB": str(REDIS_DB),
            "KAFKA_TOPICS": ",".join(self.topics),
            "KAFKA_CONSUMER_GROUP": f"group-{name}",
            "KAFKA_SESSION_TIMEOUT": SESSION_TIMEOUT,
            "LOG_FORMAT": "text",
            **settings,
        }
        self.environment.pop("PROMETHEUS_MULTIPROC_DIR", None)
        self.running: list[Running] = []
        self.ends: Counter[Place] = Counter()
        self._lock = threading.Lock()
        self.redis = Redis(os.environ["REDIS_HOST"], int(os.environ["REDIS_PORT"]), REDIS_DB)
        self.redis.flushdb()
        self.create_topics()
        self.producer = self.new_producer()

    def __enter__(self) -> "Pipeline":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for running in self.running:
            running.kill_group()
        self.producer.close(timeout=2)
        self.redis.close()

    # -- processes ------------------------------------------------------------------------------

    def consumer(self, **settings: str) -> Running:
        return self._start("consumer", ["manage.py", "consume_events"], settings)

    def worker(self, *, children: int = 2, **settings: str) -> Running:
        command = ["-m", "celery", "-A", "analytics_project", "worker", "--queues", "ingest"]
        command += ["--concurrency", str(children), "--hostname", f"{uuid4().hex[:8]}@%h"]
        return self._start("worker", [*command, "--without-gossip", "--without-mingle"], settings)

    def roller(self, **settings: str) -> Running:
        """A worker of the queue `rollup`, and the beat that wakes it, in one process."""
        command = ["-m", "celery", "-A", "analytics_project", "worker", "--queues", "rollup,maintenance", "--beat"]
        command += ["--concurrency", "2", "--hostname", f"{uuid4().hex[:8]}@%h"]
        command += ["--schedule", str(self.folder / "beat"), "--without-gossip", "--without-mingle"]
        return self._start("roller", command, settings)

    def _start(self, name: str, command: list[str], settings: dict[str, str]) -> Running:
        name = f"{name}{len(self.running)}"
        started = Running.start(name, command, self.environment | settings, self.folder / f"{name}.log")
        self.running.append(started)
        return started

    def logs(self) -> str:
        return "\n".join(running.tail() for running in self.running)

    # -- Kafka ----------------------------------------------------------------------------------

    def create_topics(self) -> None:
        admin = KafkaAdminClient(bootstrap_servers=self.brokers)
        wanted = {topic: {"num_partitions": self.partitions, "replication_factor": 1} for topic in self.topics}
        admin.create_topics(wanted, wait_for_metadata=True)
        admin.close()

    def reconnect(self) -> None:
        """A new producer, and the topics again, after a broker that keeps nothing was restarted."""
        self.producer.close(timeout=0)
        self.create_topics()
        self.producer = self.new_producer()
        self.ends.clear()

    def new_producer(self) -> KafkaProducer:
        return KafkaProducer(bootstrap_servers=self.brokers, linger_ms=5, batch_size=65_536, max_request_size=4_000_000)

    def send(self, values: Iterable[bytes | None], *, partition: int | None = None, topic: int = 0) -> list[Sent]:
        """Produce, spread over all Kafka partitions unless one is given, and wait until Kafka has it all."""
        futures = []
        for number, value in enumerate(values):
            to = number % self.partitions if partition is None else partition
            # A record without a value needs a key.
            key = b"tombstone" if value is None else None
            futures.append(self.producer.send(self.topics[topic], value, key=key, partition=to))
        self.producer.flush(timeout=60)
        return [self._sent(future.get(timeout=60)) for future in futures]

    def _sent(self, metadata: RecordMetadata) -> Sent:
        place = Place(metadata.topic, metadata.partition)
        with self._lock:
            self.ends[place] = max(self.ends[place], metadata.offset + 1)
        return Sent(place, metadata.offset)

    # -- waiting --------------------------------------------------------------------------------

    def wait(self, condition: Callable[[], object], what: str, *, seconds: float = WITHIN) -> float:
        def holds() -> object:
            assert not any(running.failed for running in self.running), f"a process ended\n{self.logs()}"
            return undisturbed(condition)

        return wait_until(
            holds,
            seconds=seconds,
            what=lambda: f"{what}\n{self.watermarks()} of {dict(self.ends)}\n{self.logs()}",
        )

    def watermarks(self) -> dict[Place, int]:
        return {
            Place(row.stretch.topic, row.stretch.partition): row.watermark
            for row in ledger.all_progress()
            if row.stretch.topic in self.topics
        }

    def wait_until_done(self, *, seconds: float = WITHIN) -> float:
        """Until each record that was sent is stored, a duplicate or refused."""
        return self.wait(lambda: dict(self.ends).items() <= self.watermarks().items(), "the ledger", seconds=seconds)

    def wait_until_reading(self) -> None:
        count = len(self.topics) * self.partitions
        self.wait(lambda: len(self.watermarks()) == count, "the consumer to take over its partitions")

    def wait_until_queued(self, batches: int) -> None:
        self.wait(lambda: self.queued() >= batches, f"{batches} batches in the queue")

    def queued(self) -> int:
        return int(self.redis.llen(QUEUE))


def undisturbed(condition: Callable[[], object]) -> object:
    """The condition, or False while PostgreSQL does not answer."""
    with suppress(OperationalError):
        return condition()
    connection.close()
    return False
