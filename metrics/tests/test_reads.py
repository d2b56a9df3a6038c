"""Values over time: from rollups, from the facts of the open tail, and from both as one."""

from datetime import timedelta

import pytest
from django.test import Client

from metrics.declarations import Aggregation
from metrics.reads import points
from metrics.reads.points import Series
from metrics.reads.questions import Fill
from metrics.tests.reading import ask, fill, hour, iso, put, roll_up, values

pytestmark = pytest.mark.django_db
VOLUME = "trading.total_volume"
LATENCY = "trading.order_latency"
MINUTE, HOUR = timedelta(minutes=1), timedelta(hours=1)


@pytest.fixture(params=["facts", "rollups"])
def source(request: pytest.FixtureRequest) -> str:
    """The same must come of facts that nobody added up, and of rollups."""
    return str(request.param)


@pytest.fixture
def fills(client: Client, source: str) -> None:
    """Two symbols in two hours, each value told in the tests below."""
    fill(client, hour(3), 10, 2, symbol="BTCUSDT", side="BUY")
    fill(client, hour(3) + 59 * MINUTE, 5.5, 1, symbol="ETHUSDT", side="BUY")
    fill(client, hour(2), 7, 1, symbol="BTCUSDT", side="SELL")
    if source == "rollups":
        roll_up()


def test_the_legacy_shape_with_its_defaults(client: Client, fills: None) -> None:
    body = client.get("/api/v1/metrics", {"metric_name": VOLUME}).json()

    assert body["cached"] is False
    result = body["result"]
    names = ["metric_name", "interval", "start_time", "end_time", "data_points", "total_count", "aggregation"]
    assert [name for name in result if name in names] == [
        *("metric_name", "interval", "start_time", "end_time", "data_points", "total_count", "aggregation")
    ]
    assert (result["metric_name"], result["interval"], result["aggregation"]) == (VOLUME, "1h", "sum")
    assert result["data_points"] == [
        {"timestamp": iso(hour(3)), "value": 25.5},
        {"timestamp": iso(hour(2)), "value": 7},
    ]
    assert result["total_count"] == 2
    assert result["start_time"] == iso(hour(24))


@pytest.mark.parametrize(
    ("aggregation", "expected"),
    [
        ("count", [2, 1]),
        ("sum", [25.5, 7]),
        ("avg", [12.75, 7]),
        ("min", [5.5, 7]),
        ("max", [20, 7]),
        ("rate", [25.5 / 3600, 7 / 3600]),
        ("p50", [5.5, 7]),
        ("p99", [20, 7]),
    ],
)
def test_every_aggregation(client: Client, fills: None, aggregation: str, expected: list[float]) -> None:
    assert values(client, VOLUME, aggregation=aggregation) == pytest.approx(expected, rel=0.01)


def test_a_deviation_of_one_value_is_null_with_its_reason(client: Client, fills: None) -> None:
    first, second = ask(client, VOLUME, aggregation="stddev")["data_points"]

    assert first["value"] == pytest.approx(10.253048327204938)
    assert (second["value"], second["reason"]) == (None, "too_few_values")


def test_series_by_dimension(client: Client, fills: None) -> None:
    points = ask(client, VOLUME, group_by="symbol")["data_points"]

    assert [(point["dimensions"], point["timestamp"], point["value"]) for point in points] == [
        ({"symbol": "BTCUSDT"}, iso(hour(3)), 20),
        ({"symbol": "BTCUSDT"}, iso(hour(2)), 7),
        ({"symbol": "ETHUSDT"}, iso(hour(3)), 5.5),
    ]


def test_all_dimensions_at_once(client: Client, fills: None) -> None:
    points = ask(client, VOLUME, group_by="symbol,side,strategy_id", aggregation="p95")["data_points"]

    assert [point["value"] for point in points] == pytest.approx([20, 7, 5.5], rel=0.01)
    assert points[0]["dimensions"] == {"symbol": "BTCUSDT", "side": "BUY"}


def test_filters_by_dimension(client: Client, fills: None) -> None:
    assert values(client, VOLUME, symbol="BTCUSDT") == [20, 7]
    assert values(client, VOLUME, symbol="BTCUSDT", side="SELL") == [7]
    assert values(client, VOLUME, symbol="nothing") == []


