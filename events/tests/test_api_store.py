import uuid
from typing import Any

import pytest
from django.test import Client

from events.models import DeadLetter, Event
from events.tests.api import BATCH, ago, post, store

pytestmark = pytest.mark.django_db


def test_a_stored_event_is_answered_201_with_its_id(client: Client) -> None:
    response = post(client, {"event_type": "order.placed"})

    assert response.status_code == 201
    assert response.json()["success"] is True
    assert Event.objects.get().id == uuid.UUID(response.json()["event_id"])


def test_the_id_of_the_caller_is_kept(client: Client) -> None:
    event_id = str(uuid.uuid4())

    response = post(client, {"event_type": "order.placed", "id": event_id, "timestamp": ago(minutes=1)})

    assert response.json()["event_id"] == event_id


@pytest.mark.parametrize("timestamp", [{}, {"timestamp": ago(minutes=1)}])
def test_a_retry_changes_nothing(client: Client, timestamp: dict[str, str]) -> None:
    event = {"event_type": "order.placed", "id": str(uuid.uuid4()), "properties": {"price": 1.5}, **timestamp}
    first = post(client, event)

    again = post(client, event)

    assert (first.status_code, again.status_code) == (201, 201)
    assert again.json() == {**first.json(), "duplicate": True}
    assert Event.objects.count() == 1


def test_the_same_id_with_other_content_is_a_conflict(client: Client) -> None:
    event = {"event_type": "order.placed", "id": str(uuid.uuid4()), "timestamp": ago(minutes=1)}
    post(client, event)

    response = post(client, {**event, "event_type": "order.filled"})

    assert response.status_code == 409
    assert response.json()["reason"] == "conflict"
    assert Event.objects.get().event_type == "order.placed"


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (b"", "empty"),
        (b"{", "invalid_json"),
        (b"[]", "not_an_object"),
        (b"{}", "missing_event_type"),
        (b'{"event_type": ""}', "invalid_field"),
        (b'{"event_type": 5}', "invalid_field"),
        (b'{"event_type": "a", "properties": []}', "invalid_field"),
        (b'{"event_type": "a", "timestamp": "yesterday"}', "invalid_timestamp"),
        (b'{"event_type": "a", "timestamp": "1999-01-01T00:00:00Z"}', "too_old"),
        (b'{"event_type": "a", "timestamp": "2199-01-01T00:00:00Z"}', "in_future"),
        (b'{"event_type": "a", "properties": {"x": "\\u0000"}}', "nul_character"),
        (b'{"event_type": "a", "properties": {"x": ' + b"9" * 30 + b"}}", "number_out_of_range"),
    ],
)
def test_a_refused_event_is_answered_400_with_the_reason(client: Client, body: bytes, reason: str) -> None:
    response = post(client, body)

    assert response.status_code == 400
    assert response.json()["error"] == "Invalid request body"
    assert response.json()["reason"] == reason
    assert response.json()["details"].startswith(f"{reason}: ")


def test_a_refused_event_is_kept_as_a_dead_letter(client: Client) -> None:
    post(client, b'{"no": "type"}')

    letter = DeadLetter.objects.get()
    assert (letter.source, bytes(letter.raw)) == ("http", b'{"no": "type"}')


def test_a_batch_tells_what_became_of_each_event(client: Client) -> None:
    known = {"event_type": "a", "id": str(uuid.uuid4()), "timestamp": ago(minutes=1)}
    store(client, known)

    response = post(client, [{"event_type": "b"}, 17, known], BATCH)

    assert response.status_code == 200
    answer = response.json()
    assert [answer[key] for key in ("received", "stored", "duplicates", "refused")] == [3, 1, 1, 1]
    assert [result["status"] for result in answer["results"]] == ["stored", "refused", "duplicate"]
    assert answer["results"][1]["index"] == 1
    assert answer["results"][1]["reason"] == "not_an_object"
    assert answer["results"][2]["event_id"] == known["id"]


@pytest.mark.parametrize("content_type", ["application/x-ndjson", "application/ndjson", "application/jsonl"])
def test_a_batch_may_be_lines(client: Client, content_type: str) -> None:
    body = b'{"event_type":"a"}\r\n\n  \n{broken\n{"event_type":"b"}'

    answer = post(client, body, BATCH, content_type).json()

    assert [result["status"] for result in answer["results"]] == ["stored", "refused", "stored"]


@pytest.mark.parametrize("body", [b"[]", b" [ ] "])
def test_an_empty_batch_stores_nothing(client: Client, body: bytes) -> None:
    assert post(client, body, BATCH).json() == {
        "received": 0,
        "stored": 0,
        "duplicates": 0,
        "refused": 0,
        "results": [],
    }


def test_an_event_nested_too_deep_costs_its_neighbours_nothing(client: Client) -> None:
    deep = b'{"event_type":"deep","properties":{"a":' + b"[" * 3000 + b"]" * 3000 + b"}}"
    body = b'[{"event_type":"a, [\\"b"}, ' + deep + b' ,{"event_type":"c"}]'

    answer = post(client, body, BATCH).json()

    assert [result.get("reason", "-") for result in answer["results"]] == ["-", "too_deep", "-"]
    assert sorted(Event.objects.values_list("event_type", flat=True)) == ['a, ["b', "c"]


def test_decimals_come_back_exactly_as_sent(client: Client) -> None:
    price = "50000.123456789012345678901234567890"
    post(client, f'{{"event_type":"a","properties":{{"price":{price}}}}}'.encode())

    assert f'"price": {price}'.encode() in client.get("/api/v1/events").content


@pytest.mark.parametrize("path", ["/api/v1/events/", "/api/v1/events/batch/", "/api/v1/nothing"])
def test_an_unknown_address_is_a_json_404(client: Client, path: str) -> None:
    response = client.post(path, b"{}", content_type="application/json")

    assert response.status_code == 404
    assert response.json()["error"] == "Not found"


@pytest.mark.parametrize(
    ("method", "path"), [("delete", "/api/v1/events"), ("get", "/api/v1/events/batch"), ("put", "/api/v1/events/x")]
)
def test_another_method_is_refused(client: Client, method: str, path: str) -> None:
    response: Any = getattr(client, method)(path)

    assert response.status_code == 405
    assert response.json()["error"] == "Method not allowed"
