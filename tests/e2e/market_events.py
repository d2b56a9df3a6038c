"""Recorded trades and quotes as the envelopes that a market data service would send."""

import csv
import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from uuid import NAMESPACE_URL, uuid5
from zoneinfo import ZoneInfo

from tests.files import data_set

EQUITIES = "trades_us_equities_ibm_aig"
GOLD = "trades_gc_gold_futures_1007_1008"
CRYPTO = "trades_xrpeth_binance_2019"
STREAMS = ("stream_binance_usdm_20240808", "stream_binance_coinm_20240809")
QUOTES = {"EURUSD": "quotes_eurusd_oanda_20140501", "NZDUSD": "quotes_nzdusd_oanda_20140512"}
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
NEW_YORK = ZoneInfo("America/New_York")


def all_events() -> Iterator[bytes]:
    yield from crypto_trades()
    yield from gold_trades()
    yield from equity_trades()
    for stream in STREAMS:
        yield from binance_stream(stream)
    for symbol, name in QUOTES.items():
        yield from quotes(symbol, name)


def crypto_trades() -> Iterator[bytes]:
    for row in rows(data_set(CRYPTO) / "trades.csv"):
        properties = (
            b'{"symbol":"XRPETH","trade_id":%(trade_id)s,"side":"%(side)s","price":%(price)s,"quantity":%(amount)s}'
        )
        yield envelope(f"XRPETH/{row['trade_id']}", "market.trade", from_ms(row["ts_ms"]), fill(properties, row))


def gold_trades() -> Iterator[bytes]:
    properties = b'{"symbol":"GC","price":%(price)s,"quantity":%(size)s}'
    for path in sorted(data_set(GOLD).glob("*_trades.csv")):
        midnight = datetime.strptime(path.name[:8], "%Y%m%d").replace(tzinfo=UTC)
        for number, row in enumerate(rows(path)):
            at = midnight + timedelta(milliseconds=int(row["ms_of_day"]))
            yield envelope(f"GC/{path.name}/{number}", "market.trade", at, fill(properties, row))


def equity_trades() -> Iterator[bytes]:
    properties = b'{"symbol":"%(symbol)s","exchange":"%(exchange)s","price":%(price)s,"quantity":%(size)s}'
    for path in sorted(data_set(EQUITIES).glob("*_trades.csv")):
        symbol, day, _ = path.name.upper().split("_")
        midnight = datetime.strptime(day, "%Y%m%d").replace(tzinfo=NEW_YORK).astimezone(UTC)
        for number, row in enumerate(rows(path)):
            at = midnight + timedelta(milliseconds=int(row["ms_of_day"]))
            filled = row | {"symbol": symbol, "price": str(Decimal(row["price_x10000"]) / 10_000)}
            yield envelope(f"{symbol}/{day}/{number}", "market.trade", at, fill(properties, filled))


def binance_stream(name: str) -> Iterator[bytes]:
    """Prices stay the decimal strings that the exchange sends."""
    for path in sorted(data_set(name).glob("*.ndjson_ts")):
        with path.open("rb") as lines:
            for number, line in enumerate(lines):
                data = json.loads(line.split(b" ", 1)[1])["data"]
                yield binance_event(data, f"{path.name}/{number}")


def binance_event(data: dict[str, str], name: str) -> bytes:
    if data["e"] == "trade":
        kind, keys = "market.trade", {"trade_id": "t", "price": "p", "quantity": "q", "is_buyer_maker": "m"}
    else:
        kind, keys = "market.data.update", {"bid_price": "b", "bid_size": "B", "ask_price": "a", "ask_size": "A"}
    properties = {"symbol": data["s"]} | {ours: data[theirs] for ours, theirs in keys.items()}
    return envelope(name, kind, from_ms(data["T"]), json.dumps(properties).encode())


def quotes(symbol: str, name: str) -> Iterator[bytes]:
    properties = b'{"symbol":"%(symbol)s","bid_price":%(bid)s,"ask_price":%(ask)s}'
    midnight = datetime.strptime(name[-8:], "%Y%m%d").replace(tzinfo=UTC)
    for number, row in enumerate(rows(data_set(name) / "ticks.csv")):
        at = midnight + timedelta(milliseconds=int(row["ms_of_day"]))
        yield envelope(f"{symbol}/{number}", "market.data.update", at, fill(properties, row | {"symbol": symbol}))


def rows(path: Path) -> Iterator[dict[str, str]]:
    with path.open(newline="") as lines:
        yield from csv.DictReader(lines)


def fill(template: bytes, row: dict[str, str]) -> bytes:
    """Numbers go in as the text they are, so no digit of a price is lost or added."""
    return template % {key.encode(): value.encode() for key, value in row.items()}


def from_ms(value: str | int) -> datetime:
    return EPOCH + timedelta(milliseconds=int(value))


def envelope(name: str, event_type: str, at: datetime, properties: bytes) -> bytes:
    head = {"id": str(uuid5(NAMESPACE_URL, name)), "event_type": event_type, "timestamp": at.isoformat()}
    return json.dumps(head)[:-1].encode() + b', "source": "replay", "properties": ' + properties + b"}"
