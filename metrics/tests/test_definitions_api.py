import gzip
from datetime import UTC, datetime, timedelta
from typing import Any

import orjson
import pytest
from django.test import Client

from metrics.definitions import rules
from metrics.definitions.models import MetricDefinition
from metrics.models import MetricSeries
from metrics.tests.factories import define

pytestmark = pytest.mark.django_db

PATH = "/api/v1/metrics/definitions"
SLIPPAGE = {
    "name": "desk.slippage",
    "event_types": ["order.filled", "order.partially_*"],
    "value_property": "slippage_bps",
    "filters": {"side": "BUY"},
    "dimensions": ["symbol"],
    "unit": "bps",
    "default_aggregation": "p95",
    "max_series": 50,
    "description": "What fills cost beside the price.",
}


def send(client: Client, method: str, body: Any, path: str = PATH) -> Any:
    raw = body if isinstance(body, bytes) else orjson.dumps(body)
    return client.generic(method, path, raw, content_type="application/json")


def test_a_metric_is_defined(client: Client) -> None:
    response = send(client, "POST", SLIPPAGE)

    answer = response.json()
    assert response.status_code == 201
    assert {name: answer[name] for name in SLIPPAGE} == SLIPPAGE
    assert (answer["active"], answer["series"], answer["backfill_pending"]) == (True, 0, False)
    assert client.get(f"{PATH}/desk.slippage").json() == answer


def test_little_is_enough(client: Client) -> None:
    answer = send(client, "POST", {"name": "logins", "event_types": ["user.login"]}).json()

    assert (answer["value_property"], answer["default_aggregation"], answer["max_series"]) == ("", "count", 200)


def test_it_counts_from_its_next_minutes_on(client: Client) -> None:
    answer = send(client, "POST", SLIPPAGE).json()

    ahead = datetime.fromisoformat(answer["complete_from"]) - datetime.now(UTC)
    assert timedelta(0) < ahead <= timedelta(minutes=2)


def test_a_name_is_taken_once(client: Client) -> None:
    send(client, "POST", SLIPPAGE)

    response = send(client, "POST", SLIPPAGE)

    assert response.status_code == 409
    assert "desk.slippage" in response.json()["details"]


def test_the_same_name_in_another_project_is_free(client: Client) -> None:
    define(project_id=2)

    assert client.get(f"{PATH}/desk.slippage").status_code == 404
    assert send(client, "POST", SLIPPAGE).status_code == 201


@pytest.mark.parametrize(
    ("field", "value", "told"),
    [
        ("name", "Desk.Slippage", "lowercase"),
        ("name", "x" * 101, "100 characters"),
        ("name", 5, "lowercase"),
        ("name", "a..b", "lowercase"),
        ("name", "trading.total_volume", "taken by the service"),
        ("name", "events.count.order.filled", "events.count."),
        ("name", "definitions", "taken by the service"),
        ("event_types", [], "1 to 20"),
        ("event_types", "order.filled", "1 to 20"),
        ("event_types", ["x"] * 2, "twice"),
        ("event_types", [f"x{i}" for i in range(21)], "1 to 20"),
        ("event_types", [5], "1 to 255"),
        ("event_types", ["a" * 256], "1 to 255"),
        ("event_types", ["a?"], "not allowed"),
        ("event_types", ["[ab]"], "not allowed"),
        ("event_types", ["*a*b*c*"], "at most 3"),
        ("event_types", ["a**"], "next to each other"),
        ("event_types", ["a\u0000"], "1 to 255"),
        ("value_property", "x" * 101, "1 to 100"),
        ("value_property", " x", "spaces"),
        ("value_property", "change_%", "no %"),
        ("value_property", None, "1 to 100"),
        ("filters", {f"p{i}": "x" for i in range(6)}, "at most 5"),
        ("filters", {"side": 5}, "must be text"),
        ("filters", {"side": "x" * 201}, "at most 200"),
        ("filters", {"": "x"}, "1 to 100"),
        ("filters", ["side"], "at most 5"),
        ("dimensions", [f"p{i}" for i in range(6)], "at most 5"),
        ("dimensions", ["a", "a"], "twice"),
        ("dimensions", ["_other"], "beyond the limit"),
        ("dimensions", [["a"]], "1 to 100"),
        ("dimensions", "symbol", "at most 5"),
        ("unit", "x" * 51, "at most 50"),
        ("unit", 5, "at most 50"),
        ("description", "x" * 1001, "at most 1000"),
        ("default_aggregation", "median", "count, sum, avg"),
        ("default_aggregation", "unique", "count, sum, avg"),
        ("max_series", 0, "1 to 1000"),
        ("max_series", 1001, "1 to 1000"),
        ("max_series", "7", "1 to 1000"),
        ("max_series", True, "1 to 1000"),
        ("max_series", 1.5, "1 to 1000"),
        ("active", "yes", "true or false"),
        ("active", None, "true or false"),
    ],
)
def test_what_is_wrong_is_told_by_field_and_limit(client: Client, field: str, value: Any, told: str) -> None:
    response = send(client, "POST", SLIPPAGE | {field: value})

    answer = response.json()
    assert response.status_code == 400, answer
    assert answer["error"] == "Invalid definition"
    assert list(answer["fields"]) == [field]
    assert answer["details"].startswith(f"{field}: ")
    assert told in answer["details"]
    assert not MetricDefinition.objects.exists()