@pytest.mark.parametrize("value", ["{rows}", "%s", "%(name)s", "100%", "'; SELECT 1 --", "\\", "$$", "?"])
def test_any_text_may_be_a_value_of_a_dimension(client: Client, source: str, value: str) -> None:
    fill(client, hour(3), 10, symbol=value)
    fill(client, hour(3), 20, symbol="other")
    if source == "rollups":
        roll_up()

    assert values(client, VOLUME, symbol=value) == [10]
    assert ask(client, VOLUME, group_by="symbol", symbol=value)["data_points"][0]["dimensions"] == {"symbol": value}


@pytest.mark.parametrize(
    ("interval", "starts"),
    [
        ("1m", [hour(3), hour(3) + 59 * MINUTE, hour(2)]),
        ("5m", [hour(3), hour(3) + 55 * MINUTE, hour(2)]),
        ("15m", [hour(3), hour(3) + 45 * MINUTE, hour(2)]),
        ("30m", [hour(3), hour(3) + 30 * MINUTE, hour(2)]),
        ("1h", [hour(3), hour(2)]),
    ],
)
def test_every_interval(client: Client, fills: None, interval: str, starts: list[object]) -> None:
    points = ask(client, VOLUME, interval=interval, start_time=hour(4), end_time=hour(0))["data_points"]

    assert [point["timestamp"] for point in points] == [iso(start) for start in starts]  # type: ignore[arg-type]


@pytest.mark.parametrize("interval", ["4h", "1d"])
def test_longer_intervals_hold_the_same(client: Client, fills: None, interval: str) -> None:
    assert sum(values(client, VOLUME, interval=interval)) == 32.5


@pytest.mark.parametrize(
    ("kind", "expected"),
    [
        ("none", [25.5, 7]),
        ("null", [None, 25.5, 7, None]),
        ("zero", [0, 25.5, 7, 0]),
        ("previous", [None, 25.5, 7, 7]),
    ],
)
def test_empty_buckets_are_filled(client: Client, fills: None, kind: str, expected: list[object]) -> None:
    assert values(client, VOLUME, fill=kind, start_time=hour(4), end_time=hour(0)) == expected


def test_nothing_is_filled_after_now(client: Client) -> None:
    result = ask(client, VOLUME, fill="zero", start_time=hour(1), end_time=hour(-5))

    assert [point["timestamp"] for point in result["data_points"]] == [iso(hour(1)), iso(hour(0))]


def test_every_series_is_filled(client: Client, fills: None) -> None:
    points = ask(client, VOLUME, fill="null", group_by="symbol", start_time=hour(3), end_time=hour(1))["data_points"]

    assert [(point["dimensions"]["symbol"], point["value"]) for point in points] == [
        *(("BTCUSDT", 20), ("BTCUSDT", 7)),
        *(("ETHUSDT", 5.5), ("ETHUSDT", None)),
    ]
    assert points[-1]["reason"] == "no_events"


def test_the_window_before(client: Client, fills: None) -> None:
    result = ask(client, VOLUME, compare="previous", start_time=hour(2), end_time=hour(1))

    assert [point["value"] for point in result["data_points"]] == [7]
    previous = result["previous"]
    assert (previous["start_time"], previous["end_time"]) == (iso(hour(3)), iso(hour(2)))
    assert [point["value"] for point in previous["data_points"]] == [25.5]


def test_several_metrics_in_one_request(client: Client, fills: None) -> None:
    body = client.get("/api/v1/metrics", {"metric_name": [VOLUME, "events.count.order.filled"]}).json()

    assert [result["metric_name"] for result in body["results"]] == [VOLUME, "events.count.order.filled"]
    assert [[point["value"] for point in result["data_points"]] for result in body["results"]] == [[25.5, 7], [2, 1]]


def test_a_share_comes_with_its_parts(client: Client, source: str) -> None:
    for event_type in ("order.placed", "order.placed", "order.placed", "order.filled", "order.canceled"):
        put(client, event_type, hour(3), symbol="BTCUSDT")
    put(client, "order.canceled", hour(2))
    if source == "rollups":
        roll_up()

    first, second = ask(client, "trading.order_fill_rate")["data_points"]

    assert first["value"] == pytest.approx(100 / 3)
    assert first["parts"] == {"placed": 3, "filled": 1, "canceled": 1}
    assert (second["value"], second["reason"]) == (None, "no_values")
    assert second["parts"] == {"placed": 0, "filled": 0, "canceled": 1}


