from collections.abc import Callable
from datetime import timedelta
from io import StringIO
from typing import Any
from uuid import uuid4

import pytest
from django.conf import settings
from django.core.management import call_command
from django.core.management.base import CommandError

from analytics_project.services import ports
from events.kafka import topics
from events.kafka.outgoing import key_of, outgoing
from events.kafka.topics import BrokerAway, connect, ensure_topics, plan_for
from events.tests.broker import new_topic

Configure = Callable[[str, Any], None]


@pytest.mark.parametrize(
    ("topic", "partitions", "days"),
    [("trading.events", 3, 7), ("market.data", 5, 1), ("order.events", 3, 7), ("user.actions", 2, 30), ("other", 3, 7)],
)
def test_topics_are_planned_as_the_platform_has_them(topic: str, partitions: int, days: int) -> None:
    plan = plan_for(topic)

    assert (plan.partitions, plan.retention) == (partitions, timedelta(days=days))
    assert plan.options(3)["configs"] == {"retention.ms": str(days * 86_400_000)}


def test_a_missing_topic_is_created_and_then_left_alone() -> None:
    name = f"test.{uuid4().hex}"
    with connect(settings.CONFIG.kafka.brokers, timeout=10, report=print) as admin:
        (first,) = ensure_topics(admin, [name])
        (second,) = ensure_topics(admin, [name])

    assert (first.created, first.partitions) == (True, 3)
    assert (second.created, second.partitions) == (False, 3)


def test_the_command_tells_what_exists_and_what_is_not_as_planned(
    configure: Configure, monkeypatch: pytest.MonkeyPatch
) -> None:
    name = new_topic(partitions=2)
    monkeypatch.setitem(topics._PLANS, name, plan_for(name))
    configure("kafka.topics", [name])
    out, err = StringIO(), StringIO()

    call_command("create_topics", stdout=out, stderr=err)

    assert out.getvalue() == f"{name}: exists, 2 partitions\n"
    assert f"{name} has 2 partitions, planned are 3" in err.getvalue()


def test_the_command_says_in_one_line_that_no_broker_answers(configure: Configure) -> None:
    address = f"127.0.0.1:{ports.free_port()}"
    configure("kafka.brokers", [address])

    with pytest.raises(CommandError, match=f"no Kafka broker answers at {address}"):
        call_command("create_topics", timeout=0.1, stderr=StringIO())


def test_waiting_for_a_broker_ends_when_asked_to() -> None:
    with pytest.raises(BrokerAway):
        connect([f"127.0.0.1:{ports.free_port()}"], timeout=60, report=print, stopping=lambda: True)


@pytest.mark.parametrize(
    ("envelope", "key"),
    [
        ({"properties": {"symbol": "BTCUSDT"}, "user_id": "u-1"}, b"BTCUSDT"),
        ({"properties": {"symbol": None}, "user_id": "u-1", "session_id": "s"}, b"u-1"),
        ({"properties": [], "session_id": "s"}, b"s"),
        ({"user_id": "", "properties": {"symbol": 5}}, None),
        ({"user_id": "é\ud800"}, b"\xc3\xa9\xed\xa0\x80"),
        ({}, None),
    ],
)
def test_the_key_is_the_symbol_or_the_user(envelope: dict[str, object], key: bytes | None) -> None:
    assert key_of(envelope) == key


def test_an_envelope_travels_to_the_topic_of_its_type() -> None:
    record = outgoing({"event_type": "order.placed", "properties": {"symbol": "ETHUSDT", "price": 2680.1}})

    assert (record.topic, record.key) == ("order.events", b"ETHUSDT")
    assert record.value == b'{"event_type":"order.placed","properties":{"symbol":"ETHUSDT","price":2680.1}}'
