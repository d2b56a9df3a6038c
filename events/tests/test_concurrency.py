"""Several connections at once, with real commits: what one test transaction cannot show."""

import json
import threading
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, date, datetime
from typing import Any, TypeVar
from uuid import uuid4

import pytest
from django.db import connection, transaction

from events import accounting, ledger, marks, partitions, tasks
from events.models import AssignedTimestamp, DeadLetter, Event, IngestBatch, TouchedBucket
from events.records import Stretch
from events.replays import replay
from events.store import store_http, store_kafka
from events.tests.committed import _django_db_helper  # noqa: F401
from events.tests.factories import batch, event, raw, record

pytestmark = pytest.mark.django_db(transaction=True)

Answer = TypeVar("Answer")


def at_once(*steps: Callable[[], Answer]) -> list[Answer]:
    """Run the steps in threads of their own, all let go at the same moment."""
    start = threading.Barrier(len(steps))

    def run(step: Callable[[], Answer]) -> Answer:
        try:
            connection.ensure_connection()
            start.wait(10)
            return step()
        finally:
            connection.close()

    with ThreadPoolExecutor(len(steps)) as pool:
        return list(pool.map(run, steps))


@pytest.mark.parametrize("size", [10, 1000, 4000])
def test_two_writers_in_opposite_order_neither_deadlock_nor_double(size: int) -> None:
    bodies = [raw(user_id=None, session_id=None, properties={}) for _ in range(size)]
    store_http([raw()])

    one, other = at_once(lambda: store_http(bodies), lambda: store_http(bodies[::-1]))

    assert Counter(outcome.status for outcome in one + other) == {"stored": size, "duplicate": size}
    assert Event.objects.count() == size + 1


def test_each_event_is_stored_by_exactly_one_of_many_writers() -> None:
    bodies = [raw(timestamp=None) if n % 2 else raw() for n in range(200)]

    answers = at_once(*[lambda: store_http(bodies)] * 4)

    for outcomes in zip(*answers, strict=True):
        assert sorted(outcome.status for outcome in outcomes) == ["duplicate"] * 3 + ["stored"]
        assert len({outcome.timestamp for outcome in outcomes}) == 1
    assert Event.objects.count() == 200
    assert AssignedTimestamp.objects.count() == 100


def test_a_writer_that_waited_for_another_sees_its_conflicts() -> None:
    one = event()
    contents = [json.dumps({**one, "properties": {"n": n}}).encode() for n in range(4)]

    answers = at_once(*[lambda content=content: store_http([content])[0] for content in contents])

    assert sorted(answer.reason or "" for answer in answers) == ["", "conflict", "conflict", "conflict"]


def test_overlapping_ranges_store_each_offset_once() -> None:
    stretch = Stretch("trading.events", 0, uuid4())
    ledger.open_entry(stretch, 0)
    records = [record(offset, b'{"event_type":"a","properties":{"o":%d}}' % offset) for offset in range(300)]
    cuts = [(0, 200), (100, 300), (50, 250), (0, 300)]

    figures = at_once(*[lambda lo=lo, hi=hi: store_kafka(batch(stretch, records[lo:hi])) for lo, hi in cuts])

    assert sum(figure.stored for figure in figures) == Event.objects.count() == 300
    assert sum(figure.redelivered for figure in figures) == 200 + 200 + 200 + 300 - 300
    assert ledger.watermarks([stretch]) == {stretch: 300}


def test_partitions_of_kafka_do_not_wait_for_each_other() -> None:
    stretches = [Stretch("trading.events", n, uuid4()) for n in range(2)]
    for stretch in stretches:
        ledger.open_entry(stretch, 0)
    store_http([raw()])

    with transaction.atomic():
        ledger.claim(stretches[0], 0, 10)
        figures = at_once(lambda: store_kafka(batch(stretches[1], [record(0)])))

    assert figures[0].stored == 1


def test_the_consumer_does_not_wait_for_a_batch_to_note_the_end() -> None:
    stretch = Stretch("trading.events", 0, uuid4())
    ledger.open_entry(stretch, 0)

    with transaction.atomic():
        ledger.claim(stretch, 0, 10)
        at_once(lambda: ledger.note_ends({stretch: 42}))

    current = ledger.current(stretch.topic, 0)
    assert current
    assert current.end_offset is None


def test_two_makers_of_a_partition_make_one() -> None:
    days = [date(2031, 1, day) for day in range(1, 6)]

    at_once(*[lambda: partitions.apply(partitions.Plan(tuple(days)))] * 3)

    assert [day for day in partitions.existing() if day.year == 2031] == days


def test_two_writers_of_a_new_day_make_one_partition() -> None:
    bodies = [raw() for _ in range(50)]

    at_once(lambda: store_http(bodies[:25]), lambda: store_http(bodies[25:]))

    assert Event.objects.count() == 50


def test_reading_goes_on_while_a_partition_is_made() -> None:
    store_http([raw()])

    with transaction.atomic():
        partitions.create(date(2031, 2, 1))
        read, written = at_once(Event.objects.count, lambda: len(store_http([raw()])))

    assert read in {1, 2}
    assert written == 1


def test_maintenance_started_twice_runs_once() -> None:
    at_once(tasks.maintain_partitions, tasks.maintain_partitions, tasks.maintain_partitions)

    assert partitions.days_ahead(datetime.now(UTC).date()) == 7


def test_compacting_loses_nothing_of_writers_at_work() -> None:
    stop = threading.Event()

    def write() -> int:
        count = 0
        while not stop.is_set():
            store_http([raw(), b"broken"])
            count += 1
        return count

    def compact() -> int:
        try:
            return sum(marks.compact() + accounting.compact() for _ in range(20))
        finally:
            stop.set()

    count, _ = at_once(write, compact)

    assert IngestBatch.objects.count() == count
    assert TouchedBucket.objects.exists()
    assert Event.objects.count() == DeadLetter.objects.count() == count


def test_two_replays_of_one_dead_letter_store_it_once(configure: Callable[[str, Any], None]) -> None:
    configure("analytics.ingestion.max_keys", 1)
    store_http([raw(properties={"a": 1, "b": 2}, id=None) for _ in range(20)])
    configure("analytics.ingestion.max_keys", 10)
    ids = list(DeadLetter.objects.values_list("pk", flat=True))

    results = at_once(lambda: replay(ids), lambda: replay(ids[::-1]))

    assert sum(result.replayed for result in results) == Event.objects.count() == 20
