"""Rebuilds and backfills: what is marked, and that the engine makes of it what the facts say."""

from datetime import UTC, datetime, timedelta
from io import StringIO
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.db import connection
from django.test import Client

from events import partitions as events_partitions
from events.tests.api import store
from metrics.definitions import keeping
from metrics.definitions.models import MetricDefinition
from metrics.models import Interval, MetricAggregation, RollupMark, Seal, UniqueUsers
from metrics.rollups import engine, partitions
from metrics.tests.factories import define

pytestmark = pytest.mark.django_db

NOW = datetime.now(UTC)
# Well inside a day and an hour, so that no test depends on when it runs.
NOON = NOW.replace(hour=12, minute=2, second=0, microsecond=0) - timedelta(days=2)
BEFORE, AFTER = NOON - timedelta(days=1), NOON + timedelta(days=1)


def at(moment: datetime) -> str:
    return moment.isoformat()


def fill(client: Client, at_time: datetime, slippage: float, symbol: str = "A", **fields: Any) -> None:
    properties = {"symbol": symbol, "slippage_bps": slippage}
    store(client, {"event_type": "order.filled", "timestamp": at(at_time), "properties": properties, **fields})


def sums(metric: str = "desk.slippage", interval: str = "1d") -> list[tuple[str, int, float]]:
    rows = MetricAggregation.objects.filter(metric_name=metric, interval=interval).order_by("time_bucket", "dimensions")
    return [(row.dimensions.get("symbol", "-"), row.count, float(row.sum or 0)) for row in rows]


def backfill_all() -> None:
    MetricDefinition.objects.update(updated_at=NOW - timedelta(minutes=5))
    while keeping.go_on():
        pass


def rebuild(*arguments: str) -> str:
    out = StringIO()
    call_command("rebuild_rollups", *arguments, stdout=out, stderr=StringIO())
    return out.getvalue()


def window() -> list[str]:
    return ["--start", at(BEFORE), "--end", at(AFTER)]


def spoil(interval: str, metric: str, symbol: str, at_time: datetime) -> None:
    """A row that no fact explains."""
    partitions.ensure(Interval(interval), [at_time])
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO metric_aggregations (project_id, metric_name, interval, time_bucket, dimensions, count, sum)"
            " VALUES (1, %s, %s, %s, jsonb_build_object('symbol', %s::text), 9, 9)",
            [metric, interval, at_time, symbol],
        )


def test_a_backfill_computes_what_was_stored_before(client: Client) -> None:
    for days in (0, 3, 10):
        fill(client, NOON - timedelta(days=days), 2 + days)
    engine.roll_up()
    definition = define()
    assert sums() == []

    keeping.request_backfill(definition)
    backfill_all()
    engine.roll_up()

    assert sums() == [("A", 1, 12.0), ("A", 1, 5.0), ("A", 1, 2.0)]
    definition.refresh_from_db()
    assert (definition.backfill_before, definition.complete_from) == (None, None)


def test_a_backfill_goes_back_day_by_day(client: Client) -> None:
    fill(client, NOON, 1)
    fill(client, NOON - timedelta(days=1), 1)
    keeping.request_backfill(define())
    MetricDefinition.objects.update(updated_at=NOW - timedelta(minutes=5))

    steps = []
    while keeping.go_on():
        marked = RollupMark.objects.count()
        before, complete = MetricDefinition.objects.values_list("backfill_before", "complete_from").get()
        steps.append((marked, before == complete))

    assert steps[-1] == (2, True)
    assert all(consistent for _, consistent in steps)


def test_a_definition_that_is_new_waits_for_the_other_processes() -> None:
    keeping.request_backfill(define())

    assert not keeping.go_on()
    assert keeping.go_on(NOW + timedelta(minutes=5))


def test_an_inactive_definition_is_not_backfilled(client: Client) -> None:
    fill(client, NOON, 1)
    definition = define()
    keeping.request_backfill(definition)
    keeping.deactivate(definition)

    backfill_all()

    assert not RollupMark.objects.exists()


def test_a_backfill_takes_the_types_of_a_pattern(client: Client) -> None:
    fill(client, NOON, 1)
    fill(client, NOON, 2, event_type="order.odd")
    fill(client, NOON, 4, event_type="signal.x")
    keeping.request_backfill(define(event_types=["order.*"]))

    backfill_all()
    engine.roll_up()

    assert sums() == [("A", 2, 3.0)]


