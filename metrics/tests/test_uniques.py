"""Distinct users: exact while they are few, within the sketch's error when they are many, on every interval."""

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta

import pytest
from django.db import connection

from events import partitions
from events.models import Event, TouchedBucket
from metrics.models import UniqueUsers
from metrics.rollups import engine
from metrics.rollups.uniques import EXACT_UP_TO

pytestmark = pytest.mark.django_db
START = (datetime.now(UTC) - timedelta(days=2)).replace(hour=3, minute=0, second=0, microsecond=0)


def seen(minute: int, users: Iterable[int]) -> None:
    """One event of each of these users within a minute, straight into the table."""
    moment = START + timedelta(minutes=minute)
    partitions.ensure([moment.date()])
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO events (project_id, id, event_type, user_id, timestamp)"
            " SELECT 1, gen_random_uuid(), 'page.view', 'user-' || u, %s FROM unnest(%s::int[]) AS u",
            [moment, list(users)],
        )
    TouchedBucket.objects.create(project_id=1, event_type="page.view", bucket=moment)


def counts(interval: str) -> list[tuple[int, bool]]:
    """Count and whether it is exact, by time."""
    rows = UniqueUsers.objects.filter(interval=interval).order_by("time_bucket")
    return [(row.count, row.hashes is not None) for row in rows]


def test_few_users_are_counted_exactly_however_often_they_come() -> None:
    for minute in (0, 1, 4, 61):
        seen(minute, range(300))
    seen(7, range(250, 400))
    engine.roll_up()

    assert counts("1m") == [(300, True), (300, True), (300, True), (150, True), (300, True)]
    assert counts("5m") == [(300, True), (150, True), (300, True)]
    assert counts("1h") == [(400, True), (300, True)]
    assert counts("1d") == [(400, True)]


def test_at_the_limit_and_one_beyond() -> None:
    seen(0, range(EXACT_UP_TO))
    seen(5, range(EXACT_UP_TO + 1))
    engine.roll_up()

    (first, is_exact), (second, is_exact_too) = counts("1m")
    assert (first, is_exact, is_exact_too) == (EXACT_UP_TO, True, False)
    assert second == pytest.approx(EXACT_UP_TO + 1, rel=0.05)


@pytest.mark.parametrize("size", [3000, 12_000, 60_000])
def test_a_sketch_of_merged_parts_is_the_sketch_of_the_whole(size: int) -> None:
    third = size // 3
    for minute, begin in ((0, 0), (20, third), (50, 2 * third)):
        seen(minute, range(begin, begin + third + 100))
    seen(61, range(500))
    engine.roll_up()

    hour, few = counts("1h")
    # Three standard errors of 1.6 %.
    assert hour[0] == pytest.approx(size + 100, rel=0.05)
    assert hour[1] is False
    assert few == (500, True)
    (day,) = counts("1d")
    assert day[0] == hour[0]
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT users_estimate(users_registers(array_agg(DISTINCT hashtextextended(user_id, 0)))) FROM events"
        )
        assert cursor.fetchone()[0] == day[0]


def test_a_bucket_without_users_has_no_row_and_loses_the_one_it_had() -> None:
    seen(0, range(10))
    engine.roll_up()
    Event.objects.update(user_id=None)
    TouchedBucket.objects.create(project_id=1, event_type="page.view", bucket=START)
    engine.roll_up()

    assert not UniqueUsers.objects.exists()
