"""Each interval of rollups has its own retention, by whole leaves."""

from datetime import UTC, datetime, timedelta

import pytest

from analytics_project.lib import partitioned
from events import partitions
from events.models import TouchedBucket
from events.store import store_http
from events.tests.factories import raw
from metrics import retention
from metrics.models import Interval, MetricAggregation, RollupMark, Seal, UniqueUsers
from metrics.retention import families
from metrics.rollups import engine
from metrics.rollups import partitions as leaves
from metrics.tests.committed import _django_db_helper  # noqa: F401
from metrics.tests.database import drop_days, execute

pytestmark = pytest.mark.django_db(transaction=True)

NOW = datetime.now(UTC)
FACT = NOW.replace(hour=12, minute=0, second=30, microsecond=0) - timedelta(days=2)
YEAR_END = datetime(FACT.year + 1, 1, 1, tzinfo=UTC)
MONTH_END = leaves.bounds_of(Interval.MINUTE, FACT)[1]
GRACE = families.GRACE


@pytest.fixture(autouse=True)
def _rolled_up() -> None:
    """Nothing but events of one minute, of three users, and their rollups; no leaf of an earlier test."""
    drop_days()
    for family in families.rollups():
        for leaf in partitioned.attached(family.parent):
            execute(f"DROP TABLE {leaf.name}")
    store_http([raw(timestamp=FACT.isoformat(), user_id=f"u-{n}") for n in range(3)])
    engine.roll_up()


def run(now: datetime) -> str:
    return str(retention.apply(retention.plan(now)))


def kept() -> set[str]:
    return set(MetricAggregation.objects.values_list("interval", flat=True))


@pytest.mark.parametrize(
    ("age", "left"),
    [
        (timedelta(days=364), {"1m", "5m", "15m", "1h", "1d"}),
        (timedelta(days=365), {"1h", "1d"}),
        (timedelta(days=730), {"1d"}),
    ],
)
def test_intervals_go_by_their_own_retention(age: timedelta, left: set[str]) -> None:
    run(MONTH_END + age + GRACE)

    assert kept() == left


def test_the_last_interval_goes_by_whole_years() -> None:
    run(YEAR_END + timedelta(days=3650) + GRACE - timedelta(microseconds=1))
    assert kept() == {"1d"}

    run(YEAR_END + timedelta(days=3650) + GRACE)
    assert kept() == set()


def test_a_leaf_waits_until_the_events_of_its_time_are_gone() -> None:
    TouchedBucket.objects.create(project_id=1, event_type="order.placed", bucket=FACT)

    told = run(MONTH_END + timedelta(days=365) + GRACE)

    leaf = leaves.name_of(Interval.MINUTE, FACT)
    assert f"hold back {leaf}: {partitions.name_of(FACT.date())} is still there, and older" in told
    assert kept() == {"1m", "5m", "15m", "1h", "1d"}


@pytest.mark.parametrize(("marked", "left"), [("5m", {"1m", "5m", "15m"}), ("15m", {"5m", "15m"}), ("1h", {"15m"})])
def test_a_leaf_stays_while_something_is_to_be_made_of_it(marked: str, left: set[str]) -> None:
    run(MONTH_END + timedelta(days=364))
    RollupMark.objects.create(interval=marked, project_id=1, metric_name="x", time_bucket=FACT)

    assert "hold back" in run(MONTH_END + timedelta(days=365) + GRACE)

    assert kept() >= left | {"1h", "1d"}


def test_minutes_before_the_end_of_a_dropped_leaf_are_sealed() -> None:
    run(MONTH_END + timedelta(days=365) + GRACE)

    assert Seal.objects.get().sealed_until == MONTH_END


def test_dropped_leaves_change_nothing_above_them() -> None:
    before = list(MetricAggregation.objects.filter(interval__in=["1h", "1d"]).order_by("pk").values())

    run(MONTH_END + timedelta(days=365) + GRACE)
    TouchedBucket.objects.create(project_id=1, event_type="order.placed", bucket=FACT)
    engine.roll_up()

    assert list(MetricAggregation.objects.filter(interval__in=["1h", "1d"]).order_by("pk").values()) == before


def test_a_leaf_made_before_there_were_marks_is_known_by_its_bounds() -> None:
    execute(f"COMMENT ON TABLE {leaves.name_of(Interval.MINUTE, FACT)} IS NULL")

    run(MONTH_END + timedelta(days=365) + GRACE)

    assert "1m" not in kept()


def test_leaves_say_who_made_them() -> None:
    for family in families.rollups():
        assert [leaf.comment for leaf in partitioned.attached(family.parent)] == [partitioned.MADE]


@pytest.mark.parametrize(
    "name",
    [
        "metric_aggregations_1m_y2026m13",
        "metric_aggregations_1m_y2026",
        "metric_aggregations_1m_y2026m11d01",
        "metric_aggregations_5m_y2026m11",
        "metric_aggregations_1m",
    ],
)
def test_a_name_that_no_leaf_has(name: str) -> None:
    assert families.rollups()[0].named(name) is None


def test_a_name_tells_the_time_of_a_leaf() -> None:
    partition = families.rollups()[4].named("metric_aggregations_1d_y2026")

    assert partition is not None
    assert (partition.start, partition.end) == (datetime(2026, 1, 1, tzinfo=UTC), datetime(2027, 1, 1, tzinfo=UTC))


def test_users_of_old_buckets_are_deleted_by_their_interval() -> None:
    assert set(UniqueUsers.objects.values_list("interval", flat=True)) == {"1m", "5m", "15m", "1h", "1d"}
    now = NOW + timedelta(days=365)
    run(now - timedelta(days=3))
    assert UniqueUsers.objects.count() == 5

    assert "delete 1 rows of unique_users (1m) older than 365d" in str(retention.plan(now))
    run(now)

    assert set(UniqueUsers.objects.values_list("interval", flat=True)) == {"1h", "1d"}


def test_users_are_not_deleted_before_their_events() -> None:
    TouchedBucket.objects.create(project_id=1, event_type="order.placed", bucket=FACT)

    run(NOW + timedelta(days=365))

    assert UniqueUsers.objects.count() == 5


def test_users_stay_while_a_coarser_bucket_is_to_be_made_of_them() -> None:
    now = NOW + timedelta(days=365)
    run(now - timedelta(days=3))
    RollupMark.objects.create(interval="1h", project_id=1, metric_name="users.unique", time_bucket=FACT)

    run(now)

    assert set(UniqueUsers.objects.values_list("interval", flat=True)) == {"15m", "1h", "1d"}