def test_a_rebuild_heals_every_interval(client: Client) -> None:
    define()
    fill(client, NOON, 1, "A", user_id="u1")
    fill(client, NOON + timedelta(minutes=7), 2, "B", user_id="u2")
    engine.roll_up()
    right = list(MetricAggregation.objects.order_by("pk").values())
    users = list(UniqueUsers.objects.order_by("pk").values("interval", "count"))
    MetricAggregation.objects.filter(metric_name="desk.slippage").update(sum=999)
    MetricAggregation.objects.filter(metric_name="events.count.order.filled", interval="1m").delete()
    UniqueUsers.objects.update(count=77)

    assert "All of them are computed" in rebuild(*window())

    assert list(MetricAggregation.objects.order_by("pk").values()) == right
    assert list(UniqueUsers.objects.order_by("pk").values("interval", "count")) == users


@pytest.mark.parametrize("interval", Interval.values)
def test_a_rebuild_removes_what_no_fact_explains(client: Client, interval: str) -> None:
    define()
    fill(client, NOON, 1)
    engine.roll_up()
    right = list(MetricAggregation.objects.order_by("pk").values())
    day = NOON.replace(hour=0, minute=0)
    events_partitions.ensure([(day - timedelta(days=1)).date()])
    for name in ("desk.slippage", "events.count.order.filled"):
        spoil(interval, name, "Z", day)
        spoil(interval, name, "Z", day - timedelta(days=1))

    rebuild("--start", at(day - timedelta(days=1)), "--end", at(AFTER))

    assert list(MetricAggregation.objects.order_by("pk").values()) == right


def test_bounds_within_a_minute_mean_the_whole_minute(client: Client) -> None:
    fill(client, NOON, 1)
    engine.roll_up()
    right = list(MetricAggregation.objects.order_by("pk").values())

    rebuild("--start", at(NOON + timedelta(seconds=20.5)), "--end", at(NOON + timedelta(seconds=30.5)))

    assert list(MetricAggregation.objects.order_by("pk").values()) == right


def test_a_rebuild_of_one_metric_leaves_the_others(client: Client) -> None:
    define()
    fill(client, NOON, 1)
    engine.roll_up()
    MetricAggregation.objects.update(sum=999)

    rebuild(*window(), "--metric", "desk.slippage")

    assert {row[2] for row in sums()} == {1.0}
    assert {row[2] for row in sums("ingestion.lag")} == {999.0}


def test_a_rebuild_leaves_what_lies_outside_its_window(client: Client) -> None:
    define()
    fill(client, NOON, 1)
    fill(client, NOON + timedelta(hours=3), 1)
    engine.roll_up()
    MetricAggregation.objects.filter(interval__in=["1m", "1h"]).update(sum=999)

    rebuild("--start", at(NOON), "--end", at(NOON + timedelta(minutes=1)), "--metric", "desk.slippage")

    assert [row[2] for row in sums(interval="1m")] == [1.0, 999.0]
    assert [row[2] for row in sums(interval="1h")] == [1.0, 999.0]


def test_a_rebuild_beside_live_events_counts_each_once(client: Client) -> None:
    fill(client, NOON, 1)
    engine.roll_up()
    fill(client, NOON + timedelta(seconds=1), 1)  # its minute is both touched and marked

    rebuild(*window())

    assert sums("events.count.order.filled") == [("A", 2, 2.0)]


def test_a_rebuild_of_one_project_leaves_the_others(client: Client) -> None:
    fill(client, NOON, 1)

    assert rebuild(*window(), "--no-wait", "--project", "1") != "0 buckets marked\n"
    with pytest.raises(CommandError, match="no project has the id 77"):
        rebuild(*window(), "--project", "77")


def test_a_window_whose_facts_are_gone_is_refused() -> None:
    Seal.objects.create(sealed_until=NOON)

    with pytest.raises(CommandError, match=f"the facts before {NOON:%Y-%m-%d}T12:02:00Z are gone"):
        rebuild(*window())

    rebuild("--start", at(NOON), "--no-wait")


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["--start", at(AFTER), "--end", at(BEFORE)], "before --end"),
        ([*window(), "--metric", "trading.total_volum"], r"near it: trading\.total_volume"),
        (["--start", "yesterday"], "yesterday"),
    ],
)
def test_wrong_arguments_are_refused_in_a_line(arguments: list[str], told: str) -> None:
    with pytest.raises(CommandError, match=told):
        rebuild(*arguments)


def test_marking_costs_the_same_however_many_events(client: Client) -> None:
    store(client, *({"event_type": "a", "timestamp": at(NOON + timedelta(seconds=i / 100))} for i in range(900)))
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE events")

    assert rebuild(*window(), "--no-wait", "--metric", "events.count.a") == "1 buckets marked\n"
