"""The database is away: every route says so, at once, and what is lost is nothing."""

import socket
from collections.abc import Iterator
from typing import Any

import pytest
from django.db import connection
from django.test import Client

from events.tests.api import BATCH, EVENTS, post


@pytest.fixture
def database_away(django_db_blocker: Any) -> Iterator[None]:
    """A database whose port nobody listens on."""
    with socket.socket() as taken, django_db_blocker.unblock():
        taken.bind(("127.0.0.1", 0))
        port = connection.settings_dict["PORT"]
        connection.close()
        connection.settings_dict["PORT"] = str(taken.getsockname()[1])
        yield
        connection.close()
        connection.settings_dict["PORT"] = port


@pytest.mark.parametrize("path", [EVENTS, BATCH])
def test_what_cannot_be_stored_is_refused_for_now(client: Client, database_away: None, path: str) -> None:
    body = {"event_type": "a"}

    response = post(client, body if path == EVENTS else [body], path)

    assert response.status_code == 503
    assert response["Retry-After"] == "5"
    assert response.json()["error"] == "Database unavailable"


@pytest.mark.parametrize(
    "path",
    [
        EVENTS,
        f"{EVENTS}/01941f29-7c00-7000-8000-000000000000",
        f"{EVENTS}/stats",
        "/api/v1/internal/ingestion-metrics",
        "/api/v1/internal/overview",
    ],
)
def test_what_cannot_be_read_is_refused_for_now(client: Client, database_away: None, path: str) -> None:
    response = client.get(path)

    assert (response.status_code, response["Retry-After"]) == (503, "5")


def test_the_admin_says_so_too(database_away: None) -> None:
    client = Client(raise_request_exception=False)
    client.cookies["sessionid"] = "x" * 32

    response = client.get("/admin/", headers={"Accept": "text/html"})

    assert (response.status_code, response["Retry-After"]) == (503, "5")
    assert "Database unavailable" in response.content.decode()


def test_bad_requests_are_told_so_without_the_database(client: Client, database_away: None) -> None:
    assert client.get(EVENTS, {"limit": "x"}).status_code == 400
    assert post(client, b"{}", content_type="text/plain").status_code == 415


def test_an_unforeseen_error_shows_nothing_of_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> None:
        raise ZeroDivisionError("secret")

    monkeypatch.setattr("events.store.store_http", fail)
    client = Client(raise_request_exception=False)

    response = post(client, {"event_type": "a"})

    assert response.status_code == 500
    assert list(response.json()) == ["error", "details"]
    assert b"secret" not in response.content
    assert b"Traceback" not in response.content
