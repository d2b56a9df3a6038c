"""Where to start reading a Kafka partition, and when to stop until somebody decides."""

import logging
from uuid import uuid4

import pytest

from events import ledger
from events.consumer.takeover import NothingToSkip, Offsets, Start, Stopped, restart, skip_gap, take_over
from events.ledger import Progress
from events.models import Event, IngestGap, LedgerEntry
from events.records import Stretch
from events.store import store_kafka
from events.tests.factories import batch, record

pytestmark = pytest.mark.django_db


def known(stretch: Stretch) -> Progress | None:
    return ledger.current(stretch.topic, stretch.partition)


def stopped_reason(stretch: Stretch) -> str:
    current = known(stretch)
    assert current
    return current.stopped_reason


@pytest.fixture
def stored(stretch: Stretch) -> Stretch:
    """Read and stored up to offset 10."""
    store_kafka(batch(stretch, [record(offset) for offset in range(10)]))
    return stretch


def test_a_partition_never_read_starts_at_its_beginning(db: None) -> None:
    stretch = Stretch("market.data", 3, uuid4())

    assert take_over(stretch, known(stretch), Offsets(7, 20)) == Start(stretch, 7)

    assert ledger.watermarks([stretch]) == {stretch: 7}


def test_reading_goes_on_at_the_watermark(stored: Stretch) -> None:
    assert take_over(stored, known(stored), Offsets(0, 50)) == Start(stored, 10)
    assert take_over(stored, known(stored), Offsets(10, 10)) == Start(stored, 10)


def test_a_hole_in_what_is_stored_is_read_again(stored: Stretch) -> None:
    store_kafka(batch(stored, [record(offset) for offset in range(15, 20)]))

    assert take_over(stored, known(stored), Offsets(0, 50)) == Start(stored, 10)


def test_a_topic_made_anew_starts_at_its_beginning_and_is_told(
    stored: Stretch, caplog: pytest.LogCaptureFixture
) -> None:
    anew = Stretch(stored.topic, stored.partition, uuid4())

    with caplog.at_level(logging.WARNING):
        decision = take_over(anew, known(stored), Offsets(0, 3))

    assert decision == Start(anew, 0)
    assert "created anew" in caplog.text
    assert store_kafka(batch(anew, [record(0)])).stored == 1


def test_offsets_that_went_back_stop_the_partition(stored: Stretch) -> None:
    decision = take_over(stored, known(stored), Offsets(0, 4))

    assert isinstance(decision, Stopped)
    assert "offsets went back" in decision.reason
    assert f"manage.py ledger restart {stored.topic} {stored.partition}" in decision.reason
    assert stopped_reason(stored) == decision.reason
    gap = IngestGap.objects.get()
    assert (gap.kind, gap.lo, gap.hi, gap.resolved_at) == ("went_back", 4, 10, None)


def test_records_lost_to_retention_stop_the_partition(stored: Stretch) -> None:
    decision = take_over(stored, known(stored), Offsets(25, 50))

    assert isinstance(decision, Stopped)
    assert "retention" in decision.reason
    assert f"manage.py ledger skip {stored.topic} {stored.partition}" in decision.reason
    gap = IngestGap.objects.get()
    assert (gap.kind, gap.lo, gap.hi, gap.resolved_at) == ("retention", 10, 25, None)


def test_a_hole_that_turns_out_to_be_none_lets_reading_go_on(stored: Stretch) -> None:
    take_over(stored, known(stored), Offsets(25, 50))

    assert take_over(stored, known(stored), Offsets(0, 50)) == Start(stored, 10)

    assert stopped_reason(stored) == ""


def test_asking_again_writes_one_hole_down_once(stored: Stretch) -> None:
    for _ in range(3):
        take_over(stored, known(stored), Offsets(25, 50))

    assert IngestGap.objects.count() == 1


def test_after_a_skip_reading_goes_on_behind_the_hole(stored: Stretch) -> None:
    take_over(stored, known(stored), Offsets(25, 50))

    assert skip_gap(stored.topic, stored.partition) == 15

    assert stopped_reason(stored) == ""
    assert take_over(stored, known(stored), Offsets(25, 50)) == Start(stored, 25)
    assert store_kafka(batch(stored, [record(25)])).stored == 1
    assert ledger.watermarks([stored]) == {stored: 26}
    assert IngestGap.objects.get().resolved_at


def test_after_a_restart_the_same_offsets_are_read_as_others(stored: Stretch) -> None:
    take_over(stored, known(stored), Offsets(0, 4))

    anew = restart(stored.topic, stored.partition, 0)

    assert anew == Stretch(stored.topic, stored.partition, stored.topic_id, 1)
    assert stopped_reason(stored) == ""
    assert take_over(stored, known(stored), Offsets(0, 4)) == Start(anew, 0)
    value = b'{"event_type":"a"}'
    assert store_kafka(batch(anew, [record(0, value)])).stored == 1
    assert Event.objects.filter(id=anew.record_id(0)).count() == 1
    assert IngestGap.objects.get().resolved_at


def test_a_restart_may_begin_anywhere(stored: Stretch) -> None:
    anew = restart(stored.topic, stored.partition, 42)

    assert take_over(stored, known(stored), Offsets(0, 100)) == Start(anew, 42)


@pytest.mark.parametrize("decide", [skip_gap, lambda topic, partition: restart(topic, partition, 0)])
def test_a_partition_never_read_cannot_be_decided_for(decide: object) -> None:
    with pytest.raises(LedgerEntry.DoesNotExist):
        decide("never", 0)  # type: ignore[operator]


def test_a_partition_that_went_back_stays_stopped_when_it_is_refilled(stored: Stretch) -> None:
    """The new records below the watermark are others than those that are stored."""
    take_over(stored, known(stored), Offsets(0, 4))

    assert isinstance(take_over(stored, known(stored), Offsets(0, 12)), Stopped)


def test_a_hole_that_grows_is_one_hole(stored: Stretch) -> None:
    for beginning in (25, 30, 35):
        take_over(stored, known(stored), Offsets(beginning, 50))

    assert IngestGap.objects.count() == 1
    assert skip_gap(stored.topic, stored.partition) == 25


def test_a_skip_does_not_undo_what_only_a_restart_can(stored: Stretch) -> None:
    take_over(stored, known(stored), Offsets(0, 4))

    with pytest.raises(NothingToSkip):
        skip_gap(stored.topic, stored.partition)

    assert stopped_reason(stored)
    assert isinstance(take_over(stored, known(stored), Offsets(0, 12)), Stopped)


def test_offsets_that_went_back_behind_a_gap_in_what_is_stored_stop_the_partition(stored: Stretch) -> None:
    """Kafka must have what is stored above the watermark, too."""
    store_kafka(batch(stored, [record(offset) for offset in range(15, 20)]))

    assert isinstance(take_over(stored, known(stored), Offsets(0, 12)), Stopped)


def test_a_hole_that_turned_out_to_be_none_cannot_be_skipped_later(stored: Stretch) -> None:
    take_over(stored, known(stored), Offsets(25, 50))
    take_over(stored, known(stored), Offsets(0, 50))

    with pytest.raises(NothingToSkip):
        skip_gap(stored.topic, stored.partition)
