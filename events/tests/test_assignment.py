"""When a consumer gives its Kafka client up. A stand-in plays the client: no broker hangs on demand."""

from collections.abc import Iterable
from queue import SimpleQueue
from typing import Any

import pytest
from kafka import TopicPartition

from events.consumer import assignment as module
from events.consumer.assignment import Assignment, Stuck
from events.tests.test_reader import POLICY

PARTITION = TopicPartition("trading.events", 0)


class Client:
    """A client whose group does not let it in, or whose partition has no topic."""

    def __init__(self) -> None:
        self.changes: SimpleQueue[tuple[str, list[TopicPartition]]] = SimpleQueue()
        self.is_joined = True

    def joined(self) -> bool:
        return self.is_joined

    def topic_ids(self, topics: Iterable[str]) -> dict[str, Any]:
        return {}

    def beginnings(self, partitions: list[TopicPartition]) -> dict[TopicPartition, int]:
        return {}

    ends = beginnings

    def show_progress(self, watermarks: object) -> None:
        assert not watermarks


class Clock:
    now = 1000.0

    def monotonic(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(module, "time", clock)
    return clock


@pytest.fixture
def client() -> Client:
    return Client()


@pytest.fixture
def assignment(client: Client, clock: Clock) -> Assignment:
    return Assignment(client, POLICY, settled_at=clock.now)  # type: ignore[arg-type]


def test_a_member_that_is_never_let_in_gives_up(assignment: Assignment, client: Client, clock: Clock) -> None:
    client.is_joined = False
    assignment.inspect()
    clock.now += 60

    with pytest.raises(Stuck):
        assignment.inspect()


def test_a_member_without_partitions_is_left_alone(assignment: Assignment, clock: Clock) -> None:
    assignment.inspect()
    clock.now += 3600

    assignment.inspect()


@pytest.mark.django_db
def test_a_partition_that_cannot_be_taken_over_is_not_waited_for_for_ever(
    assignment: Assignment, client: Client, clock: Clock
) -> None:
    client.changes.put(("assigned", [PARTITION]))
    assert assignment.follow_rebalance()
    assignment.inspect()
    clock.now += 60

    with pytest.raises(Stuck):
        assignment.inspect()
