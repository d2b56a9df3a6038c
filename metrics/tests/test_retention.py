"""What is over is dropped once it is rolled up, in steps of which each can be the last."""

from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from io import StringIO
from typing import Any

import pytest
from django.core.management import call_command
from django.db import OperationalError

from analytics_project.lib import partitioned
from analytics_project.lib.partitioned import Busy, NotOurs
from events import partitions
from events.models import DeadLetter, Event, TouchedBucket
from events.store import store_http
from events.tests.factories import raw
from metrics import retention, tasks
from metrics.models import Interval, MetricAggregation, RollupMark, RollupProgress, Seal
from metrics.retention import holding
from metrics.rollups import engine
from metrics.rollups.locks import ROLLUP_LOCKS
from metrics.tests.committed import _django_db_helper  # noqa: F401
from metrics.tests.database import drop_days, execute, exists, other
from metrics.tests.factories import define

pytestmark = pytest.mark.django_db(transaction=True)

TODAY = datetime.now(UTC).date()
OLD, NEXT = TODAY - timedelta(days=6), TODAY - timedelta(days=5)
OLD_TABLE = partitions.name_of(OLD)


def store(day: date, time: str = "12:00:00", **fields: Any) -> str:
    return store_http([raw(timestamp=f"{day}T{time}Z", **fields)])[0].status


@pytest.fixture
def old(configure: Callable[[str, Any], None]) -> date:
    """A day with rolled up events that is older than raw events are kept."""
    drop_days()
    for minute in range(10):
        store(OLD, f"12:{minute:02}:30")
    engine.roll_up()
    configure("analytics.retention.raw_events", timedelta(days=3))
    return OLD


def rollups() -> list[Any]:
    return list(
        MetricAggregation.objects.order_by("interval", "metric_name", "time_bucket", "dimensions").values_list(
            "interval", "metric_name", "time_bucket", "dimensions", "count", "sum"
        )
    )


def run() -> str:
    return str(retention.apply(retention.plan()))


def test_a_day_is_dropped_and_its_rollups_stay(old: date) -> None:
    before = rollups()

    assert run() == "dropped 1 partitions, 0 held back"

    assert (Event.objects.count(), exists(OLD_TABLE)) == (0, False)
    engine.roll_up()
    assert rollups() == before != []


def test_what_comes_late_for_a_dropped_day_is_a_dead_letter_and_changes_nothing(old: date) -> None:
    before = rollups()
    run()

    assert store(old, "12:03:31") == "refused"
    # Marks of that day, wherever from, find nothing to be added up and must not take away what was.
    TouchedBucket.objects.create(
        project_id=1, event_type="order.placed", bucket=datetime(old.year, old.month, old.day, 12, 3, tzinfo=UTC)
    )
    engine.roll_up()

    assert rollups() == before
    assert DeadLetter.objects.get().reason == "too_old"
    assert not exists(OLD_TABLE)


def test_a_day_within_retention_stays(old: date, configure: Callable[[str, Any], None]) -> None:
    configure("analytics.retention.raw_events", timedelta(days=6))

    assert str(retention.plan()) == "nothing to do"


def test_the_edge_of_a_day_and_an_hour_of_grace(old: date) -> None:
    end = partitions.bounds_of(old)[1] + timedelta(days=3, hours=1)

    assert not retention.plan(end - timedelta(microseconds=1)).drops
    assert retention.plan(end).drops


def test_a_plan_tells_and_changes_nothing(old: date) -> None:
    out = StringIO()
    call_command("apply_retention", "--dry-run", stdout=out)

    assert out.getvalue().startswith(f"drop {OLD_TABLE}: older than 3d, about ")
    assert Event.objects.count() == 10
    assert not Seal.objects.exists()


def test_the_command_prints_its_plan_and_what_came_of_it(old: date) -> None:
    out = StringIO()
    call_command("apply_retention", stdout=out)

    assert out.getvalue().splitlines()[-1] == "dropped 1 partitions, 0 held back"
    assert not exists(OLD_TABLE)


def touched(at: datetime) -> None:
    TouchedBucket.objects.create(project_id=1, event_type="order.placed", bucket=at)


def marked(at: datetime) -> None:
    RollupMark.objects.create(interval="1m", project_id=1, metric_name="trading.total_volume", time_bucket=at)


