"""When a consumer gives its Kafka client up. A stand-in plays the client: no broker hangs on demand."""

from collections.abc import Iterable
from queue import SimpleQueue
from typing import Any

import pytest
from kafka import TopicPartition

from events.consumer import assignment as module
from events.consumer.assignment import Assignment, Stuck
from events.consumer.reader import PartitionReader
from events.tests.test_reader import POLICY, STRETCH, hand_on, raws

PARTITION = TopicPartition("trading.events", 0)


class Client:
    """A client whose group does not let it in, or whose partition has no topic."""

    def __init__(self) -> None:
        self.changes: SimpleQueue[tuple[str, list[TopicPartition]]] = SimpleQueue()
        self.is_joined = True
        self.resumed = False
        self.position = -1

    def joined(self) -> bool:
        return self.is_joined

    def topic_ids(self, topics: Iterable[str]) -> dict[str, Any]:
        return {}

    def beginnings(self, partitions: list[TopicPartition]) -> dict[TopicPartition, int]:
        return {}

    ends = beginnings

    def fetched_end(self, partition: TopicPartition) -> None:
        return None

    def seek(self, partition: TopicPartition, offset: int) -> None:
        self.position = offset

    def resume(self, partition: TopicPartition) -> None:
        self.resumed = True

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


@pytest.fixture
def reader(assignment: Assignment, clock: Clock) -> PartitionReader:
    """100 to 112 wait in the queue, 113 and 114 are in hand."""
    reader = assignment.readers[PARTITION] = PartitionReader(STRETCH, POLICY, watermark=100, now=clock.now)
    reader.add(raws(range(100, 113)), clock.now)
    while reader.records:
        hand_on(reader, clock.now)
    reader.add(raws([113, 114]), clock.now)
    return reader


def test_a_partition_that_comes_back_at_once_goes_on(
    assignment: Assignment, client: Client, reader: PartitionReader
) -> None:
    client.changes.put(("revoked", [PARTITION]))
    assert not assignment.follow_rebalance()
    assert PARTITION not in assignment.readers

    client.changes.put(("assigned", [PARTITION]))
    assert assignment.follow_rebalance()

    assert assignment.readers == {PARTITION: reader}
    assert (client.position, client.resumed) == (115, True)
    assert (reader.in_flight, len(reader.records)) == (13, 2)


def test_a_partition_that_comes_back_late_goes_on_behind_what_is_under_way(
    assignment: Assignment, client: Client, reader: PartitionReader
) -> None:
    client.changes.put(("revoked", [PARTITION]))
    assignment.follow_rebalance()
    assignment.inspect()

    client.changes.put(("assigned", [PARTITION]))
    assignment.follow_rebalance()

    assert client.position == 113
    assert (reader.in_flight, reader.records) == (13, [])
