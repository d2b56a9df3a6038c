"""The check of rollups against facts: it finds what is wrong, and nothing where nothing is."""

from datetime import UTC, datetime, timedelta
from io import StringIO
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.db import connection
from django.test import Client
from django.utils import timezone

from analytics_project.monitoring import collector
from events.api.queries import Window
from events.store import store_http
from events.tests.api import store
from metrics import catalogue, tasks
from metrics.definitions.models import MetricDefinition
from metrics.models import MetricAggregation, RollupDrift, RollupMark, Seal, UniqueUsers
from metrics.rollups import checking, drift, engine, intervals
from metrics.tests.factories import define
from metrics.tests.test_engine import simulated

pytestmark = pytest.mark.django_db

NOW = datetime.now(UTC)
NOON = NOW.replace(hour=12, minute=2, second=0, microsecond=0) - timedelta(days=2)


def fill(client: Client, properties: Any, moment: datetime = NOON, **fields: Any) -> None:
    store(client, {"event_type": "order.filled", "timestamp": moment.isoformat(), "properties": properties, **fields})


def check(*arguments: str) -> tuple[int, str]:
    """Exit code, and what is printed with the error."""
    out = StringIO()
    try:
        call_command("check_rollups", *arguments, stdout=out, stderr=StringIO())
    except CommandError as error:
        return error.returncode, f"{out.getvalue()}{error}"
    return 0, out.getvalue()


def a_little(client: Client) -> None:
    define()
    fill(client, {"symbol": "A", "slippage_bps": "1.5"}, user_id="u1")
    fill(client, {"symbol": "B", "slippage_bps": 2}, NOON + timedelta(minutes=8), user_id="u2")
    fill(client, {"symbol": "B", "slippage_bps": "much"}, NOON + timedelta(hours=2))
    engine.roll_up()


def test_what_the_engine_computes_equals_the_recount() -> None:
    define("desk.fees", event_types=["order.*"], value_property="commission", dimensions=["symbol", "side"])
    define("desk.buys", event_types=["order.*"], value_property="", filters={"side": "BUY"}, dimensions=[])
    store_http(simulated(4000, NOON - timedelta(hours=3), rate=1.0))
    MetricDefinition.objects.update(complete_from=None)
    engine.roll_up(seconds=600)

    code, text = check()

    assert (code, RollupDrift.objects.count()) == (0, 0), text
    assert MetricAggregation.objects.filter(metric_name="desk.fees", interval="1d").exists()


def test_odd_values_are_read_the_same_way(client: Client) -> None:
    define(dimensions=["symbol", "tags"])
    odd: list[Any] = ["1e5", "+1.50", "-.5", "NaN", "Infinity", "1e999", "٣", " 1", "", True, None, [1], {}, -0.0]
    odd += [1e-320, 1e299, -1e299, 5e300, "1" * 41, "0." + "1" * 40, 12345678901234567, 0.1, "0x10", "1_000"]
    for value in odd:
        fill(client, {"symbol": [None, "A", 5, True, "x" * 300][len(str(value)) % 5], "slippage_bps": value})
    fill(client, {"symbol": {"a": [1]}, "tags": ["x"]})
    engine.roll_up()
    MetricDefinition.objects.update(complete_from=None)

    code, text = check()

    assert code == 0, text


def test_a_series_beyond_the_limit_is_no_difference(client: Client) -> None:
    define(max_series=2)
    MetricDefinition.objects.update(complete_from=None)
    for place in range(30):
        fill(client, {"symbol": f"S{place % 6}", "slippage_bps": place}, NOON + timedelta(minutes=place))
    engine.roll_up()
    MetricDefinition.objects.update(max_series=4)
    for place in range(30):
        fill(client, {"symbol": f"S{place % 6}", "slippage_bps": place}, NOON + timedelta(minutes=place + 10))
    engine.roll_up()

    assert MetricAggregation.objects.filter(dimensions={"_other": True}).exists()
    assert check()[0] == 0


COLUMNS = ["count", "skipped", "sum", "sum_squares", "min", "max", "first", "last", "p50", "p95", "p99"]