def never_rolled_up(at: datetime) -> None:
    RollupProgress.objects.all().delete()


def not_so_far(at: datetime) -> None:
    RollupProgress.objects.filter(interval="1m").update(complete_until=at)


def backfilling(at: datetime) -> None:
    definition = define()
    type(definition).objects.filter(pk=definition.pk).update(backfill_before=at)


@pytest.mark.parametrize(
    ("hinder", "told"),
    [
        (touched, "1 marks of minutes before its end"),
        (marked, "1 marks of minutes before its end"),
        (never_rolled_up, "minutes are complete until no time at all"),
        (not_so_far, "minutes are complete until "),
        (backfilling, "the backfill of desk.slippage is not done"),
    ],
)
def test_a_day_that_is_not_rolled_up_is_held_back(
    old: date, hinder: Callable[[datetime], None], told: str, caplog: pytest.LogCaptureFixture
) -> None:
    hinder(partitions.bounds_of(old)[0] + timedelta(hours=12))

    assert f"hold back {OLD_TABLE}: not rolled up: {told}" in str(retention.plan())
    assert run().endswith("dropped 0 partitions, 1 held back")

    assert Event.objects.count() == 10
    assert f"hold back {OLD_TABLE}: not rolled up: {told}" in caplog.text


def test_a_mark_after_the_plan_holds_the_day_back(old: date) -> None:
    plan = retention.plan()
    touched(partitions.bounds_of(old)[0])

    assert "1 held back" in str(retention.apply(plan))
    assert exists(OLD_TABLE)
    assert not Seal.objects.exists()


def test_marks_of_other_days_hold_nothing_back(old: date) -> None:
    touched(partitions.bounds_of(old)[1])

    assert len(retention.plan().drops) == 1


def test_days_go_in_their_order(old: date, configure: Callable[[str, Any], None]) -> None:
    configure("analytics.retention.raw_events", timedelta(days=90))
    store(NEXT)
    configure("analytics.retention.raw_events", timedelta(days=3))
    TouchedBucket.objects.all().delete()
    touched(partitions.bounds_of(old)[0])

    assert f"hold back {partitions.name_of(NEXT)}: {OLD_TABLE} is still there, and older" in str(retention.plan())

    TouchedBucket.objects.all().delete()
    assert run() == "dropped 2 partitions, 0 held back"


def test_the_seal_is_set_before_the_day_is_detached(old: date, monkeypatch: pytest.MonkeyPatch) -> None:
    def busy(*_: object) -> None:
        raise Busy("in use")

    monkeypatch.setattr(partitioned, "detach", busy)

    assert f"hold back {OLD_TABLE}: in use" in run()
    assert Seal.objects.get().sealed_until == partitions.bounds_of(old)[1]
    assert Event.objects.count() == 10


def test_the_seal_never_goes_back(old: date) -> None:
    later = datetime.now(UTC)
    Seal.objects.create(sealed_until=later)

    run()

    assert Seal.objects.get().sealed_until == later


