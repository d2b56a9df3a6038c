"""The rules of one Kafka partition, with a clock of our own."""

from collections.abc import Sequence
from datetime import timedelta
from uuid import uuid4

import pytest

from events.consumer.reader import MAX_BATCH_BYTES, PartitionReader, Policy, Raw
from events.records import Stretch

STRETCH = Stretch("trading.events", 0, uuid4())
POLICY = Policy(
    batch_size=10,
    batch_timeout=timedelta(seconds=5),
    quiet_timeout=timedelta(seconds=0.1),
    max_in_flight=40,
    stall_timeout=timedelta(seconds=5),
)


@pytest.fixture
def reader() -> PartitionReader:
    return PartitionReader(STRETCH, POLICY, watermark=100, now=0.0)


def raws(offsets: Sequence[int], value: bytes = b"{}") -> list[Raw]:
    return [Raw(offset, 0, value) for offset in offsets]


def hand_on(reader: PartitionReader, now: float) -> tuple[int, int, int]:
    batch = reader.peek()
    reader.taken(batch, now)
    return batch.lo, batch.hi, len(batch.records)


def test_nothing_in_hand_is_never_due(reader: PartitionReader) -> None:
    assert not reader.due(1e9)


def test_a_full_batch_is_due_at_once(reader: PartitionReader) -> None:
    reader.add(raws(range(100, 109)), now=0.0)
    assert not reader.due(0.0)

    reader.add(raws([109]), now=0.0)
    assert reader.due(0.0)


def test_a_quiet_stream_waits_for_the_quiet_timeout_only(reader: PartitionReader) -> None:
    reader.add(raws([100]), now=1.0)

    assert not reader.due(1.09)
    assert reader.due(1.11)


def test_while_a_batch_is_under_way_the_next_may_fill(reader: PartitionReader) -> None:
    reader.add(raws([100]), now=1.0)
    hand_on(reader, now=1.1)
    reader.add(raws([101]), now=1.2)

    assert not reader.due(6.1)
    assert reader.due(6.2)


def test_once_nothing_is_under_way_the_stream_is_quiet_again(reader: PartitionReader) -> None:
    reader.add(raws([100]), now=1.0)
    hand_on(reader, now=1.1)
    reader.add(raws([101]), now=1.2)
    reader.advance(101, now=1.25)

    assert reader.due(1.31)


def test_the_age_is_that_of_the_oldest_record(reader: PartitionReader) -> None:
    reader.add(raws([100]), now=1.0)
    reader.add(raws([101]), now=1.09)

    assert reader.due(1.1)


def test_a_batch_has_at_most_its_size_and_the_rest_follows(reader: PartitionReader) -> None:
    reader.add(raws(range(100, 125)), now=0.0)

    assert [hand_on(reader, 0.0) for _ in range(3)] == [(100, 110, 10), (110, 120, 10), (120, 125, 5)]


