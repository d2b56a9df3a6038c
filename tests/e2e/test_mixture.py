"""Good, repeated, conflicting and hostile records side by side: each ends where it belongs."""

import json
import random
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from io import StringIO
from typing import Any, NamedTuple
from uuid import uuid4

import pytest
from django.core.management import call_command
from django.db import connection

from events.reasons import Reason
from tests.datasets.hostile import cloud_events, json_cases, naughty_strings
from tests.numbered import numbered, received_and_stored
from tests.pipeline import Pipeline, Place, Sent

pytestmark = pytest.mark.django_db

NOW = datetime.now(UTC)
STORED, DUPLICATE = "stored", "duplicate"
NUL = {"y_object_escaped_null_in_key", "y_string_null_escape"}


class Case(NamedTuple):
    """A Kafka value, and all that may become of it."""

    value: bytes | None
    allowed: frozenset[str]


class Letter(NamedTuple):
    reason: str
    raw: bytes
    error: str
    source: str


def case(value: bytes | None, *allowed: str) -> Case:
    return Case(value, frozenset(allowed))


def event(timestamp: datetime = NOW, **fields: Any) -> bytes:
    return json.dumps({"id": str(uuid4()), "event_type": "e2e", "timestamp": timestamp.isoformat()} | fields).encode()


def hand_made(originals: list[bytes]) -> Iterator[Case]:
    yield from (case(value, DUPLICATE) for value in originals[:200])
    for value in originals[:50]:
        yield case(json.dumps(json.loads(value) | {"event_type": "other"}).encode(), Reason.CONFLICT)
    yield from (case(numbered(number), STORED) for number in range(1000, 1500))
    yield case(None, Reason.EMPTY)
    yield case(b"", Reason.EMPTY)
    yield case(event(properties={"blob": ["x" * 5000] * 20}), Reason.TOO_LARGE)
    # Larger than what the consumer fetches at once, and close to what Kafka takes at most.
    yield case(event(properties={"blob": "x" * 900_000}), Reason.TOO_LARGE)
    yield case(event(NOW - timedelta(days=91)), Reason.TOO_OLD)
    yield case(event(NOW - timedelta(days=80)), STORED)
    yield case(event(NOW + timedelta(hours=2)), Reason.IN_FUTURE)
    yield case(event(NOW + timedelta(minutes=30)), STORED)
    yield case(event(properties=[1, 2]), Reason.INVALID_FIELD)
    yield case(event(user_id="u" * 300), Reason.INVALID_FIELD)
    yield case(b'{"event_type": "no id, no time"}', STORED)


def parsing_suite() -> Iterator[Case]:
    """Each file as a whole value, and as a property of an event."""
    refused: set[str] = {Reason.INVALID_JSON, Reason.TOO_LARGE, Reason.TOO_DEEP, Reason.EMPTY}
    no_event: set[str] = {Reason.NOT_AN_OBJECT, Reason.MISSING_EVENT_TYPE, Reason.NUL_CHARACTER}
    for name, raw, verdict in json_cases():
        as_value = {"y": no_event, "n": refused, "i": refused | no_event | {Reason.NUMBER_OUT_OF_RANGE}}[verdict]
        yield Case(raw, frozenset(as_value))
        inside = b'{"event_type": "suite.%s", "properties": {"value": %s}}' % (name.encode(), raw)
        as_property = {"y": {STORED}, "n": refused, "i": refused | {STORED, Reason.NUMBER_OUT_OF_RANGE}}[verdict]
        yield Case(inside, frozenset({Reason.NUL_CHARACTER} if name in NUL else as_property))


def naughty(text: str) -> bytes:
    return event(user_id=text, session_id=text, event_type=f"naughty{text}", properties={text: [text]})


def no_events() -> Iterator[Case]:
    """No CloudEvent has an event_type, so none is an event here; each is kept with a reason."""
    for _, cloud_event, _ in cloud_events():
        yield case(json.dumps(cloud_event).encode(), Reason.MISSING_EVENT_TYPE, Reason.INVALID_FIELD)


