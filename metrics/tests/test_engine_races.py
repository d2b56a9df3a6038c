"""The engine beside writers, other engines and its own death: with real commits on several connections."""

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar
from uuid import uuid4

import pytest
from django.db import connection, transaction

from events import ledger
from events.models import TouchedBucket
from events.records import Stretch
from events.store import store_http, store_kafka
from events.tests.factories import batch, raw, record
from metrics.models import MetricAggregation, RollupMark
from metrics.rollups import claims, engine, minutes, work
from metrics.tests import recount
from metrics.tests.committed import _django_db_helper  # noqa: F401 - in the place of pytest-django's own
from metrics.tests.recount import LENGTHS

T = TypeVar("T")
pytestmark = pytest.mark.django_db(transaction=True)
MOMENT = datetime.now(UTC) - timedelta(hours=3)


def placed(moment: datetime = MOMENT) -> bytes:
    return raw(event_type="order.placed", timestamp=moment.isoformat(), properties={"symbol": "A"})


def rolled(interval: str) -> int:
    rows = MetricAggregation.objects.filter(metric_name="events.count.order.placed", interval=interval)
    return sum(rows.values_list("count", flat=True))


def in_thread(function: Callable[[], T]) -> T:
    """Run it on a connection of its own."""

    def run() -> T:
        try:
            return function()
        finally:
            connection.close()

    with ThreadPoolExecutor(1) as pool:
        return pool.submit(run).result(30)


def test_a_batch_that_commits_while_its_minute_is_computed_is_not_lost() -> None:
    """The writer's marks are there before the engine looks, its facts only afterwards."""
    store_http([placed()])
    with transaction.atomic():
        store_http([placed(), placed()])
        in_thread(engine.roll_up)
        assert in_thread(lambda: rolled("1d")) == 1
    engine.roll_up()

    assert [rolled(interval) for interval in LENGTHS] == [3] * 5


def test_two_refreshes_of_one_bucket_wait_for_each_other(monkeypatch: pytest.MonkeyPatch) -> None:
    """The first has read one fact and not committed; the second, which would read two, must not overtake it."""
    store_http([placed()])
    computed, go_on = threading.Event(), threading.Event()
    replace = work.replace

    def slow(*arguments: Any) -> None:
        computed.set()
        assert go_on.wait(20)
        replace(*arguments)

    monkeypatch.setattr(work, "replace", slow)
    with ThreadPoolExecutor(1) as pool:
        first = pool.submit(in_thread, engine.roll_up)
        assert computed.wait(20)
        monkeypatch.setattr(work, "replace", replace)
        store_http([placed()])
        second = engine.roll_up()
        assert rolled("1m") == 0
        go_on.set()
        first.result(30)
    assert not second.finished
    assert TouchedBucket.objects.exists()
    engine.roll_up()

    assert [rolled(interval) for interval in LENGTHS] == [2] * 5


def test_the_same_batch_five_times_at_once_changes_nothing() -> None:
    stretch = Stretch("trading.events", 0, uuid4())
    ledger.open_entry(stretch, 0)
    records = [record(offset, placed(MOMENT + timedelta(seconds=offset))) for offset in range(200)]
    with ThreadPoolExecutor(5) as pool:
        for done in [pool.submit(in_thread, lambda: store_kafka(batch(stretch, records))) for _ in range(5)]:
            done.result(60)
    engine.roll_up()
    before = rows()
    store_kafka(batch(stretch, records))
    engine.roll_up()

    assert [rolled(interval) for interval in LENGTHS] == [200] * 5
    assert rows() == before


def rows() -> list[Any]:
    return list(
        MetricAggregation.objects.order_by("pk").values_list("metric_name", "interval", "time_bucket", "count", "sum")
    )


@pytest.mark.parametrize("interval", range(5))
def test_what_a_killed_engine_left_is_picked_up(interval: int, monkeypatch: pytest.MonkeyPatch) -> None:
    store_http([placed(), placed(MOMENT - timedelta(days=3))])
    replace, left = work.replace, [interval]

    def killed(*arguments: Any) -> None:
        left[0] -= 1
        if left[0] < 0:
            raise KeyboardInterrupt
        replace(*arguments)

    monkeypatch.setattr(work, "replace", killed)
    with pytest.raises(KeyboardInterrupt):
        engine.roll_up()
    monkeypatch.setattr(work, "replace", replace)
    assert rolled("1d") == 0
    assert TouchedBucket.objects.exists() or RollupMark.objects.exists()
    engine.roll_up()

    assert [rolled(each) for each in LENGTHS] == [2] * 5


def test_writers_and_three_engines_at_once_end_up_equal_to_a_recount() -> None:
    def write(number: int) -> None:
        for step in range(20):
            moment = MOMENT - timedelta(minutes=(step * 7 + number) % 90)
            store_http([placed(moment + timedelta(milliseconds=place)) for place in range(10)])

    with ThreadPoolExecutor(6) as pool:
        writers = [pool.submit(in_thread, lambda number=number: write(number)) for number in range(3)]
        while not all(writer.done() for writer in writers):
            for engine_ in [pool.submit(in_thread, engine.roll_up) for _ in range(3)]:
                engine_.result(60)
        for writer in writers:
            writer.result()
    assert engine.roll_up().finished

    facts = recount.stored()
    for interval in LENGTHS:
        expected = recount.counts(facts, interval)
        found = MetricAggregation.objects.filter(metric_name__startswith="events.count.", interval=interval)
        assert {(row.time_bucket, row.count) for row in found} == {(key[2], count) for key, count in expected.items()}
    assert sum(expected.values()) == 600


def test_minutes_are_computed_from_a_snapshot_after_the_claim() -> None:
    """A mark that is committed after the claim stays for the next run."""
    store_http([placed()])
    with transaction.atomic():
        claimed = claims.take_touched(datetime.now(UTC), 100)
        in_thread(lambda: store_http([placed()]))
        minutes.compute(claimed, [])
    assert rolled("1m") == 2
    assert TouchedBucket.objects.exists()
