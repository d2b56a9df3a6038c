"""The real servers as processes: `manage.py serve` and `manage.py serve_monitoring`."""

import http.client
import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings
from django.db import connection

from analytics_project.tests.conftest import closed_port

# The mark makes pytest-django prepare the database that the servers use.
pytestmark = [pytest.mark.slow, pytest.mark.django_db]
ORIGIN = "https://mm.example.com"


@pytest.fixture(scope="module")
def ports(
    tmp_path_factory: pytest.TempPathFactory, django_db_setup: None, django_db_blocker: Any
) -> Iterator[dict[str, int]]:
    """Both commands running against the test database; ended by SIGTERM, which must not take long."""
    ports = {name: closed_port() for name in ("SERVER_PORT", "METRICS_PORT", "HEALTH_PORT")}
    environment = {
        **os.environ,
        **{name: str(port) for name, port in ports.items()},
        "DB_NAME": str(connection.settings_dict["NAME"]),
        "SECURITY_CORS_ORIGINS": ORIGIN,
        "PROMETHEUS_MULTIPROC_DIR": str(tmp_path_factory.mktemp("prometheus")),
    }
    commands = [[sys.executable, "manage.py", name] for name in ("serve", "serve_monitoring")]
    processes = [subprocess.Popen(command, env=environment, cwd=settings.BASE_DIR) for command in commands]
    for port in ports.values():
        wait_for(port)
    yield ports
    for process in processes:
        process.send_signal(signal.SIGTERM)
    assert [process.wait(6) for process in processes] == [0, 0]
    with django_db_blocker.unblock(), connection.cursor() as cursor:
        cursor.execute("TRUNCATE dead_letters, ingest_batches")


def wait_for(port: int) -> None:
    until = time.monotonic() + 60
    while time.monotonic() < until:
        try:
            http.client.HTTPConnection("127.0.0.1", port, timeout=5).connect()
        except OSError:
            time.sleep(0.1)
        else:
            return
    raise AssertionError(f"nobody listens on {port}")


def ask(
    port: int, method: str, path: str, body: bytes | Iterator[bytes] | None = None, **headers: str
) -> tuple[int, http.client.HTTPMessage, bytes]:
    server = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    server.request(method, path, body, {name.replace("_", "-"): value for name, value in headers.items()})
    response = server.getresponse()
    return response.status, response.headers, response.read()


def test_health_is_the_same_on_both_ports(ports: dict[str, int]) -> None:
    bodies = [json.loads(ask(ports[name], "GET", "/health")[2]) for name in ("SERVER_PORT", "HEALTH_PORT")]

    assert bodies[0].keys() == bodies[1].keys()
    assert bodies[0]["database"] == bodies[1]["database"] == "connected"


def test_a_chunked_body_without_length_is_read(ports: dict[str, int]) -> None:
    pieces = (b'{"no_type": "%d"}\n' % number for number in range(500))

    status, _, body = ask(
        ports["SERVER_PORT"], "POST", "/api/v1/events/batch", pieces, Content_Type="application/x-ndjson"
    )

    assert (status, json.loads(body)["received"]) == (200, 500)


def test_requests_of_all_workers_are_added_up(ports: dict[str, int]) -> None:
    before = queries_counted(ports)

    for _ in range(20):
        assert ask(ports["SERVER_PORT"], "GET", "/api/v1/events?limit=1")[0] == 200

    assert queries_counted(ports) == before + 20


def queries_counted(ports: dict[str, int]) -> float:
    status, headers, body = ask(ports["METRICS_PORT"], "GET", "/metrics")
    assert status == 200
    assert headers["Content-Type"].startswith("text/plain")
    counted = re.search(rb'^analytics_query_duration_seconds_count\{query="events"\} (\S+)', body, re.MULTILINE)
    return float(counted[1]) if counted else 0.0


def test_a_page_of_another_origin_may_ask(ports: dict[str, int]) -> None:
    status, headers, _ = ask(
        ports["SERVER_PORT"],
        "OPTIONS",
        "/api/v1/events",
        Origin=ORIGIN,
        Access_Control_Request_Method="POST",
        Access_Control_Request_Headers="x-api-key,x-request-id",
    )

    assert status == 200
    assert headers["Access-Control-Allow-Origin"] == ORIGIN
    assert {"x-api-key", "x-request-id"} <= set(headers["Access-Control-Allow-Headers"].split(", "))
    assert "origin" in headers["Vary"].lower()


def test_a_page_of_a_stranger_may_not(ports: dict[str, int]) -> None:
    _, headers, _ = ask(ports["SERVER_PORT"], "GET", "/api/v1/events", Origin="https://evil.example.com")

    assert "Access-Control-Allow-Origin" not in headers


def test_static_files_are_served(ports: dict[str, int]) -> None:
    for path in ("/static/dashboards/home.css", "/static/admin/css/base.css"):
        status, headers, body = ask(ports["SERVER_PORT"], "GET", path)
        assert (status, headers["Content-Type"]) == (200, 'text/css; charset="utf-8"')
        assert body


def test_a_port_that_is_taken_is_said_in_one_line(ports: dict[str, int], tmp_path: Path) -> None:
    environment = {**os.environ, "METRICS_PORT": str(ports["METRICS_PORT"])}
    command = [sys.executable, "manage.py", "serve_monitoring"]

    ended = subprocess.run(command, env=environment, cwd=settings.BASE_DIR, capture_output=True, text=True, timeout=60)

    assert ended.returncode == 1
    assert f"cannot listen on 127.0.0.1:{ports['METRICS_PORT']}" in ended.stderr
    assert "Traceback" not in ended.stderr
