"""The two servers of `serve_monitoring`, and the figures of requests."""

import json
import threading
import urllib.error
import urllib.request
from collections.abc import Iterator
from typing import Any

import pytest

from analytics_project.monitoring.exposition import Exposition
from analytics_project.monitoring.requests import RequestLog
from analytics_project.monitoring.server import Server, health_door, metrics_door


@pytest.fixture
def monitor() -> Iterator[str]:
    def door(path: str, accept: str) -> Any:
        return health_door(path, accept) or metrics_door("/metrics", Exposition())(path, accept)

    server = Server(("127.0.0.1", 0), door)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


@pytest.mark.django_db(transaction=True)
def test_the_monitor_answers_health_and_metrics(monitor: str) -> None:
    with urllib.request.urlopen(f"{monitor}/health?x=1") as response:  # noqa: S310
        body = json.load(response)
    with urllib.request.urlopen(f"{monitor}/metrics") as response:  # noqa: S310
        metrics = response.read().decode()

    assert (body["service"], body["requestCount"]) == ("analytics", None)
    assert "analytics_database_up 1.0" in metrics


@pytest.mark.parametrize("path", ["/", "/nothing", "/metrics/x"])
def test_other_paths_of_the_monitor_are_not_found(monitor: str, path: str) -> None:
    with pytest.raises(urllib.error.HTTPError) as refused:
        urllib.request.urlopen(f"{monitor}{path}")  # noqa: S310

    assert refused.value.code == 404


def test_figures_of_requests() -> None:
    log = RequestLog()
    for milliseconds in range(1, 101):
        log.add(milliseconds / 1000, failed=milliseconds > 98)

    figures = log.figures()

    assert (figures.count, figures.error_rate) == (100, 0.02)
    assert (figures.p50, figures.p95, figures.p99) == (50, 95, 99)


def test_only_the_last_requests_are_remembered() -> None:
    log = RequestLog()
    for _ in range(5000):
        log.add(9, failed=True)
    for _ in range(4096):
        log.add(0.001, failed=False)

    assert (log.figures().count, log.figures().error_rate, log.figures().p99) == (9096, 0, 1)


def test_no_requests_are_no_figures() -> None:
    assert RequestLog().figures().p99 == 0
