"""Days that are over get their index on properties, while reads and writes go on."""

from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from django.db import connection

from events import closing, partitions, tasks
from events.store import store_http
from events.tests.committed import _django_db_helper  # noqa: F401
from events.tests.factories import raw

pytestmark = pytest.mark.django_db(transaction=True)


def day_before(days: int) -> date:
    return datetime.now(UTC).date() - timedelta(days=days)


@pytest.fixture(autouse=True)
def no_partitions() -> None:
    """Those of earlier tests that committed would be days that are over, too."""
    with connection.cursor() as cursor:
        for day in partitions.existing():
            cursor.execute(f"DROP TABLE {partitions.name_of(day)}")
    partitions.forget()


@pytest.fixture
def over(no_partitions: None) -> date:
    """A partition of four days ago, with events."""
    day = day_before(4)
    store_http([raw(timestamp=f"{day}T12:00:00Z") for _ in range(10)])
    return day


def test_a_day_that_is_over_is_open_until_it_is_closed(over: date) -> None:
    assert closing.open_days() == [over]

    tasks.close_days()

    assert closing.open_days() == []


def test_today_is_not_over_and_a_day_has_an_hour_of_grace(over: date) -> None:
    midnight = datetime.combine(over + timedelta(days=1), datetime.min.time(), UTC)

    assert closing.open_days(midnight + timedelta(minutes=59)) == []
    assert closing.open_days(midnight + timedelta(minutes=60)) == [over]


def test_a_day_that_retention_is_about_to_drop_is_not_closed(over: date, configure: Callable[[str, Any], None]) -> None:
    configure("analytics.retention.raw_events", timedelta(days=4))
    assert closing.open_days() == [over]

    configure("analytics.retention.raw_events", timedelta(days=3))
    assert closing.open_days() == []


def test_late_events_of_a_closed_day_are_stored(over: date) -> None:
    tasks.close_days()

    assert store_http([raw(timestamp=f"{over}T13:00:00Z")])[0].status == "stored"


def test_an_index_that_an_interrupted_run_left_behind_is_built_anew(over: date) -> None:
    closing.close_day(over)
    with connection.cursor() as cursor:
        cursor.execute(f"DROP INDEX {partitions.name_of(over)}_properties")
    assert closing.open_days() == [over]

    closing.close_day(over)
    closing.close_day(over)

    assert closing.open_days() == []
