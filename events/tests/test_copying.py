"""Rows into `events`: known ones told from new ones, bad ones found without harm to their neighbours."""

import json
from collections import Counter
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest
from django.db import connection

from events.models import DeadLetter, Event
from events.reasons import Reason
from events.store import Outcome, store_http
from events.tests.factories import event, raw

pytestmark = pytest.mark.django_db


def dump(events: list[dict[str, Any]]) -> list[bytes]:
    return [json.dumps(fields).encode() for fields in events]


def spelled(fields: dict[str, Any], properties: str) -> bytes:
    """An event whose properties are written just so."""
    return json.dumps({**fields, "properties": "$"}).replace('"$"', properties).encode()


def yesterday() -> str:
    return (datetime.now(UTC) - timedelta(days=1)).date().isoformat()


def statuses(outcomes: list[Outcome]) -> Counter[str]:
    return Counter(outcome.status for outcome in outcomes)


# The same to jsonb, and so the same event: a producer may write it anew for each try.
EQUAL = [
    ('{"a":1.0}', '{"a":1.00}'),
    ('{"a":100}', '{"a":1e2}'),
    ('{"a":0.0}', '{"a":-0.0}'),
    ('{"a":1,"b":2}', '{ "b": 2,\n\t"a": 1 }'),
    ('{"a":"é"}', '{"a":"\\u00e9"}'),
    ('{"a":"/"}', '{"a":"\\/"}'),
    ('{"a":2}', '{"a":1,"a":2}'),
    ("{}", "null"),
]
DIFFERENT = [
    ('{"a":1}', '{"a":2}'),
    ('{"a":1}', '{"a":"1"}'),
    ('{"a":1}', '{"a":1,"b":null}'),
    ('{"a":[1,2]}', '{"a":[2,1]}'),
    ('{"a":0.1}', '{"a":0.1000000000000000055511151231257827}'),
    ('{"a":null}', "{}"),
    ('{"a":false}', '{"a":0}'),
]


@pytest.mark.parametrize(("first", "second"), EQUAL)
def test_equal_content_is_a_duplicate_in_one_batch_and_in_two(first: str, second: str) -> None:
    one, two = event(), event()

    together = store_http([spelled(one, first), spelled(one, second)])
    apart = [store_http([spelled(two, text)])[0] for text in (first, second)]

    assert [outcome.status for outcome in together + apart] == ["stored", "duplicate"] * 2
    assert DeadLetter.objects.count() == 0


@pytest.mark.parametrize(("first", "second"), DIFFERENT)
def test_other_content_is_a_conflict_in_one_batch_and_in_two(first: str, second: str) -> None:
    one, two = event(), event()

    together = store_http([spelled(one, first), spelled(one, second)])
    apart = [store_http([spelled(two, text)])[0] for text in (first, second)]

    assert [outcome.status for outcome in together + apart] == ["stored", "refused"] * 2
    assert [letter.reason for letter in DeadLetter.objects.all()] == [Reason.CONFLICT] * 2
    assert [stored.properties for stored in Event.objects.all()] == [json.loads(first)] * 2


@pytest.mark.parametrize("field", ["event_type", "user_id", "session_id"])
@pytest.mark.parametrize("other", ["other", None])
def test_another_type_user_or_session_is_a_conflict(field: str, other: str | None) -> None:
    first = event()
    store_http(dump([first]))
    second = {**first, field: other or ("else" if field == "event_type" else None)}

    outcome = store_http(dump([second]))[0]

    assert (outcome.status, outcome.reason) == ("refused", "conflict")
    assert bytes(DeadLetter.objects.get().raw) == dump([second])[0]


@pytest.mark.parametrize("known", [0, 1, 250, 499, 500])
def test_a_batch_with_known_events(known: int) -> None:
    events = [raw() for _ in range(500)]
    store_http(events[:known])

    outcomes = store_http(events)

    assert statuses(outcomes) == Counter({"duplicate": known, "stored": 500 - known})
    assert Event.objects.count() == 500


def test_a_batch_of_one_event_many_times() -> None:
    outcomes = store_http([raw(id=str(uuid4()))] * 100)

    assert [outcome.status for outcome in outcomes] == ["stored"] + ["duplicate"] * 99
    assert len({(outcome.event_id, outcome.timestamp) for outcome in outcomes}) == 1


def test_of_conflicting_events_the_first_is_stored() -> None:
    one = event()
    contents = [{**one, "properties": {"n": n}} for n in (5, 3, 5, 4)]

    outcomes = store_http(dump(contents))

    assert [outcome.status for outcome in outcomes] == ["stored", "refused", "duplicate", "refused"]
    assert Event.objects.get().properties == {"n": 5}


def test_the_same_id_at_another_time_is_another_event() -> None:
    one = event()
    earlier = {**one, "timestamp": (datetime.now(UTC) - timedelta(days=3)).isoformat()}

    assert statuses(store_http(dump([one, earlier]))) == {"stored": 2}