def test_a_batch_is_bound_by_its_bytes(reader: PartitionReader) -> None:
    reader.add(raws(range(100, 105), b"x" * (MAX_BATCH_BYTES // 2)), now=0.0)

    assert [hand_on(reader, 0.0) for _ in range(3)] == [(100, 102, 2), (102, 104, 2), (104, 105, 1)]


def test_a_record_above_the_bound_goes_alone(reader: PartitionReader) -> None:
    reader.add(raws([100, 101], b"x" * (MAX_BATCH_BYTES + 1)), now=0.0)

    assert hand_on(reader, 0.0) == (100, 101, 1)


def test_a_batch_that_was_not_taken_is_still_there(reader: PartitionReader) -> None:
    reader.add(raws(range(100, 112)), now=0.0)
    first = reader.peek()

    reader.add(raws([112]), now=0.1)

    assert reader.peek() == first


def test_offsets_without_a_record_are_covered(reader: PartitionReader) -> None:
    reader.add(raws([103, 104]), now=0.0)
    first = hand_on(reader, 0.0)
    reader.add(raws([110]), now=0.0)

    assert [first, hand_on(reader, 0.0)] == [(100, 105, 2), (105, 111, 1)]


def test_records_before_the_position_are_passed_over(reader: PartitionReader) -> None:
    reader.add(raws([98, 99, 100, 101]), now=0.0)
    reader.add(raws([100, 101, 102]), now=0.0)

    assert [record.offset for record in reader.records] == [100, 101, 102]
    assert reader.next_offset == 103


def test_a_tombstone_is_a_record(reader: PartitionReader) -> None:
    reader.add([Raw(100, 0, None)], now=0.0)

    assert reader.peek().records == [Raw(100, 0, None)]


@pytest.mark.parametrize(
    ("held", "stored", "full", "drained"),
    [(39, 0, False, False), (40, 0, True, False), (40, 19, False, False), (40, 20, False, True), (0, 0, False, True)],
)
def test_full_at_the_limit_and_drained_at_half_of_it(
    reader: PartitionReader, held: int, stored: int, full: bool, drained: bool
) -> None:
    reader.add(raws(range(100, 100 + held)), now=0.0)
    while reader.records:
        hand_on(reader, 0.0)

    reader.advance(100 + stored, now=1.0)

    assert (reader.full, reader.drained) == (full, drained)


def test_what_is_in_hand_counts_as_well(reader: PartitionReader) -> None:
    reader.add(raws(range(100, 140)), now=0.0)

    assert (reader.full, reader.drained) == (True, False)


def test_no_progress_with_an_empty_queue_is_a_stall(reader: PartitionReader) -> None:
    reader.add(raws([100]), now=0.0)
    hand_on(reader, now=10.0)

    assert not reader.stalled(14.9, queue_empty=True, nothing_unacked=True)
    assert reader.stalled(15.0, queue_empty=True, nothing_unacked=True)


def test_what_may_be_in_the_queue_is_waited_for_but_not_for_ever(reader: PartitionReader) -> None:
    reader.add(raws([100]), now=0.0)
    hand_on(reader, now=0.0)

    assert not reader.stalled(299.0, queue_empty=False, nothing_unacked=True)
    assert reader.stalled(300.0, queue_empty=False, nothing_unacked=True)


def test_what_an_earlier_owner_stored_is_not_handed_on(reader: PartitionReader) -> None:
    reader.add(raws(range(100, 110)), now=0.0)

    reader.advance(105, now=1.0)

    assert (reader.peek().lo, reader.peek().hi) == (105, 110)
    assert reader.bytes_in_hand == sum(len(record.value or b"") for record in reader.records)


def test_large_records_fill_the_hand_before_their_number_does(reader: PartitionReader) -> None:
    reader.add(raws(range(100, 110), value=b"x" * 400_000), now=0.0)
    fullness = [reader.full]
    while reader.records:
        reader.taken(reader.peek(), now=0.0)
    fullness.append(reader.full)

    assert fullness == [True, False]
    assert reader.drained


def test_a_partition_that_is_held_back_does_not_count_as_stuck(reader: PartitionReader) -> None:
    reader.add(raws(range(100, 100 + reader.policy.max_in_flight)), now=0.0)

    reader.advance(101, now=50.0)

    assert reader.received_at == 50.0


def test_a_task_that_a_worker_holds_is_waited_for_four_times_as_long(reader: PartitionReader) -> None:
    reader.add(raws([100]), now=0.0)
    hand_on(reader, now=0.0)

    assert not reader.stalled(19.9, queue_empty=True, nothing_unacked=False)
    assert reader.stalled(20.0, queue_empty=True, nothing_unacked=False)


def test_records_in_hand_are_no_stall(reader: PartitionReader) -> None:
    reader.add(raws([100]), now=0.0)

    assert not reader.stalled(1e9, queue_empty=True, nothing_unacked=True)


def test_progress_starts_the_patience_anew(reader: PartitionReader) -> None:
    reader.add(raws([100, 101]), now=0.0)
    hand_on(reader, now=0.0)
    reader.advance(101, now=4.0)

    assert not reader.stalled(8.9, queue_empty=True, nothing_unacked=True)
    assert reader.stalled(9.0, queue_empty=True, nothing_unacked=True)


def test_each_reading_in_vain_doubles_the_patience(reader: PartitionReader) -> None:
    for patience in (5.0, 10.0, 20.0):
        reader.add(raws([100]), now=0.0)
        hand_on(reader, now=0.0)
        assert not reader.stalled(patience - 0.1, queue_empty=True, nothing_unacked=True)
        assert reader.stalled(patience, queue_empty=True, nothing_unacked=True)
        assert reader.reread(now=0.0) == 100


def test_reading_again_starts_at_the_watermark(reader: PartitionReader) -> None:
    reader.add(raws(range(100, 115)), now=0.0)
    hand_on(reader, now=0.0)
    reader.advance(105, now=1.0)

    assert reader.reread(now=2.0) == 105

    assert (reader.records, reader.in_flight) == ([], 0)
    reader.add(raws(range(105, 108)), now=2.0)
    assert hand_on(reader, 2.0) == (105, 108, 3)


def test_what_another_consumer_stored_is_let_go(reader: PartitionReader) -> None:
    reader.add(raws(range(100, 105)), now=0.0)

    reader.advance(200, now=1.0)

    assert (reader.records, reader.next_offset, reader.in_flight) == ([], 200, 0)


def test_a_watermark_within_what_is_in_hand_moves_the_start_of_the_batch(reader: PartitionReader) -> None:
    reader.add(raws(range(100, 105)), now=0.0)

    reader.advance(103, now=1.0)

    batch = reader.peek()
    assert (batch.lo, batch.hi) == (103, 105)


def test_a_watermark_never_goes_back(reader: PartitionReader) -> None:
    reader.advance(110, now=1.0)
    reader.advance(105, now=2.0)

    assert reader.watermark == 110
