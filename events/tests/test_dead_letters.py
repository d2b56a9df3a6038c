"""A refused record is kept with its bytes, where it came from and why."""

from datetime import UTC, datetime

import pytest

from events.models import DeadLetter
from events.records import Record, Stretch
from events.store import store_http, store_kafka
from events.tests.factories import batch, now_ms, raw, record

pytestmark = pytest.mark.django_db


def test_a_record_of_kafka_is_kept_with_its_place(stretch: Stretch) -> None:
    store_kafka(batch(stretch, [record(0), Record(b"\x00\xff broken", 1_795_439_100_123, 7), record(8)]))

    letter = DeadLetter.objects.get()
    assert bytes(letter.raw) == b"\x00\xff broken"
    assert (letter.topic, letter.kafka_partition, letter.kafka_offset) == (stretch.topic, stretch.partition, 7)
    assert (letter.topic_id, letter.incarnation) == (stretch.topic_id, stretch.incarnation)
    assert letter.record_timestamp == datetime(2026, 11, 23, 13, 5, 0, 123_000, UTC)
    assert (letter.source, letter.reason, letter.project_id) == ("kafka", "invalid_json", 1)
    assert letter.error
    assert (letter.attempts, letter.replayed_at) == (0, None)


def test_a_body_of_http_is_kept_without_one() -> None:
    store_http([b"broken"], project_id=5)

    letter = DeadLetter.objects.get()
    assert (letter.source, letter.topic, letter.kafka_partition, letter.kafka_offset) == ("http", None, None, None)
    assert letter.project_id == 5
    assert abs(letter.record_timestamp.timestamp() * 1000 - now_ms()) < 60_000


def test_a_tombstone_is_kept_as_nothing(stretch: Stretch) -> None:
    store_kafka(batch(stretch, [Record(None, now_ms(), 0)]))

    letter = DeadLetter.objects.get()
    assert (bytes(letter.raw), letter.reason) == (b"", "empty")


def test_any_bytes_are_kept_exactly() -> None:
    bodies = [bytes(range(256)), b"\\x41\\N\\.\t\n", b"{" * 60_000, b"\x00"]

    store_http(bodies)

    assert [bytes(letter.raw) for letter in DeadLetter.objects.order_by("pk")] == bodies


@pytest.mark.parametrize(
    "body",
    [
        b'{"event_type":"a","timestamp":"\\u0000 \\n \\\\ \\ud83d\\ude00"}',
        b'{"event_type":"a","timestamp":"%s"}' % ("💩" * 2000).encode(),
        b'{"event_type":"a","id":"%s"}' % (b"x" * 5000),
        b'{"event_type":"a","user_id":{"\\u0000":1}}',
        b'{"event_type":"\\ud800"}',
    ],
)
def test_an_error_that_quotes_hostile_input_can_be_stored(body: bytes) -> None:
    assert store_http([body])[0].status == "refused"

    letter = DeadLetter.objects.get()
    assert "\x00" not in letter.error
    assert 0 < len(letter.error) <= 1000


def test_dead_letters_come_in_the_order_of_the_batch(stretch: Stretch) -> None:
    values = [b"1", raw(timestamp="1999-01-01T00:00:00Z"), b"{", raw(), b"", b"[]"]

    store_kafka(batch(stretch, [record(n, value) for n, value in enumerate(values)]))

    letters = DeadLetter.objects.order_by("pk").values_list("kafka_offset", "reason")
    assert list(letters) == [
        (0, "not_an_object"),
        (1, "too_old"),
        (2, "invalid_json"),
        (4, "empty"),
        (5, "not_an_object"),
    ]


def test_what_was_stored_makes_no_dead_letter() -> None:
    body = raw()
    store_http([body, body])

    assert DeadLetter.objects.count() == 0
