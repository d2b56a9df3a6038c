"""From Kafka to rollups, by the processes that do it in production: every interval equals a recount."""

import json
import random
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from itertools import islice
from typing import Any

import orjson
import pytest

from events.models import TouchedBucket
from events.simulation import World
from events.simulation.identity import microseconds
from metrics.models import RollupMark
from metrics.tests import recount
from metrics.tests.factories import define
from metrics.tests.recount import LENGTHS, TRADING, Fact
from metrics.tests.stored import rolled
from tests.datasets.catalogue import DATASETS
from tests.pipeline import Pipeline

pytestmark = [pytest.mark.django_db, pytest.mark.slow]
TOTALS = ("count", "sum", "min", "max", "first", "last")
KEPT = ("RAW_EVENTS", "ROLLUP_1M", "ROLLUP_5M", "ROLLUP_15M", "ROLLUP_1H", "ROLLUP_1D")


def wait_until_rolled_up(pipeline: Pipeline) -> None:
    """Until no minute that is over is marked any more; the newest ones may be open."""

    def done() -> bool:
        closed = datetime.now(UTC) - timedelta(minutes=2)
        return not RollupMark.objects.exists() and not TouchedBucket.objects.filter(bucket__lt=closed).exists()

    pipeline.wait(done, "the rollups", seconds=120)


def price(fact: Fact) -> Any:
    return recount.number(fact.properties.get("price"))


def real_trades() -> Iterator[bytes]:
    for name in ("trades_xrpeth_binance_2019", "stream_binance_usdm_20240808"):
        for envelope in DATASETS[name].events():
            yield json.dumps(envelope).encode()


def test_real_trades(make_pipeline: Callable[..., Pipeline]) -> None:
    define("market.price", event_types=["market.trade"], value_property="price", dimensions=["symbol"])
    pipeline = make_pipeline(partitions=4, **{f"RETENTION_{name}": "20000d" for name in KEPT})
    pipeline.consumer()
    pipeline.worker()
    pipeline.roller()
    pipeline.send(real_trades())
    pipeline.wait_until_done(seconds=120)
    wait_until_rolled_up(pipeline)

    facts = recount.stored()
    trades = [fact for fact in facts if fact.type == "market.trade"]
    assert len(trades) > 40_000
    for interval in LENGTHS:
        assert rolled("events.count.%", interval, "count") == recount.counts(facts, interval)
        expected = recount.values(trades, interval, "market.price", ["symbol"], price)
        assert rolled("market.price", interval, *TOTALS) == expected


def test_a_simulated_day_that_arrives_late_doubled_and_in_disorder(make_pipeline: Callable[..., Pipeline]) -> None:
    start = datetime.now(UTC).replace(minute=0, second=0, microsecond=0) - timedelta(hours=30)
    bodies = [
        orjson.dumps(item.envelope)
        for item in islice(World(seed=5, start=microseconds(start), rate=0.2).events(), 16_000)
    ]
    chance = random.Random(5)
    late = set(chance.sample(range(len(bodies)), len(bodies) // 20))
    sent = [body for place, body in enumerate(bodies) if place not in late] + chance.sample(bodies, len(bodies) // 20)
    chance.shuffle(sent)
    pipeline = make_pipeline(partitions=4)
    pipeline.consumer()
    pipeline.worker()
    pipeline.roller()
    pipeline.send(sent)
    pipeline.wait_until_done()
    wait_until_rolled_up(pipeline)
    pipeline.send(bodies[place] for place in late)
    pipeline.wait_until_done()
    wait_until_rolled_up(pipeline)

    facts = recount.stored()
    assert len(facts) == len(bodies)
    fills = [fact for fact in facts if fact.type in ("order.filled", "order.partially_filled")]
    for interval in LENGTHS:
        assert rolled("events.count.%", interval, "count") == recount.counts(facts, interval)
        expected = recount.values(fills, interval, "trading.total_volume", TRADING, recount.volume)
        assert rolled("trading.total_volume", interval, *TOTALS) == expected
        assert rolled("trading.order_fill_rate", interval, "count", "sum") == recount.fill_rate(facts, interval)
