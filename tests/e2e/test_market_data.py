"""Real trades and quotes from Kafka to PostgreSQL: all of them, once, and exact to the last digit."""

import json
import random
from collections import defaultdict
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from decimal import Decimal

import pytest
from django.db import connection

from events.accounting import report
from tests.e2e import market_events
from tests.files import data_set
from tests.numbered import received_and_stored
from tests.pipeline import Pipeline

pytestmark = [pytest.mark.django_db, pytest.mark.slow]

CHUNK = 20_000
HOUR = 3_600_000
# What the collectors of the data counted, in trades or quotes.
COLLECTED = {"XRPETH": 12_477, "GC": 91_740, "EURUSD": 24_179, "NZDUSD": 32_495}
# What is counted and added up for one symbol and day: trades by price and quantity, quotes by bid and size.
Totals = dict[tuple[str, str, str], tuple[int, Decimal]]
STORED = """
SELECT properties ->> 'symbol', event_type, to_char("timestamp" AT TIME ZONE 'UTC', 'YYYYMMDD'), count(*), sum(
    CASE event_type WHEN 'market.trade'
    THEN (properties ->> 'price')::numeric * (properties ->> 'quantity')::numeric
    ELSE (properties ->> 'bid_price')::numeric
        * coalesce(properties ->> 'bid_size', properties ->> 'ask_price')::numeric END)
FROM events GROUP BY 1, 2, 3
"""


def stored() -> Totals:
    with connection.cursor() as cursor:
        cursor.execute(STORED)
        return {(symbol, kind, day): (count, total) for symbol, kind, day, count, total in cursor.fetchall()}


def from_files() -> Totals:
    """The same read from the files in another way than the events were made: columns and milliseconds only."""
    counts: dict[tuple[str, str, str], int] = defaultdict(int)
    sums: dict[tuple[str, str, str], Decimal] = defaultdict(Decimal)
    for symbol, kind, ms, first, second in [*csv_facts(), *stream_facts()]:
        key = (symbol, kind, datetime.fromtimestamp(ms // 1000, UTC).strftime("%Y%m%d"))
        counts[key] += 1
        sums[key] += first * second
    return {key: (counts[key], sums[key]) for key in counts}


Fact = tuple[str, str, int, Decimal, Decimal]


def csv_facts() -> Iterator[Fact]:
    for _, (ms, _, _, price, amount, _) in lines("trades_xrpeth_binance_2019", "trades.csv"):
        yield "XRPETH", "market.trade", int(ms), Decimal(price), Decimal(amount)
    for name, (ms, price, size, *_) in lines("trades_gc_gold_futures_1007_1008", "*_trades.csv"):
        yield "GC", "market.trade", midnight(name[:8]) + int(ms), Decimal(price), Decimal(size)
    for name, (ms, price, size, *_) in lines("trades_us_equities_ibm_aig", "*_trades.csv"):
        # New York was four hours behind UTC in October 2013.
        at = midnight(name[4:12]) + 4 * HOUR + int(ms)
        yield name[:3].upper(), "market.trade", at, Decimal(price) / 10_000, Decimal(size)
    for symbol, day in (("EURUSD", "20140501"), ("NZDUSD", "20140512")):
        for _, (ms, bid, ask) in lines(f"quotes_{symbol.lower()}_oanda_{day}", "ticks.csv"):
            yield symbol, "market.data.update", midnight(day) + int(ms), Decimal(bid), Decimal(ask)


def stream_facts() -> Iterator[Fact]:
    for name in market_events.STREAMS:
        for path in data_set(name).glob("*.ndjson_ts"):
            for line in path.read_text().splitlines():
                data = json.loads(line[line.index("{") :])["data"]
                first, second = ("p", "q") if data["e"] == "trade" else ("b", "B")
                kind = "market.trade" if data["e"] == "trade" else "market.data.update"
                yield data["s"], kind, data["T"], Decimal(data[first]), Decimal(data[second])


def lines(name: str, pattern: str) -> Iterator[tuple[str, list[str]]]:
    for path in data_set(name).glob(pattern):
        for line in path.read_text().splitlines()[1:]:
            yield path.name, line.split(",")


def midnight(day: str) -> int:
    return int(datetime.strptime(day, "%Y%m%d").replace(tzinfo=UTC).timestamp()) * 1000


def count_of(wanted: str, totals: Totals) -> int:
    return sum(count for (symbol, _, _), (count, _) in totals.items() if symbol == wanted)


def test_counts_and_sums_of_real_market_data(make_pipeline: Callable[..., Pipeline]) -> None:
    pipeline = make_pipeline(partitions=4, RETENTION_RAW_EVENTS="20000d")
    pipeline.consumer()
    pipeline.worker()
    events = list(market_events.all_events())
    for start in range(0, len(events), CHUNK):
        pipeline.send(events[start : start + CHUNK])
    pipeline.wait_until_done(seconds=120)

    expected = from_files()
    assert {symbol: count_of(symbol, expected) for symbol in COLLECTED} == COLLECTED
    assert count_of("IBM", expected) + count_of("AIG", expected) == 67_635
    assert stored() == expected
    assert received_and_stored(pipeline) == (len(events), len(events))

    again = random.Random(25).sample(events, 10_000) * 2
    random.Random(25).shuffle(again)
    pipeline.send(again)
    pipeline.wait_until_done()

    assert stored() == expected
    [line] = (line for line in report(datetime(2000, 1, 1, tzinfo=UTC), datetime.now(UTC)) if line.source == "kafka")
    assert (line.received, line.stored, line.duplicates, line.refused) == (
        len(events) + len(again),
        len(events),
        len(again),
        0,
    )
