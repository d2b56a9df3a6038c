"""The one write path: everything about a batch in one transaction, for Kafka, HTTP and replays."""

import json
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import uuid4

import pytest
from django.db import DatabaseError, connection
from hypothesis import given
from hypothesis import strategies as st

from events import ledger, partitions
from events.models import AssignedTimestamp, DeadLetter, Event, IngestBatch, TouchedBucket
from events.records import Record, Stretch
from events.store import store_http, store_kafka
from events.tests.factories import batch, event, now_ms, raw, record
from events.timestamps import parse_timestamp

pytestmark = pytest.mark.django_db


def test_outcomes_come_in_the_order_of_the_bodies() -> None:
    first, second = event(), event(timestamp=None, id=None)
    bodies = [b"broken", json.dumps(first).encode(), json.dumps(second).encode(), json.dumps(first).encode()]

    outcomes = store_http(bodies)

    assert [outcome.status for outcome in outcomes] == ["refused", "stored", "stored", "duplicate"]
    assert outcomes[0].reason == "invalid_json"
    assert outcomes[1].event_id == outcomes[3].event_id == first["id"]


def test_an_outcome_tells_the_key_of_the_stored_event() -> None:
    outcome = store_http([raw(id=None, timestamp=None)])[0]

    stored = Event.objects.get()
    assert outcome.event_id == str(stored.id)
    assert parse_timestamp(outcome.timestamp or "") == stored.timestamp


def test_nothing_to_store() -> None:
    assert store_http([]) == []


def test_every_field_is_stored(stretch: Stretch) -> None:
    sent = event(properties={"price": 1.5, "deep": {"list": [None, True, "x"]}})

    store_kafka(batch(stretch, [record(0, json.dumps(sent).encode())]))

    stored = Event.objects.get()
    assert (str(stored.id), stored.event_type) == (sent["id"], sent["event_type"])
    assert (stored.user_id, stored.session_id) == (sent["user_id"], sent["session_id"])
    assert stored.properties == sent["properties"]
    assert stored.timestamp == parse_timestamp(sent["timestamp"])
    assert stored.project_id == 1
    assert abs(stored.created_at.timestamp() * 1000 - now_ms()) < 60_000


def test_decimals_are_stored_exactly() -> None:
    price = "50000.123456789012345678901234567890"
    store_http([b'{"event_type":"a","properties":{"price":%s}}' % price.encode()])

    with connection.cursor() as cursor:
        cursor.execute("SELECT (properties -> 'price')::numeric FROM events")
        assert cursor.fetchone() == (Decimal(price),)


def test_kafka_gives_an_event_the_time_and_the_id_it_lacks(stretch: Stretch) -> None:
    bare = record(7, b'{"event_type":"a"}')

    store_kafka(batch(stretch, [bare]))

    stored = Event.objects.get()
    assert str(stored.id) == stretch.record_id(7)
    assert stored.timestamp == bare.time


@pytest.mark.parametrize("time_ms", [-1, 0, 2**62, -(2**63)])
def test_a_record_time_that_cannot_be_costs_only_its_record(stretch: Stretch, time_ms: int) -> None:
    bare = b'{"event_type":"a"}'
    records = [record(0), Record(bare, time_ms, 1), Record(raw(), time_ms, 2), record(3)]

    figures = store_kafka(batch(stretch, records))

    assert (figures.stored, figures.refused) == (3, 1)
    letter = DeadLetter.objects.get()
    assert (letter.kafka_offset, letter.reason) == (1, "in_future" if time_ms > 0 else "too_old")


def test_a_retry_without_a_timestamp_is_the_same_event() -> None:
    body = raw(timestamp=None)
    first = store_http([body])[0]

    again = store_http([body])[0]

    assert again.status == "duplicate"
    assert (again.event_id, again.timestamp) == (first.event_id, first.timestamp)
    assert AssignedTimestamp.objects.count() == Event.objects.count() == 1


