"""The health check of database connections."""

import psycopg
import pytest
from django.db import connections
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.backends.postgresql import base


@pytest.fixture
def own(transactional_db: None) -> BaseDatabaseWrapper:
    """A connection that no test runs in."""
    own = connections.create_connection("default")
    own.connect()
    return own


def test_a_quiet_connection_is_not_asked(own: BaseDatabaseWrapper, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(base.DatabaseWrapper, "is_usable")

    assert own.is_usable()
    own.close()


def test_a_connection_that_the_server_ended_is_found_out(own: BaseDatabaseWrapper) -> None:
    with connections["default"].cursor() as cursor:
        cursor.execute("SELECT pg_terminate_backend(%s, 5000)", [own.connection.info.backend_pid])

    assert not own.is_usable()
    own.close()


def test_a_connection_closed_here_is_not_usable(own: BaseDatabaseWrapper) -> None:
    connection: psycopg.Connection = own.connection
    connection.close()

    assert not own.is_usable()


def test_a_connection_with_news_that_mean_no_harm_is_usable(own: BaseDatabaseWrapper) -> None:
    with own.cursor() as cursor:
        cursor.execute("LISTEN news")
    with connections["default"].cursor() as cursor:
        cursor.execute("NOTIFY news")

    assert own.is_usable()
    own.close()
