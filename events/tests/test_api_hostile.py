"""Whatever arrives as a body, a parameter or a header: an answer in JSON, never a 500."""

from typing import Any

import pytest
from django.test import Client

from events.models import Event
from events.tests.api import BATCH, EVENTS, post, read

pytestmark = pytest.mark.django_db

VALUES = [
    b"NaN", b"Infinity", b"-Infinity", b"1e400", b"1e200000", b"1e-400", b"1e-100000", b"-0", b"-0.0",
    b"01", b"+1", b".5", b"1.", b"0x1", b"9" * 40, b"9" * 5000, b"1" + b"0" * 300 + b"e-300", b'"\\ud800"',
    b'"\\udc00\\ud800"', b'"\xff"', b'"\xed\xa0\x80"', b'"\xf4\xbf\xbf\xbf"', b'"\\u0000"', b'"\x00"',
    b'"\x1f"', b'"\\x"', b'"unterminated', b"'single'", b"tru", b"True", b"null", b"{}", b"[]", b"{,}",
    b"[,]", b'{"a"}', b'{"a":1,}', b"{1:2}", b'{"a":1,"a":2}', b"[" * 500 + b"]" * 500,
    b"[" * 50_000 + b"]" * 50_000, b"[" * 50_000, b'{"":' * 2000 + b"1" + b"}" * 2000, b"/* comment */ 1",
    b"1 // comment", b"\xef\xbb\xbf1", b"\xff\xfe1\x00", b"\x00", b"\x80", b'"\xe2\x80\xa8"',
    b'"\xef\xbf\xbf"', b'"\xf0\x9f\x92\xa9"', b'"' + b"x" * 9000 + b'"', b'{"\\u0000":1}',
    b'{"' + b"k" * 9000 + b'":1}', b"{" + b",".join(b'"%d":1' % i for i in range(300)) + b"}",
    b'"\'; DROP TABLE events; --"', b'"%s %(x)s {} \\\\"', b'"\\\\N"', b'"\\\\."', b'"\\t\\n\\r\\b"',
]  # fmt: skip
TEMPLATES = [
    b"%s",
    b'{"event_type":%s}',
    b'{"event_type":"a","properties":%s}',
    b'{"event_type":"a","properties":{"x":%s}}',
    b'{"event_type":"a","user_id":%s}',
    b'{"event_type":"a","id":%s}',
    b'{"event_type":"a","timestamp":%s}',
    b'{"event_type":"a","source":%s}',
    b'{"event_type":"a",%s:1}',
]


@pytest.mark.parametrize("template", TEMPLATES)
def test_hostile_json_as_an_event(client: Client, template: bytes) -> None:
    for value in VALUES:
        response = post(client, template.replace(b"%s", value))
        assert response.status_code in (201, 400, 413), (value[:60], response.status_code, response.content)
        assert response.json()
    assert read(client).status_code == 200


@pytest.mark.parametrize("template", TEMPLATES)
def test_hostile_lines_cost_their_neighbours_nothing(client: Client, template: bytes) -> None:
    good = b'{"event_type":"good"}'
    lines = [part for value in VALUES for part in (good, template.replace(b"%s", value))]

    response = post(client, b"\n".join(lines), BATCH, "application/x-ndjson")

    assert response.status_code == 200
    assert Event.objects.filter(event_type="good").count() == len(VALUES)
    answer = response.json()
    assert answer["received"] == answer["stored"] + answer["duplicates"] + answer["refused"] == len(lines)


@pytest.mark.parametrize("value", VALUES)
def test_hostile_json_within_an_array(client: Client, value: bytes) -> None:
    response = post(client, b'[{"event_type":"good"},%s]' % value, BATCH)

    assert response.status_code in (200, 400)
    assert response.json()


STRINGS = [
    "\x00", "a\x00b", "'", '"', "';--", "1' OR '1'='1", "\\", "%", "%s", "%(x)s", "%%", "{}", "$1", "?",
    "\n", "\ufeff", "\u202e", "💩", "\U0010ffff", "x" * 9000, "null", "true", "NaN", "Infinity", "1e999",
    "1e-999", "9" * 60, "-1", "0", "1e5", " ", "../..", "<script>", "\ud7ff",
]  # fmt: skip


@pytest.mark.parametrize(
    "name",
    [
        "start_time",
        "end_time",
        "event_type",
        "user_id",
        "session_id",
        "limit",
        "cursor",
        "properties.a",
        "properties.a.b",
    ],
)
def test_hostile_parameters(client: Client, name: str) -> None:
    for value in STRINGS:
        response = read(client, **{name: value})
        assert response.status_code in (200, 400), (value, response.content)


@pytest.mark.parametrize("value", STRINGS)
def test_hostile_property_paths(client: Client, value: str) -> None:
    response = read(client, **{f"properties.{value}": "1"})

    assert response.status_code in (200, 400)


@pytest.mark.parametrize("value", STRINGS)
def test_hostile_ids(client: Client, value: str) -> None:
    response: Any = client.get(f"{EVENTS}/x{value}", {"source": value})

    assert response.status_code in (400, 404)
    assert response.json()["error"]


@pytest.mark.parametrize("given", ["a\r\nSet-Cookie: x=1", "a b", "x" * 129, "ä", "", "\x00"])
def test_a_request_id_that_is_not_sane_is_replaced(client: Client, given: str) -> None:
    response = client.get("/api/v1/nothing", headers={"X-Request-ID": given})

    assert response["X-Request-ID"] != given
    assert len(response["X-Request-ID"]) == 36


def test_a_sane_request_id_comes_back(client: Client) -> None:
    assert client.get("/api/v1/nothing", headers={"X-Request-ID": "gw-42/a"})["X-Request-ID"] == "gw-42/a"
