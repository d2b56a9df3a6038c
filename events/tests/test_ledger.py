"""Each offset once, whatever is delivered again, in whatever order and in whatever pieces."""

import random
from uuid import uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st

from events import ledger
from events.ledger import UnknownStretch
from events.models import Event, LedgerEntry
from events.records import Record, Stretch
from events.store import store_kafka
from events.tests.factories import batch, record

pytestmark = pytest.mark.django_db


def records_of(*offsets: int) -> list[Record]:
    """Records whose content is their offset's, as a redelivery's is."""
    return [record(offset, b'{"event_type":"a","properties":{"offset":%d}}' % offset) for offset in offsets]


def stored_offsets() -> list[int]:
    return sorted(Event.objects.values_list("properties__offset", flat=True))


def watermark(stretch: Stretch) -> int:
    return ledger.watermarks([stretch])[stretch]


def test_a_stretch_begins_at_its_base(db: None) -> None:
    stretch = Stretch("market.data", 2, uuid4())
    ledger.open_entry(stretch, 100)

    assert watermark(stretch) == 100

    store_kafka(batch(stretch, records_of(100, 101)))
    assert watermark(stretch) == 102


def test_opening_twice_keeps_the_first(stretch: Stretch) -> None:
    store_kafka(batch(stretch, records_of(0)))

    ledger.open_entry(stretch, 50)

    assert watermark(stretch) == 1
    assert LedgerEntry.objects.get().base == 0


def test_a_repeated_batch_is_skipped(stretch: Stretch) -> None:
    same = batch(stretch, records_of(*range(10)))
    store_kafka(same)

    figures = store_kafka(same)

    assert (figures.received, figures.stored, figures.redelivered) == (0, 0, 10)
    assert stored_offsets() == list(range(10))


def test_a_partly_repeated_batch_is_cut(stretch: Stretch) -> None:
    store_kafka(batch(stretch, records_of(*range(3, 7))))

    figures = store_kafka(batch(stretch, records_of(*range(10))))

    assert (figures.received, figures.stored, figures.redelivered) == (6, 6, 4)
    assert stored_offsets() == list(range(10))
    assert watermark(stretch) == 10


def test_refused_records_are_not_refused_again(stretch: Stretch) -> None:
    bad = batch(stretch, [record(0, b"broken"), record(1, b"")])
    store_kafka(bad)

    figures = store_kafka(bad)

    assert (figures.refused, figures.redelivered) == (0, 2)


def test_the_watermark_waits_for_what_is_missing(stretch: Stretch) -> None:
    store_kafka(batch(stretch, records_of(5, 6)))
    assert watermark(stretch) == 0

    store_kafka(batch(stretch, records_of(0, 1, 2)))
    assert watermark(stretch) == 3

    store_kafka(batch(stretch, records_of(3, 4)))
    assert watermark(stretch) == 7


def test_offsets_that_kafka_has_no_record_for_are_done_with_their_batch(stretch: Stretch) -> None:
    store_kafka(batch(stretch, records_of(2, 9), lo=0, hi=10))

    assert watermark(stretch) == 10


def test_a_batch_that_begins_within_what_it_holds_is_cut(stretch: Stretch) -> None:
    """The watermark moved while the records were in hand: they reach back before `lo`."""
    store_kafka(batch(stretch, records_of(0, 1, 2)))

    figures = store_kafka(batch(stretch, records_of(0, 1, 2, 3, 4), lo=3))

    assert (figures.stored, figures.redelivered) == (2, 3)
    assert stored_offsets() == [0, 1, 2, 3, 4]


def test_a_batch_of_an_unknown_stretch_stores_nothing(stretch: Stretch) -> None:
    strangers = [
        Stretch(stretch.topic, stretch.partition, uuid4()),
        Stretch(stretch.topic, 1, stretch.topic_id),
        Stretch("other", stretch.partition, stretch.topic_id),
        Stretch(stretch.topic, stretch.partition, stretch.topic_id, 1),
    ]

    for stranger in strangers:
        with pytest.raises(UnknownStretch):
            store_kafka(batch(stranger, records_of(0)))

    assert Event.objects.count() == 0


def test_a_topic_made_anew_has_a_ledger_of_its_own(stretch: Stretch) -> None:
    store_kafka(batch(stretch, records_of(0, 1)))
    again = Stretch(stretch.topic, stretch.partition, uuid4())
    ledger.open_entry(again, 0)

    figures = store_kafka(batch(again, records_of(0, 1)))

    assert figures.stored == 2
    current = ledger.current(stretch.topic, stretch.partition)
    assert current
    assert (current.stretch, current.watermark) == (again, 2)


def test_progress_of_all_is_that_of_the_newest(stretch: Stretch) -> None:
    newer = Stretch(stretch.topic, stretch.partition, stretch.topic_id, 1)
    other = Stretch("market.data", 0, uuid4())
    ledger.open_entry(newer, 7)
    ledger.open_entry(other, 9)

    assert [(row.stretch, row.watermark) for row in ledger.all_progress()] == [(other, 9), (newer, 7)]


def test_never_read_is_none() -> None:
    assert ledger.current("never", 0) is None
    assert ledger.all_progress() == []
    assert ledger.watermarks([]) == ledger.watermarks([Stretch("never", 0, uuid4())]) == {}


def test_ends_are_noted_for_lag(stretch: Stretch) -> None:
    ledger.note_ends({stretch: 42, Stretch("never", 0, uuid4()): 1})

    assert LedgerEntry.objects.values_list("topic", "end_offset").get() == (stretch.topic, 42)


CUT = st.tuples(st.integers(0, 29), st.integers(1, 30)).map(sorted).filter(lambda cut: cut[0] < cut[1])


@given(st.lists(CUT, max_size=8), st.sets(st.integers(0, 29)), st.randoms(use_true_random=False))
def test_any_overlapping_cuts_store_each_offset_once(
    cuts: list[list[int]], holes: set[int], order: random.Random
) -> None:
    """`holes` are offsets without a record, as compaction leaves them."""
    stretch = Stretch("any.cuts", 0, uuid4())
    ledger.open_entry(stretch, 0)
    deliveries = [*cuts, [0, 10], [10, 20], [20, 30]]
    order.shuffle(deliveries)
    Event.objects.all().delete()

    figures = [
        store_kafka(
            batch(stretch, records_of(*(offset for offset in range(lo, hi) if offset not in holes)), lo=lo, hi=hi)
        )
        for lo, hi in deliveries
    ]

    assert stored_offsets() == sorted(set(range(30)) - holes)
    assert watermark(stretch) == 30
    assert sum(figure.received for figure in figures) == 30 - len(holes)
