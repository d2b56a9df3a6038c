"""Simulated trading: whatever part of a window is rolled up, answers are those that the facts alone give."""

from datetime import UTC, datetime, timedelta
from itertools import islice
from typing import Any

import orjson
import pytest
from django.test import Client

from events.simulation import World
from events.simulation.identity import microseconds
from events.store import store_http
from metrics.models import RollupProgress
from metrics.tests.reading import METRICS, hour, iso, roll_up

pytestmark = pytest.mark.django_db
NAMES = (
    *("trading.total_volume", "trading.order_fill_rate", "trading.order_latency", "trading.signals"),
    *("events.count.order.filled", "ingestion.lag", "users.unique"),
)
EVENTS, HOURS = 4000, 3


@pytest.fixture
def trading(db: None) -> None:
    start = hour(HOURS)
    rate = EVENTS / (datetime.now(UTC) - start).total_seconds()
    world = World(seed=7, start=microseconds(start), rate=rate)
    bodies = [orjson.dumps(item.envelope) for item in islice(world.events(), EVENTS)]
    for first in range(0, len(bodies), 1000):
        store_http(bodies[first : first + 1000])


def asked(client: Client, **parameters: str) -> Any:
    window = {"start_time": iso(hour(HOURS)), "end_time": iso(hour(-1))}
    response = client.get(METRICS, {"metric_name": NAMES, **window, **parameters})
    assert response.status_code == 200, response.content
    assert response.json()["cached"] is False
    return [(result["metric_name"], result["data_points"]) for result in response.json()["results"]]


@pytest.mark.parametrize(
    "parameters",
    [
        *({"interval": interval} for interval in ("1m", "5m", "15m", "30m", "1h", "4h", "1d")),
        {"interval": "1d", "timezone": "Asia/Kathmandu"},
        {"fill": "zero"},
    ],
)
def test_rolled_up_in_part_or_not_at_all(client: Client, trading: None, parameters: dict[str, str]) -> None:
    now = datetime.now(UTC)
    roll_up(now - timedelta(minutes=77))
    roll_up(now - timedelta(minutes=11))
    partly = asked(client, **parameters)
    RollupProgress.objects.all().delete()

    assert asked(client, **parameters) == partly
    assert all(points for _, points in partly)
