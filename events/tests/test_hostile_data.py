"""Public collections of what breaks JSON parsers and databases, through the write path."""

import json
from itertools import chain
from typing import Any

import pytest
from django.db import connection

from events.envelope import parse
from events.limits import Limits
from events.models import DeadLetter, Event
from events.records import Stretch
from events.refusal import Refused
from events.store import store_http, store_kafka
from events.tests.factories import batch, raw, record
from tests.datasets.hostile import CloudEvent, JsonCase, cloud_events, json_cases
from tests.datasets.hostile import naughty_strings as strings


@pytest.fixture
def parsing_suite() -> list[JsonCase]:
    return list(json_cases())


@pytest.fixture
def naughty_strings() -> list[str]:
    return strings()


@pytest.fixture
def vectors() -> list[CloudEvent]:
    return list(cloud_events())


def as_property(value: bytes) -> bytes:
    return b'{"event_type":"a","properties":{"x":%s}}' % value


def accepted(value: bytes) -> bool:
    try:
        parse(value, Limits.configured())
    except Refused:
        return False
    return True


def test_what_is_no_json_is_refused(parsing_suite: list[JsonCase]) -> None:
    invalid = [case for case in parsing_suite if case.verdict == "n"]

    assert len(invalid) == 188
    assert [case.name for case in invalid if accepted(case.body)] == []
    assert [case.name for case in invalid if accepted(as_property(case.body))] == []


def test_what_is_json_makes_a_property(parsing_suite: list[JsonCase]) -> None:
    valid = [case for case in parsing_suite if case.verdict == "y"]

    assert len(valid) == 95
    # All but those with \u0000, which PostgreSQL cannot store.
    refused = [case.name for case in valid if not accepted(as_property(case.body))]
    assert refused == ["y_object_escaped_null_in_key", "y_string_null_escape"]


def test_what_parsers_may_choose_is_accepted_or_refused(parsing_suite: list[JsonCase]) -> None:
    free = [case.body for case in parsing_suite if case.verdict == "i"]

    assert len(free) == 35
    assert {accepted(value) for value in map(as_property, free)} <= {True, False}
    assert {accepted(value) for value in free} == {False}


@pytest.mark.django_db
def test_no_hostile_file_costs_its_neighbours(parsing_suite: list[JsonCase], stretch: Stretch) -> None:
    contents = [case.body for case in parsing_suite]
    values = list(chain.from_iterable((raw(event_type="good"), content, as_property(content)) for content in contents))
    records = [record(offset, value) for offset, value in enumerate(values)]

    figures = store_kafka(batch(stretch, records))

    assert Event.objects.filter(event_type="good").count() == len(contents)
    assert figures.received == figures.stored + figures.refused == len(values)
    assert figures.stored == Event.objects.count()
    refused = DeadLetter.objects.order_by("kafka_offset")
    assert [bytes(letter.raw) for letter in refused] == [values[letter.kafka_offset or 0] for letter in refused]
    assert "storage_refused" not in refused.values_list("reason", flat=True)


@pytest.mark.django_db
def test_naughty_strings_come_back_byte_for_byte(naughty_strings: list[str]) -> None:
    events = [
        raw(event_type=f"{n}:{text}"[:255], user_id=text[:255], session_id=text[:255], properties={text: text, "n": n})
        for n, text in enumerate(naughty_strings)
    ]

    assert {outcome.status for outcome in store_http(events)} == {"stored"}

    wanted = [(f"{n}:{text}"[:255], text[:255], text) for n, text in enumerate(naughty_strings)]
    by_orm: list[Any] = [
        (stored.event_type, stored.user_id, next(value for value in stored.properties.values() if value != n))
        for n, stored in enumerate(sorted(Event.objects.all(), key=lambda stored: stored.properties["n"]))
    ]
    assert by_orm == wanted
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT convert_to(event_type, 'UTF8'), convert_to(user_id, 'UTF8'), convert_to(properties ->> key, 'UTF8')"
            " FROM events, unnest(%s::text[]) WITH ORDINALITY AS t (key, n)"
            " WHERE (properties -> 'n')::int = n - 1 ORDER BY n",
            [naughty_strings],
        )
        by_sql = [tuple(bytes(value) for value in row) for row in cursor.fetchall()]
    assert by_sql == [tuple(text.encode() for text in row) for row in wanted]


@pytest.mark.django_db
def test_cloud_events_are_refused_for_they_name_no_event_type(vectors: list[CloudEvent]) -> None:
    """B25's envelope is another one: `type` is not `event_type`. Each refusal says what is missing."""
    bodies = [json.dumps(vector.event).encode() for vector in vectors]

    outcomes = store_http(bodies)

    assert {outcome.status for outcome in outcomes} == {"refused"}
    assert {outcome.reason for outcome in outcomes} <= {"missing_event_type", "invalid_field"}
    assert all(outcome.detail for outcome in outcomes)
    assert sorted(bytes(letter.raw) for letter in DeadLetter.objects.all()) == sorted(bodies)


@pytest.mark.parametrize("valid", [True, False])
def test_times_of_cloud_events_are_judged_as_their_makers_do(vectors: list[CloudEvent], valid: bool) -> None:
    times = [vector.event["time"] for vector in vectors if vector.valid is valid and "time" in vector.event]

    judged = {time: accepted(json.dumps({"event_type": "a", "timestamp": time}).encode()) for time in times}

    assert len(judged) >= 5
    assert set(judged.values()) == {valid}


@pytest.mark.django_db
def test_cloud_events_as_properties_come_back_as_they_were(vectors: list[CloudEvent]) -> None:
    outcomes = store_http([json.dumps({"event_type": "a", "properties": vector.event}).encode() for vector in vectors])

    stored = {str(event.id): event.properties for event in Event.objects.all()}
    assert [stored[outcome.event_id or ""] for outcome in outcomes] == [vector.event for vector in vectors]