@pytest.mark.parametrize("interval", ["1m", "5m", "15m", "1h", "1d"])
@pytest.mark.parametrize("column", COLUMNS)
def test_any_wrong_number_is_found(client: Client, column: str, interval: str) -> None:
    a_little(client)
    MetricDefinition.objects.update(complete_from=None)
    row = MetricAggregation.objects.filter(metric_name="desk.slippage", interval=interval, dimensions={"symbol": "A"})
    row.update(**{column: 7})

    code, text = check("--metric", "desk.slippage")

    found = RollupDrift.objects.get()
    assert code == 1
    assert f"desk.slippage {interval}" in text
    assert (found.interval, found.dimensions, found.metric_name) == (interval, {"symbol": "A"}, "desk.slippage")
    assert found.stored is not None
    assert found.recounted is not None
    assert found.stored[column] != found.recounted[column]


@pytest.mark.parametrize("name", ["events.count.order.filled", "trading.order_fill_rate", "ingestion.lag"])
def test_a_missing_series_is_found(client: Client, name: str) -> None:
    a_little(client)
    row = MetricAggregation.objects.filter(metric_name=name, interval="5m").first()
    assert row is not None
    MetricAggregation.objects.filter(pk=row.pk).delete()

    code, text = check()

    found = RollupDrift.objects.get()
    assert (code, found.stored, found.metric_name) == (1, None, name)
    assert "missing, not" in text


def test_a_series_that_no_fact_explains_is_found(client: Client) -> None:
    a_little(client)
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO metric_aggregations (project_id, metric_name, interval, time_bucket, dimensions, count, sum)"
            ' SELECT project_id, metric_name, interval, time_bucket, \'{"symbol": "Z"}\', 3, 3'
            " FROM metric_aggregations WHERE metric_name = 'events.count.order.filled' AND interval = '1h' LIMIT 1"
        )

    assert check()[0] == 1
    assert RollupDrift.objects.get().recounted is None


def test_wrong_users_are_found(client: Client) -> None:
    a_little(client)
    UniqueUsers.objects.filter(interval="1h").update(count=7)

    assert check()[0] == 1
    assert {row.metric_name for row in RollupDrift.objects.all()} == {"users.unique"}


def test_a_sketch_of_many_users_may_be_a_little_off(client: Client) -> None:
    store(client, *({"event_type": "a", "timestamp": NOON.isoformat(), "user_id": f"u{i}"} for i in range(900)))
    store(client, *({"event_type": "a", "timestamp": NOON.isoformat(), "user_id": f"v{i}"} for i in range(900)))
    engine.roll_up()
    assert UniqueUsers.objects.filter(hashes=None).exists()

    assert check()[0] == 0
    UniqueUsers.objects.update(count=1600)
    assert check()[0] == 1


def test_what_is_marked_is_left_out_and_told(client: Client) -> None:
    a_little(client)
    MetricAggregation.objects.filter(interval="1d").update(sum=5)
    for row in MetricAggregation.objects.filter(interval="1d"):
        mark = {"project_id": 1, "metric_name": row.metric_name, "time_bucket": row.time_bucket}
        RollupMark.objects.create(interval="1h", **mark)

    code, text = check()

    assert code == 0
    assert "that are marked" in text


def test_late_events_that_wait_for_the_engine_are_no_difference(client: Client) -> None:
    a_little(client)
    fill(client, {"symbol": "A", "slippage_bps": 7}, user_id="late")

    code, text = check()

    assert code == 0, text
    assert "that are marked" in text


def test_the_open_tail_is_left_out_and_told(client: Client) -> None:
    engine.roll_up(NOW - timedelta(hours=1))
    fill(client, {"symbol": "A"}, NOW - timedelta(minutes=30))
    with connection.cursor() as cursor:
        cursor.execute("DELETE FROM touched_buckets")

    code, text = check("--start", (NOW - timedelta(hours=2)).isoformat())

    assert code == 0, text
    assert "in the open tail" in text


def test_nothing_rolled_up_cannot_be_checked(client: Client) -> None:
    fill(client, {"symbol": "A"})

    code, text = check()

    assert (code, "nothing of it is rolled up" in text) == (2, True)


