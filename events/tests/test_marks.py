from collections import Counter

import pytest
from django.db import connection

from events import marks
from events.models import Event, TouchedBucket
from events.records import Stretch
from events.store import store_http, store_kafka
from events.tests.factories import batch, event, raw, record

pytestmark = pytest.mark.django_db


def marked() -> Counter[tuple[int, str, str]]:
    return Counter((mark.project_id, mark.event_type, mark.bucket.isoformat()) for mark in TouchedBucket.objects.all())


def unmarked() -> int:
    """Stored events whose minute has no mark: none of them would ever reach a rollup."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT count(*) FROM events e WHERE NOT EXISTS (SELECT FROM touched_buckets t"
            " WHERE t.project_id = e.project_id AND t.event_type = e.event_type"
            """ AND t.bucket = date_trunc('minute', e."timestamp", 'UTC'))"""
        )
        return int(cursor.fetchone()[0])


def test_a_batch_marks_each_type_and_minute_once() -> None:
    day = event()["timestamp"][:10]
    times = [f"{day}T00:00:00Z", f"{day}T00:00:59.999999Z", f"{day}T00:01:00Z"]

    store_http([raw(event_type=kind, timestamp=time) for kind in ("a", "b") for time in times])

    assert marked() == {
        (1, kind, f"{day}T{minute}:00+00:00"): 1 for kind in ("a", "b") for minute in ("00:00", "00:01")
    }
    assert unmarked() == 0


def test_the_minute_is_that_of_utc() -> None:
    day = event()["timestamp"][:10]

    store_http([raw(timestamp=f"{day}T05:45:30+05:45", event_type="a")])

    assert set(marked()) == {(1, "a", f"{day}T00:00:00+00:00")}


@pytest.mark.parametrize("fields", [{}, {"timestamp": None}, {"timestamp": None, "id": None}])
def test_no_stored_event_is_without_a_mark(stretch: Stretch, fields: dict[str, None]) -> None:
    store_kafka(batch(stretch, [record(n, raw(event_type=f"t{n % 3}", **fields)) for n in range(30)]))

    assert Event.objects.count() == 30
    assert unmarked() == 0


def test_refused_records_mark_nothing() -> None:
    store_http([b"broken", raw(timestamp="1999-01-01T00:00:00Z")])

    assert marked() == {}


def test_hostile_types_are_marked_as_they_are() -> None:
    kinds = ["{}", '{"a"}', "NULL", "\\", '"', ",", "a,b", "💩", "%s"]

    store_http([raw(event_type=kind) for kind in kinds])

    assert {kind for _, kind, _ in marked()} == set(kinds)
    assert unmarked() == 0


def test_compacting_merges_equal_marks_and_loses_none() -> None:
    body = event()
    for kind in ("a", "b", "a", "a", "b"):
        store_http([raw(event_type=kind, timestamp=body["timestamp"])])
    before = set(marked())

    merged = marks.compact()

    assert merged == 2
    assert marked() == dict.fromkeys(before, 1)


def test_compacting_nothing() -> None:
    assert marks.compact() == 0
