"""Days as people have them, over the changes of their clocks."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from django.db import connection
from django.test import Client

from metrics.models import Interval, RollupProgress
from metrics.reads import buckets
from metrics.rollups import partitions
from metrics.tests.reading import ask, iso

QUARTER = timedelta(minutes=15)
# Zone, the day that its clocks change, and how many hours it has. Amman changed at midnight, forth and back at 1.
CHANGES = [
    ("Europe/Paris", "2026-03-29", 23),
    ("Europe/Paris", "2026-10-25", 25),
    ("America/Chicago", "2026-03-08", 23),
    ("America/Chicago", "2026-11-01", 25),
    ("Asia/Kathmandu", "2026-03-29", 24),
    ("Asia/Amman", "2022-02-25", 23),
    ("Asia/Amman", "2021-10-29", 25),
    ("America/Havana", "2026-11-01", 25),
]
INSERT = """
INSERT INTO metric_aggregations (project_id, interval, metric_name, time_bucket, dimensions, count, sum)
SELECT 1, '15m', 'events.count.tick', at, '{}', 1, 1 FROM generate_series(%s, %s, '15 minutes'::interval) AS at
"""


def around(zone: str, day: str) -> list[datetime]:
    """The beginnings of the day before, of the day, and of the two after it, without the code under test."""
    place, first = ZoneInfo(zone), datetime.fromisoformat(day).date()
    quarters = [datetime(first.year, first.month, first.day, tzinfo=UTC) + n * QUARTER for n in range(-200, 400)]
    days = [first + n * timedelta(days=1) for n in (-1, 0, 1, 2)]
    return [min(moment for moment in quarters if moment.astimezone(place).date() == day) for day in days]


@pytest.fixture
def ticks(db: None) -> None:
    """One event in each quarter of an hour around every change, in rollups only."""
    for _, day, _ in {day: change for change in CHANGES for day in [change[1]]}.values():
        middle = datetime.fromisoformat(day).replace(tzinfo=UTC)
        start, end = middle - timedelta(days=3), middle + timedelta(days=4) - QUARTER
        partitions.ensure(Interval.QUARTER, [start, end])
        with connection.cursor() as cursor:
            cursor.execute(f"{INSERT} ON CONFLICT DO NOTHING", [start, end])
    now = datetime.now(UTC)
    RollupProgress.objects.bulk_create(RollupProgress(interval, now) for interval in Interval.values)


@pytest.mark.parametrize(("zone", "day", "hours"), CHANGES)
def test_days_have_as_many_hours_as_clocks_say(client: Client, ticks: None, zone: str, day: str, hours: int) -> None:
    starts = around(zone, day)

    result = ask(client, "events.count.tick", interval="1d", timezone=zone, start_time=starts[0], end_time=starts[-1])

    assert [(point["timestamp"], point["value"]) for point in result["data_points"]] == [
        *zip(map(iso, starts), [24 * 4, hours * 4, 24 * 4], strict=False)
    ]
    assert (result["resolution"], result["timezone"]) == ("15m", zone)


@pytest.mark.parametrize(("zone", "day", "hours"), CHANGES)
def test_a_rate_knows_how_long_the_day_was(client: Client, ticks: None, zone: str, day: str, hours: int) -> None:
    starts = around(zone, day)

    result = ask(
        client,
        "events.count.tick",
        interval="1d",
        timezone=zone,
        start_time=starts[1],
        end_time=starts[2],
        aggregation="rate",
    )

    [point] = result["data_points"]
    assert point["value"] == pytest.approx(4 / 3600)


@pytest.mark.parametrize(("zone", "day", "hours"), CHANGES)
def test_the_days_before_are_days_too(client: Client, ticks: None, zone: str, day: str, hours: int) -> None:
    starts = around(zone, day)

    result = ask(
        client,
        "events.count.tick",
        interval="1d",
        timezone=zone,
        start_time=starts[2],
        end_time=starts[3],
        compare="previous",
    )

    assert [(point["timestamp"], point["value"]) for point in result["previous"]["data_points"]] == [
        (iso(starts[1]), hours * 4)
    ]


@pytest.mark.parametrize(("zone", "day", "hours"), CHANGES)
def test_any_moment_of_a_day_gives_the_whole_day(zone: str, day: str, hours: int) -> None:
    starts = around(zone, day)
    place = ZoneInfo(zone)
    for moment in (starts[1], starts[1] + timedelta(minutes=1), starts[2] - timedelta(minutes=1)):
        found = buckets.overlapping(buckets.LOCAL_DAY, place, moment, moment + timedelta(seconds=1))
        assert (found.starts, found.end) == ((starts[1],), starts[2])


def test_other_intervals_are_of_utc(client: Client, ticks: None) -> None:
    start = datetime(2026, 3, 29, tzinfo=UTC)

    result = ask(
        client,
        "events.count.tick",
        interval="15m",
        timezone="Asia/Kathmandu",
        start_time=start,
        end_time=start + 2 * QUARTER,
    )

    assert [point["timestamp"] for point in result["data_points"]] == [iso(start), iso(start + QUARTER)]
