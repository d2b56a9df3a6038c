"""The Celery tasks, called as the worker calls them."""

import logging
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import psycopg
import pytest
from celery import Task
from celery.exceptions import Reject
from django.conf import settings
from django.db import connection

from analytics_project.lib.logs import context_id
from events import assigned, ledger, partitions, tasks
from events.models import AssignedTimestamp, Event, IngestBatch, TouchedBucket
from events.records import Stretch
from events.store import store_http
from events.tests.factories import now_ms, raw
from events.wire import pack

pytestmark = pytest.mark.django_db


def packed(stretch: Stretch, values: list[bytes | None], lo: int = 0) -> bytes:
    offsets = list(range(lo, lo + len(values)))
    return pack(stretch, lo, lo + len(values), offsets, [now_ms()] * len(values), values)


def test_a_packed_batch_is_stored(stretch: Stretch) -> None:
    tasks.insert_batch(packed(stretch, [raw(), None, b"broken", raw(timestamp=None), b'{"event_type":"a"}']))

    assert Event.objects.count() == 3
    assert ledger.watermarks([stretch]) == {stretch: 5}
    figures = IngestBatch.objects.get()
    assert (figures.received, figures.stored, figures.refused) == (5, 3, 2)


def test_a_task_that_runs_twice_stores_once(stretch: Stretch) -> None:
    message = packed(stretch, [raw() for _ in range(20)])

    tasks.insert_batch(message)
    tasks.insert_batch(message)

    assert Event.objects.count() == 20


def test_a_batch_of_a_topic_that_is_not_known_is_dropped(caplog: pytest.LogCaptureFixture) -> None:
    tasks.insert_batch(packed(Stretch("gone", 0, uuid4()), [raw()]))

    assert Event.objects.count() == 0
    assert "does not know" in caplog.text


def test_the_log_names_the_batch_and_no_payload(stretch: Stretch, caplog: pytest.LogCaptureFixture) -> None:
    seen: list[str] = []

    class Listen(logging.Filter):
        def filter(self, record: logging.LogRecord) -> bool:
            seen.append(context_id.get())
            return True

    listen = Listen()
    caplog.handler.addFilter(listen)
    with caplog.at_level("DEBUG", logger="events.tasks"):
        tasks.insert_batch(packed(stretch, [raw(user_id="naughty")]))
    caplog.handler.removeFilter(listen)

    assert seen == ["trading.events/0/0-1"]
    assert context_id.get() == ""
    assert "naughty" not in caplog.text


def run_without_database(message: bytes) -> None:
    """In a thread, which has a connection of its own: to a port where nobody listens."""
    connection.settings_dict = {**connection.settings_dict, "PORT": "1"}
    tasks.insert_batch(message)


def test_without_a_database_the_batch_goes_back_to_the_queue(stretch: Stretch, monkeypatch: pytest.MonkeyPatch) -> None:
    waited: list[float] = []
    monkeypatch.setattr("events.tasks.time.sleep", waited.append)

    with ThreadPoolExecutor(1) as thread, pytest.raises(Reject) as rejected:
        thread.submit(run_without_database, packed(stretch, [raw()])).result()

    assert rejected.value.requeue  # type: ignore[attr-defined]
    assert sum(waited) > 0


def test_maintenance_makes_the_partitions_of_the_days_ahead(configure: Callable[[str, Any], None]) -> None:
    configure("analytics.retention.partitions_ahead", 12)

    tasks.maintain_partitions()
    tasks.maintain_partitions()

    assert partitions.days_ahead(datetime.now(UTC).date()) == 12


def test_maintenance_tells_the_planner_how_large_the_table_is() -> None:
    store_http([raw() for _ in range(100)])

    tasks.maintain_partitions()

    with connection.cursor() as cursor:
        cursor.execute("SELECT reltuples FROM pg_class WHERE relname = 'events'")
        assert cursor.fetchone() == (100,)


def test_maintenance_forgets_times_that_no_retry_can_ask_for() -> None:
    retention = settings.CONFIG.analytics.retention.raw_events
    now = datetime.now(UTC)
    for age in (retention - timedelta(hours=1), retention + timedelta(hours=1)):
        AssignedTimestamp.objects.create(project_id=1, event_id=uuid4(), timestamp=now - age)

    tasks.maintain_partitions()

    assert AssignedTimestamp.objects.get().timestamp == now - retention + timedelta(hours=1)
    assert assigned.forget_older_than(retention) == 0


def test_compacting_waits_until_there_is_much(configure: Callable[[str, Any], None]) -> None:
    body = raw()
    for _ in range(5):
        store_http([body.replace(b"order.placed", b"a"), raw(event_type="a")])
    marks = TouchedBucket.objects.count()

    configure("analytics.aggregation.compact_above", marks)
    tasks.compact()
    assert TouchedBucket.objects.count() == marks

    configure("analytics.aggregation.compact_above", marks - 1)
    tasks.compact()
    assert TouchedBucket.objects.count() <= 2


def test_every_periodic_task_exists_and_expires() -> None:
    from analytics_project.celery import app

    app.loader.import_default_modules()
    for entry in app.conf.beat_schedule.values():
        assert entry["task"] in app.tasks
        assert entry["options"]["expires"] > 0


def test_a_batch_goes_to_the_queue_of_ingestion_as_bytes() -> None:
    from analytics_project.celery import app

    route = app.amqp.router.route({}, "events.insert_batch")

    assert route["queue"].name == "ingest"
    assert tasks.insert_batch.serializer == "msgpack"


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("task", [tasks.compact, tasks.maintain_partitions, tasks.close_days])
def test_a_task_survives_a_restart_of_postgresql(task: "Task[[], None]") -> None:
    """The connection that the worker kept is dead; the next task must not be the first of many to fail."""
    assert task.apply().successful()
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_backend_pid()")
        [backend] = cursor.fetchone()
    with psycopg.connect(**connection.get_connection_params() | {"cursor_factory": psycopg.Cursor}) as other:
        other.execute("SELECT pg_terminate_backend(%s, 5000)", [backend])

    assert task.apply().successful()
