"""One verdict on the service, for people, load balancers and probes."""

import threading
import time
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import Any

from django.conf import settings

from analytics_project.monitoring import probes
from analytics_project.monitoring.ledger import ConsumerState
from analytics_project.monitoring.probes import Answers
from analytics_project.monitoring.requests import RequestFigures

STARTED = time.monotonic()
FRESH = 1.0  # seconds; several probes a second cost one look
UNKNOWN = ConsumerState("unknown", 0, (), None)


@dataclass(frozen=True)
class Verdict:
    """`unhealthy`: nothing can be stored or read. `degraded`: something is missing, and said in `problems`."""

    status: str
    problems: tuple[str, ...]
    answers: Answers

    @property
    def ready(self) -> bool:
        return self.status != "unhealthy"

    def body(self, *, requests: RequestFigures | None) -> dict[str, Any]:
        """`requests` is None in a process that answers no requests of users."""
        database = self.answers.database
        consumer = asdict(database.consumer if database else UNKNOWN)
        if database is None:
            consumer["lag"] = None
        return {
            "status": self.status,
            "timestamp": datetime.now(UTC),
            "service": "analytics",
            "database": _connected(self.answers.database),
            "cache": _connected(self.answers.cache),
            "kafka": _connected(self.answers.kafka),
            "consumer": consumer,
            "partitions_ahead": database.partitions_ahead if database else None,
            "rollups_behind": database.rollups.behind if database else None,
            "problems": self.problems,
            "uptime": round(time.monotonic() - STARTED, 3),
            "requestCount": requests and requests.count,
            "errorRate": requests and requests.error_rate,
            "latency": {name: requests and getattr(requests, name) for name in ("p50", "p95", "p99")},
        }


def judge(answers: Answers) -> Verdict:
    problems = []
    if answers.database is None:
        problems.append("PostgreSQL does not answer: nothing can be stored or read")
    if answers.cache is None:
        problems.append("Redis does not answer: Kafka records wait in Kafka, HTTP events are stored")
    if answers.kafka is None:
        problems.append("Kafka does not answer: no records arrive from it, HTTP events are stored")
    if answers.database is not None:
        problems += _of_consumer(answers.database.consumer)
        if answers.database.partitions_ahead < 1:
            problems.append("no partition for tomorrow: is beat running, and the maintenance worker?")
        problems += answers.database.rollups.problems
    status = "unhealthy" if answers.database is None else "degraded" if problems else "healthy"
    return Verdict(status, tuple(problems), answers)


def _of_consumer(consumer: ConsumerState) -> list[str]:
    problems = []
    if consumer.stopped:
        problems.append(f"reading is stopped for {', '.join(consumer.stopped)}: see ledger entries in the admin")
    if consumer.status == "stale":
        problems.append("the consumer gave no sign of life for a minute: is consume_events running?")
    if consumer.lag > settings.CONFIG.health.max_lag:
        problems.append(f"the consumer is {consumer.lag} records behind")
    return problems


def _connected(answer: object) -> str:
    return "disconnected" if answer is None else "connected"


class _Remembered:
    """The last verdict, for as long as it is fresh; one caller looks while the others wait for it."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._verdict: Verdict | None = None
        self._until = 0.0

    def get(self) -> Verdict:
        with self._lock:
            if self._verdict is None or time.monotonic() >= self._until:
                self._verdict = judge(probes.ask_all())
                self._until = time.monotonic() + FRESH
            return self._verdict

    def at_once(self) -> Verdict:
        """The last verdict; if it is not fresh, the next caller gets a newer one. Only the first waits."""
        last = self._verdict
        if last is None:
            return self.get()
        if time.monotonic() >= self._until:
            threading.Thread(target=self.get, name="health", daemon=True).start()
        return last

    def forget(self) -> None:
        with self._lock:
            self._verdict = None


_remembered = _Remembered()


def verdict() -> Verdict:
    return _remembered.get()


def verdict_at_once() -> Verdict:
    """For liveness, which must not wait for a database that hangs."""
    return _remembered.at_once()


def forget() -> None:
    """Make the next verdict a new one; for tests."""
    _remembered.forget()
