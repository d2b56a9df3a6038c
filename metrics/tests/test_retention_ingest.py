"""While days are dropped, no writer waits for a lock for more than 100 ms."""

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.db import connection

from analytics_project.lib import partitioned
from events.store import store_http
from events.tests.factories import raw
from metrics import retention
from metrics.rollups import engine
from metrics.tests.committed import _django_db_helper  # noqa: F401
from metrics.tests.database import drop_days, execute, other

pytestmark = pytest.mark.django_db(transaction=True)

WRITERS = 3
DAYS = 4


@pytest.fixture
def old_days(configure: Callable[[str, Any], None]) -> None:
    """Rolled up days that are over, and one that is not."""
    drop_days()
    today = datetime.now(UTC).date()
    for back in range(5, 5 + DAYS):
        store_http([raw(timestamp=f"{today - timedelta(days=back)}T12:00:00Z") for _ in range(50)])
    store_http([raw()])
    engine.roll_up()
    configure("analytics.retention.raw_events", timedelta(days=3))


@contextmanager
def writing() -> Iterator[list[int]]:
    """Threads that store events, on end. PostgreSQL itself fails the one that waits 100 ms for a lock."""
    stop = threading.Event()
    stored: list[int] = []

    def write() -> None:
        try:
            with connection.cursor() as cursor:
                cursor.execute("SET lock_timeout TO '100ms'")
            while not stop.is_set():
                stored.append(len(store_http([raw() for _ in range(20)])))
        finally:
            connection.close()

    with ThreadPoolExecutor(WRITERS) as pool:
        threads = [pool.submit(write) for _ in range(WRITERS)]
        try:
            yield stored
        finally:
            stop.set()
        for thread in threads:
            thread.result()


@pytest.mark.usefixtures("old_days")
def test_no_writer_waits_while_days_are_dropped() -> None:
    with writing() as stored:
        told = str(retention.apply(retention.plan()))

    assert told == f"dropped {DAYS} partitions, 0 held back"
    assert len(stored) >= WRITERS
    # What they stored meanwhile is there, and what was made of it.
    engine.roll_up(datetime.now(UTC) + timedelta(minutes=2))
    [(facts,)] = execute("SELECT count(*) FROM events")
    [(rolled,)] = execute(
        "SELECT sum(count) FROM metric_aggregations WHERE interval = '1m' AND metric_name = 'events.count.order.placed'"
    )
    assert facts == sum(stored) + 1
    assert rolled == facts + 50 * DAYS


@pytest.mark.usefixtures("old_days")
def test_no_writer_waits_behind_retention_that_waits_for_a_reader(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(partitioned, "LOCK_TIMEOUT", "300ms")
    monkeypatch.setattr(partitioned, "PAUSE", 0.05)
    monkeypatch.setattr(partitioned, "ATTEMPTS", 3)
    with other() as reader, writing() as stored:
        reader.execute("SELECT count(*) FROM events")
        before = len(stored)
        told = str(retention.apply(retention.plan()))
        during = len(stored) - before

    assert told.endswith(f"dropped 0 partitions, {DAYS} held back")
    assert during > WRITERS
    assert str(retention.apply(retention.plan())) == f"dropped {DAYS} partitions, 0 held back"


@pytest.mark.usefixtures("old_days")
def test_the_engine_goes_on_while_retention_waits_for_a_reader(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(partitioned, "LOCK_TIMEOUT", "100ms")
    monkeypatch.setattr(partitioned, "ATTEMPTS", 1)
    with other() as reader:
        reader.execute("SELECT count(*) FROM events")
        retention.apply(retention.plan())
        store_http([raw(event_type="after.retention")])
        report = engine.roll_up(datetime.now(UTC) + timedelta(minutes=2))

    assert report.finished
    assert execute("SELECT 1 FROM metric_aggregations WHERE metric_name = 'events.count.after.retention'")