def test_nothing_is_sealed_while_the_engine_is_at_work(old: date, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(holding, "LOCK_TIMEOUT", "50ms")
    with other() as engine_at_work:
        engine_at_work.execute("SELECT pg_advisory_xact_lock(%s)", [ROLLUP_LOCKS[Interval.MINUTE]])

        assert "the rollup engine is at work" in run()

    assert Event.objects.count() == 10
    assert "dropped 1 partitions" in run()


def test_what_a_killed_run_detached_is_dropped_by_the_next(old: date, monkeypatch: pytest.MonkeyPatch) -> None:
    def killed(_: str) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(partitioned, "drop", killed)
        with pytest.raises(KeyboardInterrupt):
            run()
    assert (Event.objects.count(), exists(OLD_TABLE)) == (0, True)

    assert str(retention.plan()) == f"drop {OLD_TABLE}: detached by an earlier run"
    run()

    assert not exists(OLD_TABLE)


def test_a_leftover_within_a_retention_that_became_longer_stays(
    old: date, configure: Callable[[str, Any], None]
) -> None:
    partitioned.detach("events", OLD_TABLE)
    configure("analytics.retention.raw_events", timedelta(days=30))

    assert str(retention.plan()) == "nothing to do"


def test_a_reader_delays_and_the_next_run_finishes(old: date, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(partitioned, "LOCK_TIMEOUT", "100ms")
    monkeypatch.setattr(partitioned, "PAUSE", 0.01)
    with other() as reader:
        reader.execute("SELECT count(*) FROM events")
        assert f"hold back {OLD_TABLE}: {OLD_TABLE} is in use" in run()
        assert partitioned.is_pending("events", OLD_TABLE)
        # Meanwhile: invisible to new queries, and days can be made and written to.
        assert Event.objects.count() == 0
        assert store(TODAY, "00:00:00") == "stored"

    assert "dropped 1 partitions" in run()
    assert not exists(OLD_TABLE)


def test_what_somebody_began_to_detach_is_finished_and_kept(old: date) -> None:
    store(TODAY, "00:00:00")
    TouchedBucket.objects.all().delete()
    table = partitions.name_of(TODAY)
    with other() as reader:
        reader.execute("SELECT count(*) FROM events")
        with partitioned.lock_timeout("50ms"), pytest.raises(OperationalError):
            execute(f"ALTER TABLE events DETACH PARTITION {table} CONCURRENTLY")

    assert "dropped 1 partitions" in run()

    assert partitioned.is_pending("events", table) is None
    assert exists(table)
    execute(f"DROP TABLE {table}")


def test_what_somebody_detached_by_hand_is_told_and_not_dropped(old: date) -> None:
    execute(f"ALTER TABLE events DETACH PARTITION {OLD_TABLE}")

    assert str(retention.plan()) == f"hold back {OLD_TABLE}: detached, but not by this service"
    run()

    assert exists(OLD_TABLE)


@pytest.mark.parametrize("mark", [None, "somebody else's", partitioned.MADE])
def test_a_table_without_the_mark_is_never_dropped(old: date, mark: str | None) -> None:
    execute("CREATE TABLE events_y2001m02d03 (LIKE events)")
    if mark:
        partitioned.mark("events_y2001m02d03", mark)

    with pytest.raises(NotOurs):
        partitioned.drop("events_y2001m02d03")
    run()

    assert exists("events_y2001m02d03")
    execute("DROP TABLE events_y2001m02d03")


def test_an_attached_table_is_never_dropped_whatever_its_mark(old: date) -> None:
    partitioned.mark(OLD_TABLE, partitioned.RETIRED)

    with pytest.raises(NotOurs):
        partitioned.drop(OLD_TABLE)

    assert exists(OLD_TABLE)


def test_a_partition_made_before_there_were_marks_is_known_by_its_bounds(old: date) -> None:
    execute(f"COMMENT ON TABLE {OLD_TABLE} IS NULL")

    assert "dropped 1 partitions" in run()


def test_a_partition_of_other_bounds_is_not_ours(old: date) -> None:
    execute("CREATE TABLE events_of_may PARTITION OF events FOR VALUES FROM ('2001-05-01Z') TO ('2001-06-01Z')")

    told = str(retention.plan())

    assert "hold back events_of_may: this service did not make it" in told
    assert f"hold back {OLD_TABLE}: events_of_may is still there, and older" in told
    execute("DROP TABLE events_of_may")


def test_the_task_runs_once_at_a_time(old: date) -> None:
    with other() as first:
        first.execute("SELECT pg_advisory_lock(%s)", [tasks.RETENTION_LOCK])
        tasks.apply_retention()
        assert exists(OLD_TABLE)
        first.execute("SELECT pg_advisory_unlock(%s)", [tasks.RETENTION_LOCK])

    tasks.apply_retention()

    assert not exists(OLD_TABLE)


def test_the_task_is_upkeep_and_not_a_rollup() -> None:
    from analytics_project.celery import app

    assert app.amqp.router.route({}, "metrics.apply_retention")["queue"].name == "maintenance"
    assert app.amqp.router.route({}, "metrics.roll_up")["queue"].name == "rollup"


def test_the_planner_is_told_about_the_parents(old: date) -> None:
    run()

    analyzed = "SELECT relname FROM pg_class WHERE relname ~ '^metric_aggregations(_[0-9]+[mhd])?$' AND reltuples > 0"
    assert len(execute(analyzed)) == 6
