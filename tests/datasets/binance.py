"""Binance: trades of XRP/ETH, and recorded streams of trades and best prices."""

import csv
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tests.datasets.envelopes import Dataset, Envelope, envelope, from_ms


def spot_trades(folder: Path) -> Iterator[Envelope]:
    with (folder / "trades.csv").open(newline="") as file:
        for row in csv.DictReader(file):
            properties = {
                "symbol": "XRPETH",
                "trade_id": row["trade_id"],
                "price": row["price"],
                "quantity": row["amount"],
                "notional": row["cost"],
                "taker_side": row["side"].upper(),
            }
            yield envelope("binance", f"XRPETH/{row['trade_id']}", "market.trade", from_ms(row["ts_ms"]), properties)


def streams(folder: Path) -> Iterator[Envelope]:
    for path in sorted(folder.glob("*.ndjson_ts")):
        with path.open() as file:
            for line in file:
                received, frame = line.split(" ", 1)
                yield from_stream(json.loads(frame)["data"], received)


def from_stream(data: dict[str, Any], received: str) -> Envelope:
    """A trade or a best price, with the exchange's time; the recorder's own clock was 1.2 s behind it."""
    symbol = data["s"]
    if data["e"] == "trade":
        properties = {
            "symbol": symbol,
            "trade_id": data["t"],
            "price": data["p"],
            "quantity": data["q"],
            "is_buyer_maker": data["m"],
            "taker_side": "SELL" if data["m"] else "BUY",
            "received_ns": received,
        }
        return envelope("binance-futures", f"{symbol}/{data['t']}", "market.trade", from_ms(data["T"]), properties)
    properties = {
        "symbol": symbol,
        "kind": "tick",
        "sequence": data["u"],
        "bid_price": data["b"],
        "bid_size": data["B"],
        "ask_price": data["a"],
        "ask_size": data["A"],
        "received_ns": received,
    }
    key = f"{symbol}/book/{data['u']}"
    return envelope("binance-futures", key, "market.data.update", from_ms(data["T"]), properties)


XRPETH = Dataset("trades_xrpeth_binance_2019", spot_trades, ("price", "quantity"))
USD_MARGINED = Dataset("stream_binance_usdm_20240808", streams, ("price", "quantity"))
COIN_MARGINED = Dataset("stream_binance_coinm_20240809", streams, ("price", "quantity"))
