from datetime import UTC, date, datetime, timedelta

import pytest
from django.db import connection

from analytics_project.lib import partitioned
from events import partitions
from events.models import Event
from events.partitions import Plan
from events.store import store_http
from events.tests.factories import raw

pytestmark = pytest.mark.django_db

DAY = date(2026, 2, 28)


@pytest.fixture(autouse=True)
def _no_partitions(db: None) -> None:
    with connection.cursor() as cursor:
        for day in partitions.existing():
            cursor.execute(f"DROP TABLE {partitions.name_of(day)}")


def bounds(day: date) -> str:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT pg_get_expr(relpartbound, oid) FROM pg_class WHERE relname = %s", [partitions.name_of(day)]
        )
        text: str = cursor.fetchone()[0]
    return text


def indexes(table: str) -> int:
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM pg_indexes WHERE tablename = %s", [table])
        return int(cursor.fetchone()[0])


def test_a_name_tells_the_day() -> None:
    assert partitions.name_of(date(2026, 3, 7)) == "events_y2026m03d07"
    assert partitions.day_of("events_y2026m03d07") == date(2026, 3, 7)


def test_a_partition_holds_one_day_of_utc() -> None:
    partitions.create(DAY)

    assert bounds(DAY) == "FOR VALUES FROM ('2026-02-28 00:00:00+00') TO ('2026-03-01 00:00:00+00')"


def test_the_bounds_do_not_follow_the_zone_of_the_session() -> None:
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL timezone TO 'America/New_York'")
        partitions.create(DAY)
        cursor.execute("SET LOCAL timezone TO 'UTC'")

    assert bounds(DAY) == "FOR VALUES FROM ('2026-02-28 00:00:00+00') TO ('2026-03-01 00:00:00+00')"


def test_a_partition_has_the_indexes_of_its_parent_and_no_constraint_left_over() -> None:
    partitions.create(DAY)

    assert indexes(partitions.name_of(DAY)) == indexes("events") >= 4
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT conname FROM pg_constraint WHERE conrelid = %s::regclass AND conname = 'one_day'",
            [partitions.name_of(DAY)],
        )
        assert cursor.fetchall() == []


def test_events_at_the_edges_of_a_day_go_where_they_belong() -> None:
    today = datetime.now(UTC).date()
    yesterday = today - timedelta(days=1)

    store_http([raw(timestamp=f"{yesterday}T23:59:59.999999Z"), raw(timestamp=f"{today}T00:00:00Z")])

    with connection.cursor() as cursor:
        cursor.execute('SELECT tableoid::regclass::text FROM events ORDER BY "timestamp"')
        assert cursor.fetchall() == [(partitions.name_of(yesterday),), (partitions.name_of(today),)]


def test_creating_twice_changes_nothing() -> None:
    partitions.create(DAY)
    partitions.create(DAY)

    assert partitions.existing() == [DAY]


def test_a_plan_names_what_is_missing_from_yesterday_on() -> None:
    partitions.create(DAY)

    plan = partitions.plan_ahead(DAY, 2)

    assert plan == Plan((date(2026, 2, 27), date(2026, 3, 1), date(2026, 3, 2)))
    assert str(plan) == "create events_y2026m02d27\ncreate events_y2026m03d01\ncreate events_y2026m03d02"


def test_an_applied_plan_leaves_nothing_to_do() -> None:
    partitions.apply(partitions.plan_ahead(DAY, 7))

    plan = partitions.plan_ahead(DAY, 7)

    assert (plan, str(plan)) == (Plan(()), "nothing to do")
    assert len(partitions.existing()) == 9


@pytest.mark.parametrize(
    ("offsets", "ahead"), [([], -1), ([1, 2], -1), ([0], 0), ([0, 1, 2], 2), ([0, 1, 3], 1), ([-1, 0], 0)]
)
def test_days_ahead_stop_at_the_first_hole(offsets: list[int], ahead: int) -> None:
    partitions.apply(Plan(tuple(DAY + timedelta(days=offset) for offset in offsets)))

    assert partitions.days_ahead(DAY) == ahead


def test_ensure_makes_what_is_missing_only_once(django_assert_num_queries: object) -> None:
    partitions.ensure({DAY})

    with django_assert_num_queries(0):  # type: ignore[operator]
        partitions.ensure({DAY})

    assert partitions.existing() == [DAY]


def test_there_is_no_default_partition() -> None:
    partitions.apply(partitions.plan_ahead(DAY, 1))

    with connection.cursor() as cursor:
        cursor.execute("SELECT partdefid FROM pg_partitioned_table WHERE partrelid = 'events'::regclass")
        assert cursor.fetchone() == (0,)


def test_a_window_reads_its_partitions_only() -> None:
    partitions.apply(partitions.plan_ahead(DAY, 7))

    start, end = partitions.bounds_of(DAY)
    plan = Event.objects.filter(project_id=1, timestamp__gte=start, timestamp__lt=end).explain()

    assert partitions.name_of(DAY) in plan
    assert partitions.name_of(DAY + timedelta(days=1)) not in plan


def comment(day: date) -> str | None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT obj_description(%s::regclass, 'pg_class')", [partitions.name_of(day)])
        text: str | None = cursor.fetchone()[0]
    return text


def test_a_partition_says_who_made_it() -> None:
    partitions.create(DAY)

    assert comment(DAY) == partitioned.MADE