def test_a_metric_that_counts_has_no_average(client: Client) -> None:
    body = SLIPPAGE | {"value_property": "", "default_aggregation": "avg"}

    assert "count, rate" in send(client, "POST", body).json()["details"]


def test_everything_wrong_is_told_at_once(client: Client) -> None:
    answer = send(client, "POST", SLIPPAGE | {"name": "X", "unit": 5, "max_series": 0}).json()

    assert sorted(answer["fields"]) == ["max_series", "name", "unit"]


@pytest.mark.parametrize(
    ("body", "told"),
    [
        (b"{", "not JSON"),
        (b"[]", "JSON object"),
        (b"", "not JSON"),
        (b"[" * 100_000, "not JSON"),
        (b'{"project_id": 2}', "unknown field 'project_id'"),
    ],
)
def test_a_body_that_is_no_definition_is_refused(client: Client, body: bytes, told: str) -> None:
    response = send(client, "POST", body)

    assert response.status_code == 400
    assert told in response.json()["details"]


def test_a_missing_name_or_type_is_told(client: Client) -> None:
    assert sorted(send(client, "POST", {}).json()["fields"]) == ["event_types", "name"]


def test_a_body_may_be_gzip(client: Client) -> None:
    raw = gzip.compress(orjson.dumps(SLIPPAGE))

    response = client.generic("POST", PATH, raw, content_type="application/json", HTTP_CONTENT_ENCODING="gzip")

    assert response.status_code == 201


def test_too_many_active_ones_are_refused(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rules, "MAX_ACTIVE", 1)
    define("first")

    refused = send(client, "POST", SLIPPAGE)

    assert "at most 1 metrics" in refused.json()["details"]
    assert send(client, "POST", SLIPPAGE | {"active": False}).status_code == 201


def test_definitions_are_listed_with_their_series(client: Client) -> None:
    define("b.two")
    define("a.one", active=False)
    for symbol in ("A", "B"):
        MetricSeries.objects.create(project_id=1, metric_name="b.two", dimensions={"symbol": symbol})

    answer = client.get(PATH).json()

    assert [(row["name"], row["series"], row["max_series"]) for row in answer["definitions"]] == [
        ("a.one", 0, 200),
        ("b.two", 2, 200),
    ]
    assert [row["name"] for row in client.get(PATH, {"active": "true"}).json()["definitions"]] == ["b.two"]
    assert client.get(PATH, {"active": "1"}).status_code == 400
    assert client.get(PATH, {"limit": "1"}).status_code == 400


def test_what_does_not_change_the_meaning_can_be_changed(client: Client) -> None:
    define()
    change = {"unit": "%", "description": "x", "max_series": 5, "default_aggregation": "max"}

    response = send(client, "PATCH", change, f"{PATH}/desk.slippage")

    assert response.status_code == 200
    assert change.items() <= response.json().items()
    assert response.json()["dimensions"] == ["symbol"]


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("name", "desk.other"),
        ("event_types", ["order.placed"]),
        ("value_property", ""),
        ("filters", {"side": "BUY"}),
        ("dimensions", []),
    ],
)
def test_another_meaning_takes_another_name(client: Client, field: str, value: Any) -> None:
    define(default_aggregation="count")

    response = send(client, "PATCH", {field: value}, f"{PATH}/desk.slippage")

    assert response.status_code == 400
    assert response.json()["fields"].keys() == {field}
    assert "another name" in response.json()["details"]


def test_put_gives_the_default_to_what_is_left_out(client: Client) -> None:
    define(description="x")
    body = {"name": "desk.slippage", "event_types": ["order.filled"], "value_property": "slippage_bps"}

    same = send(client, "PUT", body | {"dimensions": ["symbol"]}, f"{PATH}/desk.slippage").json()

    assert (same["description"], same["unit"]) == ("", "")
    assert send(client, "PUT", body, f"{PATH}/desk.slippage").status_code == 400  # without its dimensions


def test_deleting_switches_off_and_keeps_the_name(client: Client) -> None:
    define()

    assert client.delete(f"{PATH}/desk.slippage").status_code == 204
    assert client.delete(f"{PATH}/desk.slippage").status_code == 204

    assert client.get(f"{PATH}/desk.slippage").json()["active"] is False
    assert send(client, "POST", SLIPPAGE).status_code == 409


def test_a_backfill_is_noted(client: Client) -> None:
    define()

    response = send(client, "POST", b"", f"{PATH}/desk.slippage/backfill")

    assert response.status_code == 202
    assert response.json()["backfill_pending"] is True


def test_an_inactive_metric_is_not_backfilled(client: Client) -> None:
    define(active=False)

    assert send(client, "POST", b"", f"{PATH}/desk.slippage/backfill").status_code == 409


def test_switching_on_backfills(client: Client) -> None:
    define(active=False)

    answer = send(client, "PATCH", {"active": True}, f"{PATH}/desk.slippage").json()

    assert answer["backfill_pending"] is True
    assert datetime.fromisoformat(answer["complete_from"]) > datetime.now(UTC)


@pytest.mark.parametrize("name", ["unknown", "trading.total_volume", "a%00b", "%2F"])
def test_an_unknown_definition_is_not_found(client: Client, name: str) -> None:
    response = client.get(f"{PATH}/{name}")

    assert response.status_code == 404
    assert set(response.json()) == {"error", "details"}