def test_no_facts_are_equal_to_no_rollups() -> None:
    assert check()[0] in (0, 2)  # the partitions of other days may be there


def test_a_definition_is_compared_from_when_it_was_complete(client: Client) -> None:
    fill(client, {"symbol": "A", "slippage_bps": 7})
    engine.roll_up()
    define(complete_from=timezone.now())

    code, text = check("--metric", "desk.slippage")

    assert (code, "before the metric was complete" in text) == (0, True)
    MetricDefinition.objects.update(complete_from=None)
    assert check("--metric", "desk.slippage")[0] == 1


def test_what_is_sealed_is_left_out_and_told(client: Client) -> None:
    a_little(client)
    MetricAggregation.objects.update(sum=5)
    midnight = NOON.replace(hour=0, minute=0) + timedelta(days=1)
    Seal.objects.create(sealed_until=midnight)

    code, text = check("--start", (NOON - timedelta(days=1)).isoformat())

    assert (code, "whose events are gone" in text) == (0, True)


def test_a_slow_recount_cannot_check(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    a_little(client)
    monkeypatch.setattr("metrics.management.commands.check_rollups.LIMIT", timedelta(milliseconds=1))
    monkeypatch.setattr("metrics.rollups.checking.COMPLETE_UNTIL", "SELECT NULL FROM pg_sleep(0.1) WHERE %s <> ''")

    code, text = check("--metric", "desk.slippage")

    assert (code, "takes longer than" in text) == (2, True)


def test_a_drift_is_resolved_when_it_is_gone(client: Client) -> None:
    a_little(client)
    rows = MetricAggregation.objects.filter(metric_name="events.count.order.filled", interval="1h")
    right = list(rows.values_list("pk", "sum"))
    rows.update(sum=77)
    check()
    check()
    assert list(RollupDrift.objects.values_list("resolved_at", flat=True)) == [None] * len(right)

    for key, total in right:
        MetricAggregation.objects.filter(pk=key).update(sum=total)
    for unit in list(drift.units_of_open(100)):
        drift.record(checking.check(unit, timedelta(seconds=10)))

    assert not RollupDrift.objects.filter(resolved_at=None).exists()


def test_a_sample_finds_what_is_wrong_everywhere(client: Client) -> None:
    a_little(client)
    MetricAggregation.objects.filter(interval="1d").update(sum=77)

    assert check("--sample", "400")[0] == 1


def test_the_hourly_look_enters_and_resolves(client: Client) -> None:
    a_little(client)
    rows = MetricAggregation.objects.filter(metric_name="events.count.order.filled", interval="1d")
    right = list(rows.values_list("pk", "sum"))
    rows.update(sum=77)
    check("--metric", "events.count.order.filled")
    assert open_drift() == {"1d": float(len(right))}

    for key, total in right:
        MetricAggregation.objects.filter(pk=key).update(sum=total)
    tasks.check_rollups()

    assert open_drift() == {"1d": 0.0}


def open_drift() -> dict[str, float]:
    samples = collector._drift().samples
    return {sample.labels["interval"]: sample.value for sample in samples if sample.labels["interval"] == "1d"}


def test_what_retention_takes_away_meanwhile_is_no_difference(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    a_little(client)
    answers = iter([[checking.Difference(NOON, {}, None, None)], []])
    monkeypatch.setattr(checking, "_differences", lambda question: next(answers))
    metric = catalogue.find(1, "trading.signals")
    assert metric is not None
    minute = intervals.MINUTE.floor(NOON)

    outcome = checking.check(
        checking.Unit(1, metric, intervals.MINUTE, Window(minute, minute + timedelta(minutes=1))), timedelta(seconds=9)
    )

    assert outcome.differences == []


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["--metric", "trading.total_volum"], "near it: trading.total_volume"),
        (["--project", "77"], "no project has the id 77"),
        (["--sample", "0"], "above 0"),
        (["--start", "today"], "today"),
    ],
)
def test_wrong_arguments_mean_that_nothing_was_checked(arguments: list[str], told: str) -> None:
    code, text = check(*arguments)

    assert told in text
    assert code != 0
