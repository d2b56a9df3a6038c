"""The cache hides nothing, counts its hits, and may go away."""

import socket
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from django.test import Client
from django_redis import get_redis_connection
from prometheus_client import REGISTRY
from pytest_django import Settings

from metrics import cache as answers
from metrics.reads import answers as reading
from metrics.tests.reading import METRICS, ask, fill, hour, iso, roll_up

pytestmark = pytest.mark.django_db
VOLUME = "trading.total_volume"
CLOSED = {"start_time": iso(hour(5)), "end_time": iso(hour(1))}


@pytest.fixture(autouse=True)
def _fresh(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(answers.Shelf, "_away_until", 0.0)
    monkeypatch.setattr(answers.Shelf, "_budget", answers._Budget())


def get(client: Client, **parameters: str) -> dict[str, Any]:
    response = client.get(METRICS, {"metric_name": VOLUME, **parameters})
    assert response.status_code == 200
    body: dict[str, Any] = response.json()
    return body


def test_the_second_answer_comes_from_the_cache(client: Client) -> None:
    fill(client, hour(3), 10)
    roll_up()

    first, second = get(client, **CLOSED), get(client, **CLOSED)

    assert (first.pop("cached"), second.pop("cached")) == (False, True)
    assert first == second


def test_equal_questions_meet(client: Client) -> None:
    roll_up()
    get(client, **CLOSED, interval="1h")

    same = {"end_time": iso(hour(1)), "start_time": iso(hour(5)), "aggregation": "sum", "fill": "none"}
    assert get(client, **same)["cached"] is True
    # A moment within the same buckets asks for the same buckets.
    assert get(client, **CLOSED | {"start_time": iso(hour(5)).replace(":00Z", ":07Z")})["cached"] is True


@pytest.mark.parametrize(
    "change",
    [
        {"interval": "15m"},
        {"aggregation": "count"},
        {"symbol": "BTCUSDT"},
        {"group_by": "symbol"},
        {"fill": "zero"},
        {"compare": "previous"},
        {"timezone": "Europe/Paris"},
        {"start_time": iso(hour(6))},
        {"metric_name": "events.count.order.filled"},
        {"metric_name": [VOLUME, "events.count.order.filled"]},
    ],
)
def test_other_questions_do_not(client: Client, change: dict[str, Any]) -> None:
    roll_up()
    get(client, **CLOSED)

    assert get(client, **CLOSED | change)["cached"] is False


def test_late_data_is_never_hidden(client: Client) -> None:
    fill(client, hour(3), 10)
    roll_up()
    get(client, **CLOSED)

    fill(client, hour(3), 5)
    pending = get(client, **CLOSED)
    roll_up()
    healed = get(client, **CLOSED)

    assert pending["cached"] is False
    assert pending["result"]["complete_until"] == iso(hour(3))
    assert healed["cached"] is False
    assert [point["value"] for point in healed["result"]["data_points"]] == [15]


def test_the_open_tail_is_kept_for_a_second(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reading, "OPEN_SECONDS", 0.05)
    fill(client, hour(0), 10)
    get(client)
    fill(client, hour(0), 5)

    time.sleep(0.1)

    assert get(client)["result"]["data_points"][-1]["value"] == 15


def test_open_answers_are_never_kept_long() -> None:
    assert reading.OPEN_SECONDS <= 1
    assert reading.CLOSED_SECONDS > reading.OPEN_SECONDS


def test_hits_and_misses_are_counted(client: Client) -> None:
    def counts() -> list[float]:
        names = ("analytics_cache_hits_total", "analytics_cache_misses_total")
        return [REGISTRY.get_sample_value(name, {"cache": "metrics"}) or 0 for name in names]

    roll_up()
    before = counts()
    for _ in range(3):
        get(client, **CLOSED)

    assert [after - first for after, first in zip(counts(), before, strict=True)] == [2, 1]


@pytest.fixture
def redis_at(settings: Settings) -> Callable[[int], None]:
    """Point the cache to another port for the rest of the test."""

    def move(port: int) -> None:
        changed = {**settings.CACHES["default"], "LOCATION": f"redis://127.0.0.1:{port}/1"}
        settings.CACHES = {"default": changed}

    return move


@pytest.fixture
def nobody() -> Iterator[int]:
    """A port where connections are refused."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        yield taken.getsockname()[1]


@pytest.fixture
def silent() -> Iterator[int]:
    """A server that takes connections and never says a word."""
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        server.listen(16)
        yield server.getsockname()[1]


@pytest.fixture
def only_redis(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is kept in the process itself."""
    monkeypatch.setattr(answers, "MAX_NEAR", 0)


@pytest.mark.usefixtures("only_redis")
def test_processes_share_what_is_in_redis(client: Client) -> None:
    roll_up()

    assert [get(client, **CLOSED)["cached"] for _ in range(3)] == [False, True, True]


def test_a_process_keeps_what_it_was_asked_last(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(answers, "MAX_NEAR", 25)
    near = answers._Near()
    near.put("a", b"x" * 10, 60)
    near.put("b", b"y" * 10, 60)
    near.put("a", b"z" * 10, 60)
    near.put("c", b"x" * 10, 30)

    assert [near.get("a", 0), near.get("b", 0), near.get("c", 0)] == [b"z" * 10, None, b"x" * 10]
    assert near.get("c", 30) is None
    assert near.size == 20


@pytest.mark.usefixtures("only_redis")
@pytest.mark.parametrize("kind", ["nobody", "silent"])
def test_without_redis_answers_are_right_and_soon(
    client: Client, redis_at: Callable[[int], None], request: pytest.FixtureRequest, kind: str
) -> None:
    fill(client, hour(3), 10)
    roll_up()
    redis_at(request.getfixturevalue(kind))

    began = time.monotonic()
    bodies = [get(client, **CLOSED) for _ in range(10)]
    spent = time.monotonic() - began

    assert {body["cached"] for body in bodies} == {False}
    assert [point["value"] for point in bodies[-1]["result"]["data_points"]] == [10]
    # One of them waited for Redis; the others knew better.
    assert spent < 3


@pytest.mark.usefixtures("only_redis")
def test_redis_is_asked_again_after_a_while(
    client: Client, redis_at: Callable[[int], None], nobody: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(answers, "AWAY_SECONDS", 0.05)
    roll_up()
    port = get_redis_connection("default").connection_pool.connection_kwargs["port"]
    redis_at(nobody)
    get(client, **CLOSED)
    redis_at(port)
    time.sleep(0.1)
    get(client, **CLOSED)

    assert get(client, **CLOSED)["cached"] is True


def test_a_full_redis_is_no_error(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    redis = get_redis_connection("default")
    limit = redis.config_get("maxmemory")["maxmemory"]
    redis.config_set("maxmemory", 1)
    try:
        assert ask(client, VOLUME)["metric_name"] == VOLUME
    finally:
        redis.config_set("maxmemory", limit)


def test_the_queue_keeps_room_in_a_shared_redis(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(answers, "MAX_KEPT", 100)
    budget = answers._Budget()
    taken = [budget.take(60, 60, 0), budget.take(60, 60, 1), budget.take(40, 1, 2), budget.take(40, 1, 2.5)]

    assert taken == [True, False, True, False]
    # What has gone by its time makes room.
    assert [budget.take(40, 1, 3), budget.take(60, 60, 61)] == [True, True]


@pytest.mark.usefixtures("only_redis")
def test_large_bodies_are_not_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(answers, "MAX_BODY", 10)
    shelf = answers.Shelf("test")

    shelf.put("large", b"x" * 11, 60)
    shelf.put("small", b"x" * 10, 60)

    assert (shelf.get("large"), shelf.get("small")) == (None, b"x" * 10)