def test_another_spelling_of_the_time_is_the_same_event() -> None:
    one = event(timestamp="2026-11-23T01:00:00.5+02:00")
    today = datetime.now(UTC).date()
    texts = [f"{today}T00:00:00.5+00:00", f"{today}T00:00:00.500Z", f"{today}T02:00:00.500000+02:00"]

    outcomes = store_http(dump([{**one, "timestamp": text} for text in texts]))

    assert [outcome.status for outcome in outcomes] == ["stored", "duplicate", "duplicate"]


# What passes our checks, for they would cost every event time, and PostgreSQL refuses.
REFUSED_BY_POSTGRES = [
    '{"x":0.%s}' % ("1" * 17_000),
    '{"x":0e99999999999999999999}',
]


@pytest.mark.parametrize("properties", REFUSED_BY_POSTGRES)
@pytest.mark.parametrize("place", [0, 500, 999])
def test_a_row_that_postgresql_refuses_costs_only_itself(properties: str, place: int) -> None:
    bodies = [raw() for _ in range(999)]
    bodies.insert(place, spelled(event(), properties))

    outcomes = store_http(bodies)

    assert statuses(outcomes) == {"stored": 999, "refused": 1}
    assert outcomes[place].reason == "storage_refused"
    letter = DeadLetter.objects.get()
    assert (letter.reason, bytes(letter.raw)) == ("storage_refused", bodies[place])


def test_many_such_rows_among_known_ones() -> None:
    bad = [spelled(event(), REFUSED_BY_POSTGRES[1]) for _ in range(20)]
    known, new = [raw() for _ in range(50)], [raw() for _ in range(50)]
    store_http(known)

    outcomes = store_http([*known, *bad, *new, *known])

    assert statuses(outcomes) == {"stored": 50, "duplicate": 100, "refused": 20}
    assert Event.objects.count() == 100


def test_such_a_row_behind_a_known_one_in_a_large_batch() -> None:
    """COPY meets the known row first, so the bad one is met only in the temporary table."""
    known, bad = raw(timestamp=f"{yesterday()}T00:00:00Z"), event()
    bodies = [known, *[raw() for _ in range(1500)], spelled(bad, REFUSED_BY_POSTGRES[1])]
    store_http([known])

    outcomes = store_http(bodies)

    assert statuses(outcomes) == {"duplicate": 1, "stored": 1500, "refused": 1}
    assert outcomes[-1].reason == "storage_refused"


def test_a_row_that_a_constraint_refuses_costs_only_itself() -> None:
    with connection.cursor() as cursor:
        cursor.execute("ALTER TABLE events ADD CONSTRAINT no_bad CHECK (event_type <> 'bad')")
    bodies = [raw(event_type="bad" if n in (0, 7, 63) else "good") for n in range(64)]

    outcomes = store_http(bodies)

    assert [n for n, outcome in enumerate(outcomes) if outcome.status == "refused"] == [0, 7, 63]
    assert Event.objects.filter(event_type="good").count() == 61


def test_a_time_before_1970_is_refused_however_long_events_are_kept(configure: Any) -> None:
    configure("analytics.retention.raw_events", timedelta(days=36_500))

    outcomes = store_http([raw(timestamp="1969-12-31T23:59:59.999999Z"), raw(timestamp="1970-01-01T00:00:00Z")])

    assert [outcome.status for outcome in outcomes] == ["refused", "stored"]


@pytest.mark.parametrize(
    "text",
    [
        "\\",
        "\\N",
        "\\.",
        "\\n",
        "a\tb",
        "a\nb",
        "a\r\nb",
        "\x7f",
        "\x0b\x0c\x08\x1b",
        "%s",
        "'",
        '"',
        "\ufeff",
        "\uffff",
        "💩",
        " ",
    ],
)
def test_a_text_comes_back_as_it_was_sent(text: str) -> None:
    store_http([raw(event_type=text, user_id=text, session_id=text, properties={text: [text, {"x": text}]})])

    stored = Event.objects.get()

    assert [stored.event_type, stored.user_id, stored.session_id] == [text] * 3
    assert stored.properties == {text: [text, {"x": text}]}


def test_line_ends_between_tokens_are_no_line_ends_of_copy() -> None:
    body = b'{\n\t"event_type"\r\n:\t"a",\n"properties"\n:\n{\r\n\t"x"\n:\t[\n1\n,\r2\t]\n}\n}\n'

    assert statuses(store_http([body, body])) == {"stored": 2}
    assert {str(stored.properties) for stored in Event.objects.all()} == {"{'x': [1, 2]}"}


def test_an_empty_text_is_not_null() -> None:
    store_http([raw(user_id="", session_id=None)])

    assert Event.objects.values_list("user_id", "session_id").get() == ("", None)
