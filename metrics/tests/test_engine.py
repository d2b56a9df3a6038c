"""Rollups of simulated trading: every interval equals a recount from the facts."""

import random
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from itertools import islice
from typing import Any

import orjson
import pytest
from django.db import connection

from events import partitions
from events.models import TouchedBucket
from events.simulation import World
from events.simulation.identity import microseconds
from events.store import store_http
from events.tests.factories import raw
from metrics.models import Interval, RollupMark, RollupProgress, RollupVersion, Seal
from metrics.rollups import claims, engine, minutes
from metrics.rollups import partitions as leaves
from metrics.tests import recount
from metrics.tests.factories import define
from metrics.tests.recount import LENGTHS, Fact, Key
from metrics.tests.stored import rolled

pytestmark = pytest.mark.django_db
TOTALS = ("count", "sum", "min", "max", "first", "last")


def hours_ago(hours: int) -> datetime:
    return datetime.now(UTC).replace(minute=0, second=0, microsecond=0) - timedelta(hours=hours)


def simulated(count: int, start: datetime, rate: float) -> list[bytes]:
    """Trading from `start` on, each tenth event twice, in any order."""
    world = World(seed=7, start=microseconds(start), rate=rate)
    bodies = [orjson.dumps(item.envelope) for item in islice(world.events(), count)]
    shuffled = bodies + bodies[::10]
    random.Random(1).shuffle(shuffled)
    return shuffled


def store(bodies: list[bytes]) -> None:
    for first in range(0, len(bodies), 1000):
        store_http(bodies[first : first + 1000])


def everything() -> dict[Key, Any]:
    return {key: value for interval in LENGTHS for key, value in rolled("%", interval, *TOTALS, "p95").items()}


def of_types(facts: list[Fact], *types: str) -> list[Fact]:
    return [fact for fact in facts if fact.type in types]


def test_every_interval_equals_a_recount() -> None:
    store(simulated(6000, hours_ago(9), rate=0.2))
    late = simulated(600, hours_ago(30), rate=0.1)
    engine.roll_up()
    store(late)
    engine.roll_up()

    facts = recount.stored()
    assert len(facts) == 6600
    orders = [fact for fact in facts if fact.type.startswith("order.")]
    for interval in LENGTHS:
        assert rolled("events.count.%", interval, "count") == recount.counts(facts, interval)
        for metric, taken, dimensions, value in (
            (
                "trading.total_volume",
                of_types(facts, "order.filled", "order.partially_filled"),
                recount.TRADING,
                recount.volume,
            ),
            (
                "trading.order_latency",
                orders,
                recount.TRADING,
                lambda fact: recount.number(fact.properties.get("latency_ms")),
            ),
            (
                "trading.balance_total",
                of_types(facts, "balance.updated"),
                ["asset"],
                lambda fact: recount.number(fact.properties.get("total")),
            ),
        ):
            assert rolled(metric, interval, *TOTALS) == recount.values(taken, interval, metric, dimensions, value)
        assert rolled_users(interval) == recount.users(facts, interval)
        assert rolled("trading.order_fill_rate", interval, "count", "sum") == recount.fill_rate(facts, interval)
    assert not RollupMark.objects.exists()
    assert not TouchedBucket.objects.filter(bucket__lt=datetime.now(UTC) - timedelta(minutes=2)).exists()


def rolled_users(interval: str) -> dict[datetime, int]:
    with connection.cursor() as cursor:
        cursor.execute("SELECT time_bucket, count FROM unique_users WHERE interval = %s", [interval])
        return dict(cursor.fetchall())


def test_one_late_event_changes_exactly_its_bucket_in_each_interval() -> None:
    store(simulated(1500, hours_ago(9), rate=0.05))
    engine.roll_up()
    before = everything()
    moment = datetime.now(UTC).replace(second=30, microsecond=0) - timedelta(days=60)

    store(
        [
            raw(
                event_type="order.filled",
                timestamp=moment.isoformat(),
                properties={"price": "2.5", "quantity": "4", "symbol": "X"},
            )
        ]
    )
    engine.roll_up()

    changed = {key: value for key, value in everything().items() if before.get(key) != value}
    assert set(before) <= set(everything())
    assert {(interval, bucket) for _, interval, bucket, _ in changed} == {
        (interval, recount.bucket_of(moment, interval)) for interval in LENGTHS
    }
    volumes = {key[1]: value for key, value in changed.items() if key[0] == "trading.total_volume"}
    assert volumes == dict.fromkeys(LENGTHS, (1, 10, 10, 10, 10, 10, 10.0))


