"""Health against the real services, with each of them away once."""

import threading
import time
from datetime import UTC, datetime, timedelta

import pytest
from django.test import Client

from analytics_project.monitoring import health, ledger, probes
from analytics_project.monitoring.ledger import ConsumerState, KafkaPartition
from analytics_project.monitoring.probes import Answers, DatabaseAnswer, Probe
from analytics_project.monitoring.rollups import RollupState

RUNNING = ConsumerState("running", 5, (), datetime(2026, 1, 1, tzinfo=UTC))
DONE = RollupState({"1m": 70.0, "1d": 70.0}, {})
FINE = Answers(DatabaseAnswer(RUNNING, 7, DONE), cache=True, kafka=True)


@pytest.fixture(autouse=True)
def fresh() -> None:
    health.forget()


# The verdict, from answers alone.


def test_all_there_is_healthy() -> None:
    assert (health.judge(FINE).status, health.judge(FINE).problems) == ("healthy", ())


@pytest.mark.parametrize(
    ("answers", "status", "problem"),
    [
        (Answers(None, True, True), "unhealthy", "PostgreSQL"),
        (Answers(FINE.database, None, True), "degraded", "Redis"),
        (Answers(FINE.database, True, None), "degraded", "Kafka"),
        (Answers(DatabaseAnswer(RUNNING, 0, DONE), True, True), "degraded", "partition"),
        (
            Answers(DatabaseAnswer(RUNNING, 7, RollupState({"1m": 9.0, "1h": 400.0}, {})), True, True),
            "degraded",
            "(1h)",
        ),
        (Answers(DatabaseAnswer(ConsumerState("stopped", 0, ("a/1",), None), 7, DONE), True, True), "degraded", "a/1"),
        (Answers(DatabaseAnswer(ConsumerState("stale", 0, (), None), 7, DONE), True, True), "degraded", "sign of life"),
        (Answers(DatabaseAnswer(ConsumerState("running", 10**9, (), None), 7, DONE), True, True), "degraded", "behind"),
    ],
)
def test_what_is_missing_is_said(answers: Answers, status: str, problem: str) -> None:
    verdict = health.judge(answers)

    assert verdict.status == status
    assert problem in verdict.problems[0]


def test_a_service_that_never_consumed_is_not_blamed_for_it() -> None:
    absent = Answers(DatabaseAnswer(ConsumerState("absent", 0, (), None), 7, DONE), True, True)

    assert health.judge(absent).status == "healthy"


def test_lag_is_summed_over_partitions() -> None:
    now = datetime.now(UTC)
    partitions = [KafkaPartition("a", 0, 10, 5, "", now), KafkaPartition("a", 1, 10, 7, "", now)]

    assert ledger.summarise(partitions, now) == ConsumerState("running", 12, (), now)
    assert ledger.summarise(partitions, now + timedelta(minutes=2)).status == "stale"


# The routes, with the real services.


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("path", ["/health", "/healthz", "/ready"])
def test_health_is_answered_on_the_api_port(client: Client, path: str) -> None:
    response = client.get(path)

    body = response.json()
    assert response.status_code == 200
    assert [body[name] for name in ("service", "database", "cache", "kafka")] == ["analytics"] + ["connected"] * 3
    assert {"status", "timestamp", "consumer", "uptime", "requestCount", "errorRate", "latency"} <= set(body)


@pytest.mark.parametrize(("path", "status"), [("/health", 503), ("/ready", 503), ("/healthz", 200)])
def test_without_the_database_only_liveness_stays(client: Client, database_gone: None, path: str, status: int) -> None:
    response = client.get(path)

    assert response.status_code == status
    assert response.json()["status"] == "unhealthy"
    assert response.json()["database"] == "disconnected"
    assert response.json()["consumer"]["lag"] is None


@pytest.mark.django_db(transaction=True)
def test_without_redis_or_kafka_the_service_is_degraded(
    client: Client, nowhere: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(probes, "KAFKA", Probe("Kafka", lambda: probes.reach([nowhere])))
    monkeypatch.setattr(probes, "CACHE", Probe("Redis", lambda: probes.reach([nowhere])))

    response = client.get("/health")

    assert (response.status_code, response.json()["status"]) == (200, "degraded")
    assert (response.json()["kafka"], response.json()["cache"]) == ("disconnected", "disconnected")


def test_a_service_that_accepts_and_never_answers_holds_up_nobody() -> None:
    release = threading.Event()
    probe = Probe("sleeper", lambda: release.wait(30))

    assert probe.wait(probe.start(), 0.05) is None
    assert probe.start() is probe.start()  # still waiting for the first answer: not asked again
    release.set()
    assert probe.wait(probe.start(), 5) is True


@pytest.mark.django_db(transaction=True)
def test_verdicts_are_shared_for_a_second() -> None:
    first = health.verdict()

    assert health.verdict() is first
    health.forget()
    assert health.verdict() is not first


def test_services_that_all_hang_are_waited_for_together(monkeypatch: pytest.MonkeyPatch) -> None:
    release = threading.Event()
    for name in ("DATABASE", "CACHE", "KAFKA"):
        monkeypatch.setattr(probes, name, Probe(name, lambda: release.wait(30)))
    started = time.monotonic()

    verdict = health.verdict()

    release.set()
    assert verdict.status == "unhealthy"
    assert time.monotonic() - started < 4  # one check_timeout, not three
