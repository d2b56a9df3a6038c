"""A partition that is there but detached: a writer of its day must not fail for ever."""

from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime, timedelta
from typing import Any

import psycopg
import pytest
from django.db import connection

from analytics_project.lib import partitioned
from events import partitions, tasks
from events.models import Event
from events.store import store_http
from events.tests.committed import _django_db_helper  # noqa: F401
from events.tests.factories import raw

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def day() -> Iterator[date]:
    """Yesterday, with an event. Its partition is dropped afterwards, attached or not."""
    day = datetime.now(UTC).date() - timedelta(days=1)
    store_http([raw(timestamp=f"{day}T12:00:00Z")])
    yield day
    with connection.cursor() as cursor:
        cursor.execute(f"DROP TABLE {partitions.name_of(day)}")
    partitions.forget()


@pytest.fixture
def detached(day: date) -> date:
    """The same, detached by hand."""
    with connection.cursor() as cursor:
        cursor.execute(f"ALTER TABLE events DETACH PARTITION {partitions.name_of(day)}")
    return day


def test_a_partition_that_was_detached_by_hand_is_attached_again_when_needed(
    detached: date, caplog: pytest.LogCaptureFixture
) -> None:
    outcomes = store_http([raw(timestamp=f"{detached}T13:00:00Z")])

    assert outcomes[0].status == "stored"
    assert Event.objects.count() == 2
    assert f"Attached {partitions.name_of(detached)} again" in caplog.text


def test_attached_again_it_has_its_mark_and_no_other_day(detached: date) -> None:
    partitioned.mark(partitions.name_of(detached), partitioned.RETIRED)

    partitions.create(detached)
    partitions.create(detached)

    [attached] = [found for found in partitioned.attached("events") if found.name == partitions.name_of(detached)]
    assert (attached.start, attached.end) == partitions.bounds_of(detached)
    assert attached.comment == partitioned.MADE


def test_a_table_that_cannot_be_attached_is_told(detached: date) -> None:
    with connection.cursor() as cursor:
        cursor.execute(f"ALTER TABLE {partitions.name_of(detached)} ADD note text")

    with pytest.raises(partitions.Detached, match=f'{partitions.name_of(detached)} .* cannot be attached: .*"note"'):
        store_http([raw(timestamp=f"{detached}T13:00:00Z")])


def test_a_table_that_cannot_be_attached_keeps_no_day_ahead_from_being_made(
    detached: date, caplog: pytest.LogCaptureFixture
) -> None:
    with connection.cursor() as cursor:
        cursor.execute(f"ALTER TABLE {partitions.name_of(detached)} ADD note text")

    tasks.maintain_partitions()

    assert partitions.days_ahead(datetime.now(UTC).date()) >= 7
    assert f"{partitions.name_of(detached)} is there, detached, and cannot be attached" in caplog.text


def test_rows_of_another_day_in_a_detached_partition_are_told(detached: date) -> None:
    with connection.cursor() as cursor:
        cursor.execute(f"""UPDATE {partitions.name_of(detached)} SET "timestamp" = now() - interval '9 days'""")

    with pytest.raises(partitions.Detached, match="is violated by some row"):
        partitions.create(detached)


def test_a_day_older_than_retention_is_not_attached_again(
    detached: date, configure: Callable[[str, Any], None]
) -> None:
    configure("analytics.retention.raw_events", timedelta(minutes=1))

    with pytest.raises(partitions.Detached, match="older than raw events are kept"):
        partitions.create(detached)


def test_a_partition_whose_detaching_was_interrupted_is_attached_again(
    day: date, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(partitioned, "ATTEMPTS", 1)
    monkeypatch.setattr(partitioned, "LOCK_TIMEOUT", "50ms")
    with psycopg.connect(**connection.get_connection_params() | {"cursor_factory": psycopg.Cursor}) as reader:
        reader.execute("SELECT count(*) FROM events")
        with pytest.raises(partitioned.Busy):
            partitioned.detach("events", partitions.name_of(day))
    assert day not in partitions.existing()

    assert store_http([raw(timestamp=f"{day}T13:00:00Z")])[0].status == "stored"

    assert Event.objects.count() == 2
