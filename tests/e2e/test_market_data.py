"""Real trades and quotes from Kafka to PostgreSQL: all of them, once, and exact to the last digit."""

import json
import random
import re
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from decimal import Decimal

import pytest
from django.db import connection

from events.accounting import report
from tests.datasets import folder_of
from tests.datasets.catalogue import DATASETS
from tests.datasets.expected import Total, expected
from tests.numbered import received_and_stored
from tests.pipeline import Pipeline

pytestmark = [pytest.mark.django_db, pytest.mark.slow]

TRADES = ("trades_xrpeth_binance_2019", "trades_gc_gold_futures_1007_1008", "trades_us_equities_ibm_aig")
QUOTES = ("quotes_eurusd_oanda_20140501", "quotes_nzdusd_oanda_20140512")
STREAMS = ("stream_binance_usdm_20240808", "stream_binance_coinm_20240809")
BEST_PRICE = re.compile(r'"s":"(\w+)".*?"b":"([\d.]+)","B":"([\d.]+)".*?"T":(\d+)')
DAY_MS = 86_400_000
CHUNK = 20_000
KEPT = ("RAW_EVENTS", "ROLLUP_1M", "ROLLUP_5M", "ROLLUP_15M", "ROLLUP_1H", "ROLLUP_1D")
# By kind, symbol and day: how many, and the sum of price x quantity, bid x size, or bid x ask.
Totals = dict[tuple[str, str, int], tuple[int, Decimal]]
STORED = """
SELECT event_type, properties ->> 'symbol', ("timestamp" AT TIME ZONE 'UTC')::date - DATE '1970-01-01', count(*), sum(
    CASE event_type WHEN 'market.trade'
    THEN (properties ->> 'price')::numeric * (properties ->> 'quantity')::numeric
    ELSE (properties ->> 'bid_price')::numeric
        * coalesce(properties ->> 'bid_size', properties ->> 'ask_price')::numeric END)
FROM events GROUP BY 1, 2, 3
"""


def stored() -> Totals:
    with connection.cursor() as cursor:
        cursor.execute(STORED)
        return {(kind, symbol, day): (count, total) for kind, symbol, day, count, total in cursor.fetchall()}


def of_files() -> Totals:
    """The same, counted from the files without the readers that made the events."""
    totals: Totals = {}
    for kind, names in (("market.trade", TRADES + STREAMS), ("market.data.update", QUOTES)):
        for name in names:
            totals |= {(kind, *key): (total.count, total.product) for key, total in expected(name).items()}
    best = best_prices()
    return totals | {("market.data.update", *key): (total.count, total.product) for key, total in best.items()}


def best_prices() -> dict[tuple[str, int], Total]:
    """The best bids in the streams, by pattern."""
    totals: dict[tuple[str, int], Total] = {}
    for name in STREAMS:
        for path in folder_of(name).glob("*_bookTicker.ndjson_ts"):
            for symbol, bid, size, ms in BEST_PRICE.findall(path.read_text()):
                total = totals.setdefault((symbol, int(ms) // DAY_MS), Total())
                total.count += 1
                total.product += Decimal(bid) * Decimal(size)
    return totals


def real_events() -> Iterator[bytes]:
    for name in (*TRADES, *STREAMS, *QUOTES):
        for envelope in DATASETS[name].events():
            yield json.dumps(envelope).encode()


def test_counts_and_sums_of_real_market_data(make_pipeline: Callable[..., Pipeline]) -> None:
    kept = dict.fromkeys((f"RETENTION_{name}" for name in KEPT), "20000d")
    pipeline = make_pipeline(partitions=4, **kept)
    pipeline.consumer()
    pipeline.worker()
    events = list(real_events())
    for start in range(0, len(events), CHUNK):
        pipeline.send(events[start : start + CHUNK])
    pipeline.wait_until_done(seconds=120)

    totals = of_files()
    assert sum(count for count, _ in totals.values()) == len(events)
    assert stored() == totals
    assert received_and_stored(pipeline) == (len(events), len(events))

    again = random.Random(25).sample(events, 10_000) * 2
    random.Random(25).shuffle(again)
    pipeline.send(again)
    pipeline.wait_until_done()

    assert stored() == totals
    [line] = (line for line in report(datetime(2000, 1, 1, tzinfo=UTC), datetime.now(UTC)) if line.source == "kafka")
    assert line.received == len(events) + len(again)
    assert (line.stored, line.duplicates, line.refused) == (len(events), len(again), 0)