def test_a_redelivery_without_a_timestamp_is_the_same_event(stretch: Stretch) -> None:
    value = raw(timestamp=None)
    sent_twice = [Record(value, now_ms() - 3000, 0), Record(value, now_ms(), 1)]

    store_kafka(batch(stretch, sent_twice[1:]))
    figures = store_kafka(batch(stretch, sent_twice[:1]))

    assert figures.duplicates == 1
    assert Event.objects.get().timestamp == sent_twice[1].time


def test_of_two_without_a_timestamp_in_one_batch_the_earlier_time_counts(stretch: Stretch) -> None:
    value = raw(timestamp=None)
    earlier, later = now_ms() - 3000, now_ms()

    figures = store_kafka(batch(stretch, [Record(value, later, 0), Record(value, earlier, 1)]))

    assert (figures.stored, figures.duplicates) == (1, 1)
    assert Event.objects.get().timestamp == Record(None, earlier).time


def test_other_content_without_a_timestamp_is_a_conflict() -> None:
    body = event(timestamp=None)
    store_http([json.dumps(body).encode()])

    outcome = store_http([json.dumps({**body, "event_type": "other"}).encode()])[0]

    assert outcome.reason == "conflict"


def test_a_retry_whose_first_time_is_too_old_by_now_is_refused() -> None:
    long_ago = datetime.now(UTC) - timedelta(days=91)
    sent = event(timestamp=None)
    AssignedTimestamp.objects.create(project_id=1, event_id=sent["id"], timestamp=long_ago)

    outcomes = store_http([json.dumps(sent).encode(), raw(timestamp=None)])

    assert [outcome.reason for outcome in outcomes] == ["too_old", None]
    assert Event.objects.count() == DeadLetter.objects.count() == 1


@pytest.mark.parametrize("time_ms", [2**62, -1, 0])
def test_an_impossible_record_time_is_not_remembered_and_makes_no_partition(stretch: Stretch, time_ms: int) -> None:
    before = set(partitions.existing())
    value = raw(timestamp=None)

    figures = store_kafka(batch(stretch, [Record(value, time_ms, 0), record(1)]))

    assert (figures.stored, figures.refused) == (1, 1)
    assert not AssignedTimestamp.objects.exists()
    assert store_kafka(batch(stretch, [Record(value, now_ms(), 2)])).stored == 1
    assert {day.year for day in set(partitions.existing()) - before} <= {datetime.now(UTC).year}


def test_the_first_event_of_a_day_makes_its_partition() -> None:
    day = parse_timestamp(now_ms() - 40 * 86_400_000).date()
    assert day not in partitions.existing()

    assert store_http([raw(timestamp=f"{day}T12:00:00Z")])[0].status == "stored"

    assert day in partitions.existing()


@pytest.mark.parametrize("timestamp", [{}, {"timestamp": None}])
def test_a_partition_that_was_dropped_meanwhile_is_made_again(timestamp: dict[str, Any]) -> None:
    store_http([raw(**timestamp)])
    with connection.cursor() as cursor:
        for day in partitions.existing():
            cursor.execute(f"ALTER TABLE events DETACH PARTITION {partitions.name_of(day)}")
            cursor.execute(f"DROP TABLE {partitions.name_of(day)}")

    outcomes = store_http([raw(**timestamp), b"broken", raw(**timestamp)])

    assert [outcome.status for outcome in outcomes] == ["stored", "refused", "stored"]
    assert (Event.objects.count(), DeadLetter.objects.count()) == (2, 1)


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (b'{"event_type":"a","timestamp":"1999-01-01T00:00:00Z"}', "too_old"),
        (b'{"event_type":"a","timestamp":"2199-01-01T00:00:00Z"}', "in_future"),
        (b'{"event_type":"a","timestamp":"9999-12-31T23:59:59.999999Z"}', "in_future"),
        (b'{"event_type":"a","timestamp":"0001-01-01T00:00:00Z"}', "too_old"),
    ],
)
def test_what_lies_outside_the_accepted_window_makes_no_partition(body: bytes, reason: str) -> None:
    before = partitions.existing()

    assert store_http([body])[0].reason == reason

    assert partitions.existing() == before