def test_the_open_minute_waits_and_progress_says_so() -> None:
    now = datetime.now(UTC).replace(second=1, microsecond=0)
    store([raw(timestamp=(now - timedelta(seconds=2)).isoformat()), raw(timestamp=now.isoformat())])

    engine.roll_up(now)
    assert rolled("events.count.%", "1m", "count") == {}
    assert set(RollupProgress.objects.values_list("complete_until", flat=True)) == {now - timedelta(seconds=61)}
    engine.roll_up(now + timedelta(seconds=2))

    minute = now - timedelta(seconds=1)
    assert [bucket for _, _, bucket, _ in rolled("events.count.%", "1m", "count")] == [minute - timedelta(minutes=1)]
    assert set(RollupProgress.objects.values_list("complete_until", flat=True)) == {minute}
    assert TouchedBucket.objects.get().bucket == minute


def test_a_second_run_and_a_second_beat_change_nothing() -> None:
    store(simulated(500, hours_ago(5), rate=0.05))
    engine.roll_up()
    before, versions = everything(), list(RollupVersion.objects.values_list("metric_name", "version"))

    assert engine.roll_up().finished
    assert engine.roll_up().finished

    assert everything() == before
    assert list(RollupVersion.objects.values_list("metric_name", "version")) == versions


def test_a_series_without_facts_goes() -> None:
    moment = datetime.now(UTC) - timedelta(hours=2)
    store([raw(timestamp=moment.isoformat(), properties={"symbol": symbol}) for symbol in ("A", "B")])
    engine.roll_up()
    with connection.cursor() as cursor:
        cursor.execute("DELETE FROM events WHERE properties ->> 'symbol' = 'B'")
    TouchedBucket.objects.create(project_id=1, event_type="order.placed", bucket=recount.bucket_of(moment, "1m"))

    engine.roll_up()

    assert {key[3] for interval in LENGTHS for key in rolled("events.count.%", interval, "count")} == {
        '{"symbol": "A"}'
    }


def test_pieces_are_small_and_the_newest_come_first(monkeypatch: pytest.MonkeyPatch) -> None:
    store(simulated(400, hours_ago(20), rate=0.02))
    monkeypatch.setattr(engine, "PIECE", 7)

    assert not engine.roll_up(seconds=0).finished
    first = rolled("events.count.%", "1m", "count")
    left = TouchedBucket.objects.order_by("-bucket").first()

    assert first
    assert left is not None
    assert min(bucket for _, _, bucket, _ in first) >= left.bucket
    assert engine.roll_up(seconds=60).finished
    for interval in LENGTHS:
        assert rolled("events.count.%", interval, "count") == recount.counts(recount.stored(), interval)


def test_what_was_added_up_stays_when_its_facts_are_gone() -> None:
    moment = datetime.now(UTC) - timedelta(days=3)
    store([raw(timestamp=moment.isoformat())])
    engine.roll_up()
    before = everything()
    with connection.cursor() as cursor:
        cursor.execute(f"DROP TABLE {partitions.name_of(moment.date())}")
    mark = TouchedBucket(project_id=1, event_type="order.placed", bucket=recount.bucket_of(moment, "1m"))
    mark.save()

    engine.roll_up()
    assert everything() == before
    partitions.forget()
    partitions.ensure([moment.date()])
    Seal.objects.create(sealed_until=datetime.now(UTC) - timedelta(days=1))
    mark.pk = None
    mark.save()
    engine.roll_up()

    assert everything() == before
    assert not TouchedBucket.objects.exists()


