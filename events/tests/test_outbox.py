"""The outbox against real brokers: one that is there, one that is not, one that comes back empty."""

import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from django.conf import settings

from analytics_project.services import Instance, Service, ports
from events.kafka import quieten_client
from events.kafka.outbox import Outbox
from events.kafka.outgoing import Outgoing
from events.kafka.topics import connect, ensure_topics
from events.tests.broker import new_topic, records_of


@pytest.fixture
def broker(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Service]:
    """An embedded broker of its own, to be stopped and started."""
    monkeypatch.setenv("SERVICES_DIR", str(tmp_path))
    instance = Instance("outbox")
    service = instance["kafka"]
    with instance.folder.locked(print):
        service.start(print)
        yield service
        service.stop()


@pytest.fixture
def told() -> list[str]:
    return []


def records(topic: str, count: int, start: int = 0) -> list[Outgoing]:
    return [
        Outgoing(topic, f"key-{number % 7}".encode(), str(number).encode()) for number in range(start, start + count)
    ]


def test_everything_arrives_in_order_of_its_key(told: list[str]) -> None:
    topic = new_topic()
    outbox = Outbox(settings.CONFIG.kafka.brokers, report=told.append)

    assert all(outbox.send(record) for record in records(topic, 5000))
    assert outbox.flush(30) == 0
    outbox.close()

    found = records_of(topic, 5000)
    assert (outbox.acknowledged, told) == (5000, [])
    for key in range(7):
        values = [int(value) for _, name, value in found if name == f"key-{key}".encode()]
        assert values == list(range(key, 5000, 7))


@pytest.mark.slow
def test_a_broker_that_comes_back_empty_gets_what_it_missed(broker: Service, told: list[str]) -> None:
    quieten_client()
    brokers = [f"127.0.0.1:{broker.port()}"]
    with connect(brokers, timeout=10, report=told.append) as admin:
        ensure_topics(admin, ["market.data"])
    outbox = Outbox(brokers, report=told.append)
    outbox.send(records("market.data", 1)[0])
    assert outbox.flush(10) == 0

    broker.stop()
    for record in records("market.data", 100, start=1):
        outbox.send(record)
    assert outbox.flush(5) == 100
    broker.start(told.append)
    assert outbox.flush(60) == 0
    outbox.close()

    found = [int(value) for _, _, value in records_of("market.data", 100, brokers)]
    assert sorted(found) == list(range(1, 101))
    assert [line.split(" at ")[0] for line in told if line.startswith(("Kafka does", "Kafka answers", "Created"))] == [
        "Kafka does not answer",
        "Created market.data: the broker did not have them",
        "Kafka answers again",
    ]
    with connect(brokers, timeout=10, report=told.append) as admin:
        (state,) = ensure_topics(admin, ["market.data"])
    assert (state.created, state.partitions) == (False, 5)


@pytest.mark.slow
def test_topics_that_vanish_in_a_quick_restart_are_made_again(broker: Service, told: list[str]) -> None:
    quieten_client()
    brokers = [f"127.0.0.1:{broker.port()}"]
    outbox = Outbox(brokers, report=told.append)
    outbox.send(records("market.data", 1)[0])
    assert outbox.flush(10) == 0

    broker.stop()
    broker.start(told.append)
    deadline = time.monotonic() + 40
    while told.count("Created market.data: the broker did not have them") < 2 and time.monotonic() < deadline:
        outbox.send(Outgoing("market.data", b"key", b"between"))
        time.sleep(0.05)
    outbox.send(Outgoing("market.data", b"key", b"after"))
    assert outbox.flush(60) == 0
    outbox.close()

    assert b"after" in [value for _, _, value in records_of("market.data", 5000, brokers)]


def test_without_a_broker_a_stop_is_obeyed_soon(told: list[str]) -> None:
    quieten_client()
    began = time.monotonic()
    outbox = Outbox(
        [f"127.0.0.1:{ports.free_port()}"],
        report=told.append,
        stopping=lambda: time.monotonic() - began > 1,
    )

    taken = outbox.send(Outgoing("market.data", None, b"{}"))
    outbox.close()

    assert not taken
    assert time.monotonic() - began < 8
    assert len(told) == 1


def test_a_record_no_broker_takes_is_left_out_and_told(told: list[str]) -> None:
    topic = new_topic()
    outbox = Outbox(settings.CONFIG.kafka.brokers, report=told.append)

    outbox.send(Outgoing(topic, None, b"x" * 2_000_000))
    outbox.send(Outgoing(topic, None, b"small"))
    assert outbox.flush(10) == 0
    outbox.close()

    assert [value for _, _, value in records_of(topic, 1)] == [b"small"]
    assert told == [line for line in told if line.startswith("Left out a record of 2000000 bytes")]
