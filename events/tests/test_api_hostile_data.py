"""The public collections of hostile input as HTTP bodies and parameters."""

import json
from collections import Counter

import pytest
from django.test import Client

from events.models import Event
from events.tests.api import BATCH, EVENTS, post, read
from tests.datasets.hostile import cloud_events, json_cases, naughty_strings

pytestmark = pytest.mark.django_db
WRAPPED = b'{"event_type":"a","properties":{"x":%s}}'


def test_the_parsing_suite_as_bodies(client: Client) -> None:
    cases = list(json_cases())
    statuses: Counter[int] = Counter()
    for case in cases:
        for body in (case.body, WRAPPED.replace(b"%s", case.body)):
            response = post(client, body)
            assert "error" in response.json() or response.json()["success"], case.name
            statuses[response.status_code] += 1

    assert len(cases) == 318
    assert set(statuses) <= {201, 400, 413}


def test_the_parsing_suite_within_arrays(client: Client) -> None:
    for case in json_cases():
        response = post(client, b'[{"event_type":"good"},%s]' % WRAPPED.replace(b"%s", case.body), BATCH)

        # Brackets out of place may end the array; what is JSON never does.
        assert response.status_code in ((200,) if case.verdict == "y" else (200, 400)), case.name


def test_the_parsing_suite_as_lines_costs_no_neighbour(client: Client) -> None:
    lines = [line for case in json_cases() for line in (b'{"event_type":"good"}', case.body.replace(b"\n", b" "))]

    response = post(client, b"\n".join(lines), BATCH, "application/x-ndjson")

    assert response.status_code == 200
    assert Event.objects.filter(event_type="good").count() == 318


def test_naughty_strings_come_back_byte_for_byte(client: Client) -> None:
    strings = [text for text in naughty_strings() if "\x00" not in text]
    events = [{"event_type": "naughty", "properties": {"text": text, "n": n}} for n, text in enumerate(strings)]
    post(client, json.dumps(events, ensure_ascii=False).encode(), BATCH)

    back = {
        event["properties"]["n"]: event["properties"]["text"] for event in read(client, limit=1000).json()["events"]
    }

    assert back == dict(enumerate(strings))


def test_naughty_strings_find_themselves(client: Client) -> None:
    strings = [text for text in naughty_strings() if text and "\x00" not in text]
    for text in strings:
        post(client, {"event_type": "naughty", "user_id": text, "properties": {"text": text}})

    for text in strings:
        response = read(client, user_id=text, **{"properties.text": text})
        assert response.status_code == 200
        assert response.json()["events"][0]["user_id"] == text


def test_cloud_events_are_answered(client: Client) -> None:
    for vector in cloud_events():
        assert post(client, vector.event).status_code == 400, vector.name
        assert post(client, {"event_type": "cloud", "properties": {"event": vector.event}}).status_code == 201


def test_naughty_strings_are_no_ids(client: Client) -> None:
    for text in naughty_strings():
        response = client.get(f"{EVENTS}/x", {"source": text})
        assert response.status_code in (400, 404)