def test_what_has_no_number_is_null_with_its_reason(client: Client, source: str) -> None:
    put(client, "order.acknowledged", hour(3), latency_ms="fast")
    if source == "rollups":
        roll_up()

    for aggregation in ("p95", "avg", "max"):
        [point] = ask(client, LATENCY, aggregation=aggregation)["data_points"]
        assert (point["value"], point["reason"]) == (None, "no_values")


def test_a_sum_beyond_all_numbers_is_null_with_its_reason() -> None:
    huge = Series({}, [0, 1], ["1" * 400, "5"], {})

    assert points.write(huge, points.heads([hour(2), hour(1)]), Aggregation.SUM, Fill.NONE, 2) == [
        f'{{"timestamp":"{iso(hour(2))}","value":null,"reason":"out_of_range"}}',
        f'{{"timestamp":"{iso(hour(1))}","value":5}}',
    ]


def test_percentiles_of_merged_buckets_are_near_the_exact_ones(client: Client, source: str) -> None:
    latencies = [1.5**place for place in range(30)]
    for place, latency in enumerate(latencies):
        put(client, "order.acknowledged", hour(3) + place * MINUTE, latency_ms=latency, symbol=f"S{place % 3}")
    if source == "rollups":
        roll_up()

    for name, rank in (("p50", 15), ("p95", 29), ("p99", 30)):
        assert values(client, LATENCY, aggregation=name) == pytest.approx([latencies[rank - 1]], rel=0.01)


def test_users_are_counted_once(client: Client, source: str) -> None:
    for minute, user in enumerate(["a", "b", "a", None, "c"]):
        put(client, "user.login", hour(3) + minute * MINUTE, user)
    put(client, "user.login", hour(2), "a")
    if source == "rollups":
        roll_up()

    result = ask(client, "users.unique")

    assert (result["aggregation"], result["exact"]) == ("unique", True)
    assert [point["value"] for point in result["data_points"]] == [3, 1]
    assert values(client, "users.unique", interval="1d", timezone="Asia/Kathmandu", start_time=hour(4)) != []


def test_the_open_tail_comes_from_the_facts(client: Client) -> None:
    fill(client, hour(1), 10)
    roll_up(hour(0))
    fill(client, hour(0), 5)

    result = ask(client, VOLUME)

    assert [point["value"] for point in result["data_points"]] == [10, 5]
    assert result["source"][0]["source"] == "1h"
    assert result["source"][-1]["source"] == "events"
    assert result["source"][-1]["start_time"] == result["complete_until"]


def test_an_open_hour_is_its_closed_minutes_and_the_facts_since(client: Client) -> None:
    """Rows of open buckets may be ahead of, or behind what their interval is said to be complete until."""
    fill(client, hour(1), 1)
    fill(client, hour(1) + 20 * MINUTE, 2)
    roll_up(hour(1) + 31 * MINUTE)
    fill(client, hour(1) + 35 * MINUTE, 4)

    result = ask(client, VOLUME)

    assert [point["value"] for point in result["data_points"]] == [7]
    assert [segment["source"] for segment in result["source"]][-3:] != ["events"]


def test_a_late_fact_shows_as_incomplete_until_it_is_added_up(client: Client) -> None:
    fill(client, hour(2), 1)
    roll_up()
    before = ask(client, VOLUME, end_time=hour(0))
    fill(client, hour(2) + 5 * MINUTE, 2)

    pending = ask(client, VOLUME, end_time=hour(0))
    roll_up()
    after = ask(client, VOLUME, end_time=hour(0))

    assert before["complete_until"] == iso(hour(0))
    assert pending["complete_until"] == iso(hour(2) + 5 * MINUTE)
    assert [point["value"] for point in after["data_points"]] == [3]
    assert after["complete_until"] == iso(hour(0))
    assert after["data_version"] > before["data_version"]


def test_marks_of_other_types_do_not_matter(client: Client) -> None:
    fill(client, hour(2), 1)
    roll_up()
    put(client, "market.trade", hour(2))

    assert ask(client, VOLUME, end_time=hour(0))["complete_until"] == iso(hour(0))


def test_a_rate_of_an_open_bucket_is_over_what_has_passed(client: Client) -> None:
    fill(client, hour(0), 3600)

    [rate] = values(client, VOLUME, aggregation="rate", start_time=hour(0))

    assert rate >= 1


def test_an_empty_window_has_no_points(client: Client) -> None:
    assert values(client, VOLUME, start_time=hour(1), end_time=hour(1), fill="zero") == []
