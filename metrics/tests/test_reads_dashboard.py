"""The ten figures of the dashboard, each over its window, and the counts by type."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.core.cache import cache
from django.test import Client

from events.tests.api import post
from metrics.cache import Shelf
from metrics.reads import dashboard
from metrics.tests.factories import define
from metrics.tests.reading import hour, iso, put, roll_up

pytestmark = pytest.mark.django_db
DASHBOARD = "/api/v1/dashboard/metrics"
STATS = "/api/v1/events/stats"
FIELDS = [
    *("active_users", "events_per_second", "orders_placed", "orders_filled", "active_strategies", "total_volume"),
    *("average_latency", "error_rate", "custom_metrics", "last_updated"),
]


@pytest.fixture(params=["facts", "rollups", "both"])
def source(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def look(client: Client) -> Any:
    response = client.get(DASHBOARD)
    assert response.status_code == 200, response.content
    return response.json()


def roll(source: str) -> None:
    if source != "facts":
        roll_up(None if source == "rollups" else datetime.now(UTC) - timedelta(minutes=30))


def ago(**length: float) -> datetime:
    return datetime.now(UTC) - timedelta(**length)


def test_all_fields_are_there(client: Client) -> None:
    answer = look(client)

    assert list(answer) == FIELDS
    assert [answer[name] for name in FIELDS[:8]] == [0, 0, 0, 0, 0, 0, None, 0]
    assert answer["custom_metrics"] == {}


def test_users_and_strategies_of_five_minutes(client: Client, source: str) -> None:
    put(client, "user.login", ago(seconds=310), "before", strategy_id="before")
    put(client, "user.login", ago(seconds=290), "a", strategy_id="s1")
    put(client, "order.placed", ago(seconds=150), "b", strategy_id="s1")
    put(client, "risk.alert", ago(seconds=2), "a", strategy_id="s2")
    roll(source)

    answer = look(client)

    assert (answer["active_users"], answer["active_strategies"]) == (2, 2)


def test_orders_of_an_hour(client: Client, source: str) -> None:
    numbers: dict[str, Any] = {"last_fill_price": 10.5, "last_fill_quantity": 2, "latency_ms": 30}
    for minutes, event_type, more in [
        (61, "order.filled", numbers),
        (61, "order.placed", {}),
        (59, "order.placed", {}),
        (58, "order.filled", numbers),
        (20, "order.placed", {}),
        (10, "order.filled", {**numbers, "latency_ms": 90}),
        (0.02, "order.placed", {}),
    ]:
        put(client, event_type, ago(minutes=minutes), symbol="BTCUSDT", **more)
    roll(source)

    answer = look(client)

    assert (answer["orders_placed"], answer["orders_filled"]) == (3, 2)
    assert (answer["total_volume"], answer["average_latency"]) == (42, 60)


def test_events_of_a_minute(client: Client, source: str) -> None:
    for seconds in (90, 61, 58, 30, 1):
        put(client, "market.trade", ago(seconds=seconds))
    roll(source)

    assert look(client)["events_per_second"] == pytest.approx(3 / 60)


def test_the_share_of_what_was_refused(client: Client) -> None:
    post(client, [{"event_type": "a"}, {"event_type": "b"}, {"event_type": "c"}, 17], "/api/v1/events/batch")

    assert look(client)["error_rate"] == 0.25


def test_the_current_value_of_own_metrics(client: Client, source: str) -> None:
    define("desk.slippage", default_aggregation="avg")
    define("desk.quiet", event_types=["desk.nothing"])
    for minutes, slippage in ((90, 100), (50, 1), (20, 2)):
        put(client, "order.filled", ago(minutes=minutes), slippage_bps=slippage, symbol="BTCUSDT")
    roll(source)

    assert look(client)["custom_metrics"] == {"desk.quiet": None, "desk.slippage": 1.5}


def test_fresh_to_the_second(client: Client) -> None:
    assert dashboard.FRESH <= 1
    first = look(client)

    assert look(client) == first
    Shelf.near.clear()
    cache.clear()
    put(client, "order.placed", ago(seconds=0))
    assert look(client)["orders_placed"] == 1


def stats(client: Client, **parameters: str) -> Any:
    return client.get(STATS, parameters).json()


def test_counts_equal_the_recount(client: Client, source: str) -> None:
    times = [timedelta(days=40), timedelta(days=2, seconds=7), timedelta(hours=5), timedelta(minutes=7, seconds=3)]
    for length in (*times, timedelta(seconds=1)):
        put(client, "a", datetime.now(UTC) - length)
        put(client, "b", datetime.now(UTC) - length)
    put(client, "b", ago(hours=4))
    roll(source)

    for start, expected in [(ago(days=41), (5, 6)), (ago(days=2, seconds=8), (4, 5)), (ago(hours=4.5), (2, 3))]:
        assert stats(client, start_time=start.isoformat())["by_type"] == {"b": expected[1], "a": expected[0]}


def test_counts_of_a_window_that_cuts_minutes(client: Client, source: str) -> None:
    start = hour(3) + timedelta(seconds=20)
    for seconds in (-1, 0, 30, 3600, 3629, 3630):
        put(client, "a", start + timedelta(seconds=seconds))
    roll(source)

    answer = stats(client, start_time=iso(start), end_time=iso(start + timedelta(seconds=3630)))

    assert (answer["total_events"], answer["by_type"]) == (4, {"a": 4})


def test_an_empty_window_counts_nothing(client: Client) -> None:
    assert stats(client, start_time=iso(hour(1)), end_time=iso(hour(1)))["by_type"] == {}


def test_names_tell_what_a_metric_is(client: Client) -> None:
    put(client, "order.filled", hour(2), symbol="BTCUSDT")
    roll_up()
    define("desk.slippage", description="How far from the price that was asked.")

    answer = client.get("/api/v1/metrics/names").json()

    metrics = {metric["name"]: metric for metric in answer["metrics"]}
    assert answer["count"] == len(metrics)
    assert metrics["trading.total_volume"] == {
        "name": "trading.total_volume",
        "unit": "quote currency",
        "description": "Price times quantity of fills.",
        "default_aggregation": "sum",
        "aggregations": ["count", "sum", "avg", "min", "max", "p50", "p95", "p99", "stddev", "rate"],
        "event_types": ["order.filled", "order.partially_filled"],
        "dimensions": ["symbol", "strategy_id", "side"],
    }
    assert metrics["users.unique"]["aggregations"] == ["unique"]
    assert metrics["desk.slippage"]["description"] == "How far from the price that was asked."
    assert "events.count.order.filled" in metrics


def test_dimensions_tell_the_values_that_were_seen(client: Client) -> None:
    for symbol, side in (("ETHUSDT", "BUY"), ("BTCUSDT", "SELL"), ("BTCUSDT", "BUY")):
        put(client, "order.filled", hour(2), symbol=symbol, side=side, last_fill_price=1, last_fill_quantity=1)
    roll_up()

    assert client.get("/api/v1/metrics/trading.total_volume/dimensions").json() == {
        "metric_name": "trading.total_volume",
        "dimensions": {"symbol": ["BTCUSDT", "ETHUSDT"], "strategy_id": [], "side": ["BUY", "SELL"]},
        "truncated": [],
        "series": 3,
        "max_series": 1000,
    }


def test_what_exceeds_the_limit_on_series_is_a_series_of_its_own(client: Client) -> None:
    define("desk.few", value_property="", max_series=2, default_aggregation="count")
    for symbol in ("A", "A", "A", "B", "B"):
        put(client, "order.filled", hour(3), symbol=symbol)
    roll_up(hour(2) + timedelta(minutes=1))
    put(client, "order.filled", ago(seconds=1), symbol="C")

    for _ in ("the open tail", "rolled up"):
        parameters = {"metric_name": "desk.few", "group_by": "symbol"}
        points = client.get("/api/v1/metrics", parameters).json()["result"]["data_points"]
        assert [(point["dimensions"], point["value"]) for point in points] == [
            ({"_other": True}, 1),
            ({"symbol": "A"}, 3),
            ({"symbol": "B"}, 2),
        ]
        roll_up(datetime.now(UTC) + timedelta(minutes=2))