def dead_letters(pipeline: Pipeline) -> dict[Sent, Letter]:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT topic, kafka_partition, kafka_offset, reason, raw, error, source FROM dead_letters"
            " WHERE topic = ANY(%s)",
            [pipeline.topics],
        )
        return {
            Sent(Place(topic, partition), offset): Letter(reason, bytes(raw), error, source)
            for topic, partition, offset, reason, raw, error, source in cursor.fetchall()
        }


def rows(statement: str) -> list[tuple[Any, ...]]:
    with connection.cursor() as cursor:
        cursor.execute(statement)
        return list(cursor.fetchall())


def send_all(pipeline: Pipeline, cases: Iterable[Case]) -> dict[Sent, Case]:
    """Shuffled, over all partitions; answers where each case ended up in Kafka."""
    shuffled = list(cases)
    random.Random(25).shuffle(shuffled)
    return dict(zip(pipeline.send(case.value for case in shuffled), shuffled, strict=True))


def check(pipeline: Pipeline, sent: dict[Sent, Case]) -> None:
    """Each record ended where it belongs, and all figures agree on how many ended where."""
    letters = dead_letters(pipeline)
    for place, letter in letters.items():
        assert letter.reason in sent[place].allowed, (letter, sent[place].allowed)
        assert letter.raw == (sent[place].value or b"")
        assert letter.error
        assert letter.source == "kafka"
    undead = [expected for place, expected in sent.items() if place not in letters]
    assert all(expected.allowed & {STORED, DUPLICATE} for expected in undead)
    stored = sum(STORED in expected.allowed for expected in undead)
    assert rows("SELECT count(*) FROM events") == [(stored,)]
    assert received_and_stored(pipeline) == (len(sent), stored)
    assert reported() == [len(sent), stored, len(undead) - stored, len(letters)]


def reported() -> list[int]:
    """What `manage.py ingest_report` says: received, stored, duplicates, refused."""
    out = StringIO()
    call_command("ingest_report", stdout=out)
    assert "received = stored + duplicates + refused" in out.getvalue()
    total = next(line for line in out.getvalue().splitlines() if line.startswith("total"))
    return [int(number) for number in total.split()[2:6]]


def test_each_record_is_stored_a_duplicate_or_a_dead_letter(pipeline: Pipeline) -> None:
    pipeline.consumer()
    pipeline.worker()
    originals = [numbered(number) for number in range(1000)]
    sent = send_all(pipeline, (case(value, STORED) for value in originals))
    pipeline.wait_until_done()

    sent |= send_all(pipeline, hand_made(originals))
    pipeline.wait_until_done()

    check(pipeline, sent)


def test_hostile_suites_cost_their_neighbours_nothing(pipeline: Pipeline) -> None:
    pipeline.consumer()
    pipeline.worker()
    strings = naughty_strings()
    good = [case(naughty(text), STORED) for text in strings] + [case(numbered(n), STORED) for n in range(500)]

    sent = send_all(pipeline, [*good, *parsing_suite(), *no_events()])
    pipeline.wait_until_done()

    check(pipeline, sent)
    check_naughty_strings(strings)
    check_legal_json()


def check_naughty_strings(strings: list[str]) -> None:
    """They come back byte for byte, whichever field they were in."""
    stored = rows(
        "SELECT event_type, user_id, session_id, properties::text FROM events WHERE event_type LIKE 'naughty%'"
    )
    found = sorted(
        (event_type.removeprefix("naughty"), user, session, *json.loads(properties), *json.loads(properties).values())
        for event_type, user, session, properties in stored
    )
    assert found == sorted((text, text, text, text, [text]) for text in strings)


def check_legal_json() -> None:
    """What the suite says is legal comes back with the same values."""
    legal = {name: exact(raw) for name, raw, verdict in json_cases() if verdict == "y" and name not in NUL}
    stored = rows("SELECT event_type, properties::text FROM events WHERE event_type LIKE 'suite.y%'")
    found = {event_type.removeprefix("suite."): exact(text)["value"] for event_type, text in stored}
    assert found == legal


def exact(text: str | bytes) -> Any:
    return json.loads(text, parse_float=Decimal)
