"""Day files as QuantConnect's Lean ships them: milliseconds since midnight of the data's own zone."""

import csv
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from zoneinfo import ZoneInfo

from tests.datasets.envelopes import Dataset, Envelope, envelope, time_of_day

NEW_YORK = ZoneInfo("America/New_York")


def gold(folder: Path) -> Iterator[Envelope]:
    """The contract of December 2013. Prints of size 0 are kept: they move the vendor's candles."""
    for path in sorted(folder.glob("*_trades.csv")):
        day = path.name[:8]
        for number, row in numbered_rows(path):
            properties = {
                "symbol": "GCZ3",
                "trade_id": f"{day}-{number}",
                "price": row["price"],
                "quantity": row["size"],
                "exchange": row["exchange"],
            }
            moment = time_of_day(day, row["ms_of_day"])
            yield envelope("comex", f"GCZ3/{day}/{number}", "market.trade", moment, properties)


def equities(folder: Path) -> Iterator[Envelope]:
    """The whole tape: odd lots and every sale condition. Prices are integers of 1/10,000 dollar."""
    for path in sorted(folder.glob("*_trades.csv")):
        name, day, _ = path.name.split("_")
        symbol = name.upper()
        for number, row in numbered_rows(path):
            properties = {
                "symbol": symbol,
                "trade_id": f"{day}-{number}",
                "price": str(Decimal(row["price_x10000"]).scaleb(-4)),
                "quantity": row["size"],
                "exchange": row["exchange"],
                "condition": row["condition_hex"],
            }
            moment = time_of_day(day, row["ms_of_day"], NEW_YORK)
            yield envelope("us-tape", f"{symbol}/{day}/{number}", "market.trade", moment, properties)


def oanda_quotes(folder: Path) -> Iterator[Envelope]:
    _, pair, _, day = folder.name.split("_")
    symbol = pair.upper()
    for number, row in numbered_rows(folder / "ticks.csv"):
        properties = {
            "symbol": symbol,
            "kind": "tick",
            "sequence": number,
            "bid_price": row["bid"],
            "ask_price": row["ask"],
        }
        moment = time_of_day(day, row["ms_of_day"])
        yield envelope("oanda", f"{symbol}/{day}/{number}", "market.data.update", moment, properties)


def numbered_rows(path: Path) -> Iterator[tuple[int, dict[str, str]]]:
    """Rows and their numbers from 1: these files have no other ids."""
    with path.open(newline="") as file:
        yield from enumerate(csv.DictReader(file), start=1)


GOLD = Dataset("trades_gc_gold_futures_1007_1008", gold, ("price", "quantity"))
EQUITIES = Dataset("trades_us_equities_ibm_aig", equities, ("price", "quantity"))
EURUSD = Dataset("quotes_eurusd_oanda_20140501", oanda_quotes, ("bid_price", "ask_price"))
NZDUSD = Dataset("quotes_nzdusd_oanda_20140512", oanda_quotes, ("bid_price", "ask_price"))
