"""Questions to the services that this one needs, each with a time limit.

A probe runs on a thread of its own: a server that accepts and never answers must not hold up
a health answer, least of all liveness.
"""

import logging
import socket
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Generic, TypeVar

from django.conf import settings
from django.db import DatabaseError, InterfaceError, connection
from django_redis import get_redis_connection
from redis.exceptions import RedisError

from analytics_project.monitoring import ledger, rollups
from analytics_project.monitoring.ledger import ConsumerState
from analytics_project.monitoring.rollups import RollupState
from events import partitions

logger = logging.getLogger(__name__)
Answer = TypeVar("Answer")


@dataclass(frozen=True)
class DatabaseAnswer:
    consumer: ConsumerState
    partitions_ahead: int
    rollups: RollupState


@dataclass
class Probe(Generic[Answer]):
    """Asks in the background and waits `health.check_timeout` at most; None means no answer."""

    name: str
    question: Callable[[], Answer]
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _pending: "Future[Answer] | None" = None

    def start(self) -> "Future[Answer]":
        """Ask, unless the last question is still without an answer."""
        with self._lock:
            if self._pending is None or self._pending.done():
                self._pending = Future()
                # A daemon: a question without an answer must not keep the process from ending.
                threading.Thread(target=self._ask, args=[self._pending], name=f"probe-{self.name}", daemon=True).start()
            return self._pending

    def _ask(self, answer: "Future[Answer]") -> None:
        try:
            answer.set_result(self.question())
        except BaseException as error:  # noqa: BLE001 - raised again where the answer is read
            answer.set_exception(error)

    def wait(self, asked: "Future[Answer]", seconds: float) -> Answer | None:
        try:
            return asked.result(max(0.0, seconds))
        except TimeoutError:
            logger.warning("%s did not answer in time", self.name)
        except (DatabaseError, InterfaceError, RedisError, OSError) as error:
            logger.warning("%s cannot be reached: %s", self.name, type(error).__name__)
        return None


def ask_database() -> DatabaseAnswer:
    # A new connection each time proves that one can be had; closing it leaves none idle on a dead thread.
    try:
        return DatabaseAnswer(
            consumer=ledger.summarise(ledger.kafka_partitions()),
            partitions_ahead=partitions.days_ahead(datetime.now(UTC).date()),
            rollups=rollups.look(),
        )
    finally:
        connection.close()


def ask_cache() -> bool:
    return bool(get_redis_connection("default").ping())


def ask_kafka() -> bool:
    return reach(settings.CONFIG.kafka.brokers)


def reach(addresses: Sequence[str]) -> bool:
    """Whether any of them accepts a connection."""
    failure: OSError | None = None
    for address in addresses:
        host, _, port = address.rpartition(":")
        try:
            with socket.create_connection((host.strip("[]"), int(port)), timeout=_seconds()):
                return True
        except OSError as error:
            failure = error
    raise failure or OSError("no address")


@dataclass(frozen=True)
class Answers:
    """What each service said; None: nothing."""

    database: DatabaseAnswer | None
    cache: bool | None
    kafka: bool | None


DATABASE = Probe("PostgreSQL", ask_database)
CACHE = Probe("Redis", ask_cache)
KAFKA = Probe("Kafka", ask_kafka)


def ask_all() -> Answers:
    """Ask all at once; the whole takes no longer than the slowest, or the time limit."""
    database, cache, kafka = DATABASE.start(), CACHE.start(), KAFKA.start()
    deadline = time.monotonic() + _seconds()
    return Answers(
        DATABASE.wait(database, deadline - time.monotonic()),
        CACHE.wait(cache, deadline - time.monotonic()),
        KAFKA.wait(kafka, deadline - time.monotonic()),
    )


def _seconds() -> float:
    timeout: timedelta = settings.CONFIG.health.check_timeout
    return timeout.total_seconds()