def test_a_bucket_whose_finer_rows_are_gone_stays_as_it_is() -> None:
    moment = datetime.now(UTC) - timedelta(days=40)
    store([raw(timestamp=moment.isoformat()), raw()])
    engine.roll_up()
    before = rolled("events.count.%", "1d", "count")
    with connection.cursor() as cursor:
        cursor.execute(f"DROP TABLE {leaves.name_of(Interval.HOUR, moment)}")
    day = recount.bucket_of(moment, "1d")
    RollupMark.objects.create(interval="1d", project_id=1, metric_name="events.count.order.placed", time_bucket=day)

    engine.roll_up()

    assert rolled("events.count.%", "1d", "count") == before
    assert not RollupMark.objects.exists()


def test_too_many_series_are_added_up_as_other_and_stay_where_they_are() -> None:
    define("desk.size", value_property="size", max_series=3)
    moment = datetime.now(UTC) - timedelta(hours=2)

    def fill(symbol: str, size: int) -> bytes:
        return raw(event_type="order.filled", timestamp=moment.isoformat(), properties={"symbol": symbol, "size": size})

    store([fill("C", 1), fill("C", 2), fill("D", 3), fill("B", 4), fill("A", 5)])
    engine.roll_up()
    first = named(rolled("desk.size", "1d", "count", "sum"))
    store([fill("E", 10), fill("D", 20), fill("E", 30)])
    engine.roll_up()

    assert first == {
        '{"symbol": "A"}': (1, 5),
        '{"symbol": "B"}': (1, 4),
        '{"symbol": "C"}': (2, 3),
        '{"_other": true}': (1, 3),
    }
    for interval in LENGTHS:
        assert named(rolled("desk.size", interval, "count", "sum")) == first | {'{"_other": true}': (4, 63)}


def named(rows: Mapping[Key, Any]) -> dict[str, Any]:
    return {dimensions: value for (_, _, _, dimensions), value in rows.items()}


def test_what_is_no_number_is_counted_and_costs_no_neighbour() -> None:
    define("desk.size", value_property="size", dimensions=[])
    moment = (datetime.now(UTC) - timedelta(hours=2)).isoformat()
    sizes = [1.5, "2.5", "x", None, True, {"a": 1}, "1e999", 1e301, "-1e2", "", " 3", 0]

    store([raw(event_type="order.filled", timestamp=moment, properties={"size": size}) for size in sizes])
    engine.roll_up()

    for interval in LENGTHS:
        ((count, skipped, total),) = rolled("desk.size", interval, "count", "skipped", "sum").values()
        assert (count, skipped, total) == (4, 8, Decimal(-96))


def test_a_metric_of_a_pattern_takes_types_that_were_never_seen() -> None:
    define("desk.odd", event_types=["odd.*"], value_property="", dimensions=[])
    moment = (datetime.now(UTC) - timedelta(hours=1)).isoformat()

    store([raw(event_type=name, timestamp=moment) for name in ("odd.one", "odd.two", "odd", "even.one")])
    engine.roll_up()

    assert set(rolled("desk.odd", "1h", "count").values()) == {2}


def test_stopped_for_thirty_days_and_started_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """All heals, newest first, and never more than a piece at a time."""
    store(simulated(100, hours_ago(31 * 24), rate=0.05))
    engine.roll_up(hours_ago(30 * 24))
    for days in range(0, 30, 3):
        store(simulated(60, hours_ago(days * 24 + 2), rate=0.02))
    monkeypatch.setattr(engine, "PIECE", 20)
    sizes: list[int] = []
    compute = minutes.compute

    def watched(touched: list[claims.Claim], marked: list[claims.Claim]) -> int:
        sizes.append(len(touched))
        return compute(touched, marked)

    monkeypatch.setattr(minutes, "compute", watched)
    engine.roll_up(seconds=0)
    # What people look at first is there after the first piece, however much is left.
    until = RollupProgress.objects.get(interval="1m").complete_until
    assert until is not None
    assert until > datetime.now(UTC) - timedelta(minutes=2)
    while not engine.roll_up(seconds=1).finished:
        continue

    assert max(sizes) < 40
    assert len(sizes) > 5
    for interval in LENGTHS:
        assert rolled("events.count.%", interval, "count") == recount.counts(recount.stored(), interval)
