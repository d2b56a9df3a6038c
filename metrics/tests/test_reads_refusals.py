"""Questions that cannot be answered are told why, and what the limit is."""

from typing import Any

import pytest
from django.test import Client

from events.tests.test_api_outage import database_away  # noqa: F401
from metrics.models import RollupVersion
from metrics.reads import questions
from metrics.tests.factories import define
from metrics.tests.reading import fill, hour, refusal

VOLUME = "trading.total_volume"


def test_a_metric_has_to_be_named(client: Client) -> None:
    status, body = refusal(client)

    assert (status, body["error"]) == (400, "metric_name is required")


@pytest.mark.parametrize(
    ("parameters", "words"),
    [
        ({"interval": "2m"}, ["Invalid interval", "'2m'", "1m, 5m, 15m, 1h, 1d"]),
        ({"aggregation": "median"}, ["Invalid aggregation", "'median'", "p95"]),
        ({"aggregation": "unique"}, ["Invalid aggregation", "has no unique"]),
        ({"timezone": "Europe/Pari"}, ["Invalid timezone", "Europe/Pari"]),
        ({"timezone": "../../etc/passwd"}, ["Invalid timezone"]),
        ({"fill": "linear"}, ["Invalid fill", "none, null, zero, previous"]),
        ({"compare": "last_year"}, ["Invalid compare", "previous"]),
        ({"group_by": "symbol,exchange"}, ["Invalid group_by", "'exchange'", "symbol, strategy_id, side"]),
        ({"exchange": "x"}, ["Unknown parameter", "'exchange'", "symbol, strategy_id, side"]),
        ({"symbol": ["A", "B"]}, ["Invalid parameter", "2 times"]),
        ({"start_time": "yesterday"}, ["Invalid start_time format"]),
        ({"start_time": "2026-01-02T00:00:00Z", "end_time": "2026-01-01T00:00:00Z"}, ["Invalid time window"]),
        ({"start_time": "0001-01-01T00:00:00Z"}, ["Invalid time window", "1970"]),
        ({"start_time": "9999-12-31T00:00:00Z", "end_time": "9999-12-31T23:59:59Z"}, ["Invalid time window", "2200"]),
        ({"interval": "1m", "start_time": "2026-01-01T00:00:00Z"}, ["Too many points", "10,000"]),
        (
            {"interval": "1d", "timezone": "Europe/Paris", "start_time": "1970-01-01T00:00:00Z"},
            ["Too many points", "10,000"],
        ),
        (
            {"compare": "previous", "interval": "1d", "start_time": "1980-01-01T00:00:00Z", "end_time": "2000-01-01"},
            ["Invalid"],
        ),
    ],
)
def test_wrong_parameters_are_named(client: Client, parameters: dict[str, Any], words: list[str]) -> None:
    status, body = refusal(client, metric_name=VOLUME, **parameters)

    assert status == 400
    assert set(body) == {"error", "details"}
    assert [word for word in words if word not in f"{body['error']} {body['details']}"] == []


def test_a_share_has_no_least_value(client: Client) -> None:
    status, body = refusal(client, metric_name="trading.order_fill_rate", aggregation="min")

    assert (status, body["details"]) == (400, "trading.order_fill_rate has no min; it has avg, count, rate")


@pytest.mark.django_db
def test_an_unknown_metric_has_near_names(client: Client) -> None:
    RollupVersion.objects.create(project_id=1, metric_name="events.count.order.filled", interval="1m")
    define(name="desk.slippage_bps")

    for asked, near in [
        ("trading.totl_volume", "trading.total_volume"),
        ("event.count.order.filled", "events.count.order.filled"),
        ("desk.slipage", "desk.slippage_bps"),
        ("volume", "trading.total_volume"),
    ]:
        status, body = refusal(client, metric_name=asked)
        assert (status, body["error"], body["near"][0]) == (404, "Unknown metric", near)


@pytest.mark.django_db
def test_more_series_than_the_limit_are_refused(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("metrics.reads.statements.MAX_SERIES", 2)
    monkeypatch.setattr("metrics.reads.series.MAX_SERIES", 2)
    for symbol in "ABC":
        fill(client, hour(2), 1, symbol=symbol)

    status, body = refusal(client, metric_name=VOLUME, group_by="symbol")

    assert status == 400
    assert "2 series" in body["details"]


@pytest.mark.django_db
def test_more_points_in_all_than_the_limit_are_refused(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("metrics.reads.series.MAX_ALTOGETHER", 20)

    assert refusal(client, metric_name=VOLUME, fill="zero")[0] == 400
    assert questions.MAX_ALTOGETHER == 500_000


@pytest.mark.django_db
@pytest.mark.parametrize("path", ["/api/v1/metrics/nothing/dimensions", "/api/v1/metrics/a%20b/dimensions"])
def test_the_dimensions_of_an_unknown_metric(client: Client, path: str) -> None:
    assert client.get(path).status_code == 404


@pytest.mark.parametrize("path", ["/api/v1/metrics/names", "/api/v1/dashboard/metrics"])
def test_routes_without_parameters_take_none(client: Client, path: str) -> None:
    assert client.get(path, {"x": "1"}).status_code == 400


@pytest.mark.usefixtures("database_away")
@pytest.mark.parametrize(
    "path", [f"/api/v1/metrics?metric_name={VOLUME}", "/api/v1/metrics/names", "/api/v1/dashboard/metrics"]
)
def test_without_the_database_there_is_no_answer_for_now(client: Client, path: str) -> None:
    response = client.get(path)

    assert (response.status_code, response["Retry-After"]) == (503, "5")