def test_the_accepted_window_is_from_retention_to_the_skew_of_clocks() -> None:
    retention, skew = 90 * 86_400_000, 3_600_000
    edges = [
        now_ms() - retention - 5000,
        now_ms() - retention + 60_000,
        now_ms() + skew - 60_000,
        now_ms() + skew + 60_000,
    ]

    outcomes = store_http([raw(timestamp=edge) for edge in edges])

    assert [outcome.reason for outcome in outcomes] == ["too_old", None, None, "in_future"]


BREAK = """
CREATE FUNCTION break_down() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE 'broken'; END $$;
CREATE TRIGGER break_down BEFORE INSERT OR UPDATE ON {table} FOR EACH STATEMENT EXECUTE FUNCTION break_down();
"""


@pytest.mark.parametrize("table", ["events", "dead_letters", "touched_buckets", "ingest_batches", "kafka_ledger"])
def test_all_of_a_batch_or_nothing(stretch: Stretch, table: str) -> None:
    """Whatever is the one to fail, nothing of the others stays, and the batch can come again."""
    records = [record(0), record(1, b"broken"), record(2)]
    with connection.cursor() as cursor:
        cursor.execute(BREAK.format(table=table))

    with pytest.raises(DatabaseError):
        store_kafka(batch(stretch, records))

    assert [model.objects.count() for model in (Event, DeadLetter, TouchedBucket, IngestBatch)] == [0] * 4
    assert ledger.watermarks([stretch]) == {stretch: 0}
    with connection.cursor() as cursor:
        cursor.execute(f"DROP TRIGGER break_down ON {table}")
    assert store_kafka(batch(stretch, records)).stored == 2
    assert ledger.watermarks([stretch]) == {stretch: 3}


def test_projects_share_nothing() -> None:
    body = raw()

    outcomes = [store_http([body], project_id=project)[0] for project in (1, 2, 1)]

    assert [outcome.status for outcome in outcomes] == ["stored", "stored", "duplicate"]
    assert sorted(Event.objects.values_list("project_id", flat=True)) == [1, 2]


NUMBERS = st.decimals(allow_nan=False, allow_infinity=False, places=8) | st.integers(-(2**70), 2**70).map(Decimal)
JSON = st.recursive(
    st.none() | st.booleans() | NUMBERS | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=10), inner, max_size=4),
    max_leaves=10,
)


def dumps(value: Any) -> str:
    """JSON in which decimals keep all their digits."""
    if isinstance(value, dict):
        return "{" + ",".join(f"{json.dumps(key)}:{dumps(item)}" for key, item in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ",".join(map(dumps, value)) + "]"
    return f"{value:f}" if isinstance(value, Decimal) else json.dumps(value)


@given(st.lists(st.dictionaries(st.text(max_size=10), JSON, max_size=4), min_size=1, max_size=5))
def test_any_object_comes_back_equal_or_is_refused_with_a_reason(objects: list[dict[str, Any]]) -> None:
    bodies = [f'{{"event_type":"a","properties":{dumps(properties)}}}'.encode() for properties in objects]

    outcomes = store_http(bodies)

    for outcome, properties in zip(outcomes, objects, strict=True):
        if outcome.status == "refused":
            assert outcome.reason
            continue
        with connection.cursor() as cursor:
            cursor.execute("SELECT properties::text FROM events WHERE id = %s", [outcome.event_id])
            text = cursor.fetchone()[0]
        assert json.loads(text, parse_float=Decimal, parse_int=Decimal) == properties


@given(st.lists(st.binary(max_size=40) | st.just(raw(id=str(uuid4()))), max_size=20))
def test_any_bytes_are_stored_or_refused(bodies: list[bytes]) -> None:
    outcomes = store_http(bodies)

    assert len(outcomes) == len(bodies)
    assert {outcome.status for outcome in outcomes} <= {"stored", "duplicate", "refused"}
    assert all(outcome.reason for outcome in outcomes if outcome.status == "refused")
