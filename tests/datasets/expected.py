"""What each data set must add up to, counted straight from its files.

Shares nothing with the readers on purpose: other parsing, other arithmetic of days. A mistake
would have to be made twice to go unnoticed.
"""

import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path

from tests.datasets import folder_of

Fact = tuple[str, int, str, str]  # symbol, UTC day since 1970, and two factors as text
DAY_MS = 86_400_000
EPOCH_DAY = 719_163  # 1970-01-01, in Python's count of days
# Midnight of New York in October 2013 (daylight saving time) in UTC.
NEW_YORK_MIDNIGHT_MS = 4 * 3_600_000


@dataclass
class Total:
    count: int = 0
    product: Decimal = Decimal(0)


def expected(name: str) -> dict[tuple[str, int], Total]:
    """By symbol and day (days since 1970, UTC): how many events, and the exact sum of their products."""
    totals: dict[tuple[str, int], Total] = {}
    for symbol, day, first, second in FACTS[name](folder_of(name)):
        total = totals.setdefault((symbol, day), Total())
        total.count += 1
        total.product += Decimal(first) * Decimal(second)
    return totals


def rows(path: Path) -> Iterator[list[str]]:
    for line in path.read_text().splitlines()[1:]:
        yield line.split(",")


def day_number(text: str) -> int:
    """Days from 1970 to YYYYMMDD; the civil calendar of Howard Hinnant."""
    year, month, day = int(text[:4]), int(text[4:6]), int(text[6:])
    year -= month <= 2
    century, of_century = divmod(year, 400)
    of_year = (153 * (month + (-3 if month > 2 else 9)) + 2) // 5 + day - 1
    return century * 146_097 + of_century * 365 + of_century // 4 - of_century // 100 + of_year - 719_468


def xrpeth(folder: Path) -> Iterator[Fact]:
    for ms, _, _, price, amount, _ in rows(folder / "trades.csv"):
        yield "XRPETH", int(ms) // DAY_MS, price, amount


def gold(folder: Path) -> Iterator[Fact]:
    for day in ("20131007", "20131008"):
        for _, price, size, *_ in rows(folder / f"{day}_trades.csv"):
            yield "GCZ3", day_number(day), price, size


def equities(folder: Path) -> Iterator[Fact]:
    for symbol, day in (("IBM", "20131007"), ("AIG", "20131008")):
        for ms, price, size, *_ in rows(folder / f"{symbol.lower()}_{day}_trades.csv"):
            late = (int(ms) + NEW_YORK_MIDNIGHT_MS) // DAY_MS
            yield symbol, day_number(day) + late, f"{price}E-4", size


def oanda(symbol: str, day: str) -> Callable[[Path], Iterator[Fact]]:
    def facts(folder: Path) -> Iterator[Fact]:
        for _, bid, ask in rows(folder / "ticks.csv"):
            yield symbol, day_number(day), bid, ask

    return facts


def binance_trades(folder: Path) -> Iterator[Fact]:
    """Trades only: by pattern, not by a parser of JSON."""
    pattern = re.compile(r'"T":(\d+),"s":"(\w+)","t":\d+,"p":"([\d.]+)","q":"([\d.]+)"')
    for path in folder.glob("*_trade.ndjson_ts"):
        for milliseconds, symbol, price, quantity in pattern.findall(path.read_text()):
            yield symbol, int(milliseconds) // DAY_MS, price, quantity


def cme(folder: Path) -> Iterator[Fact]:
    for ns, _, _, _, _, price, size, *_ in rows(folder / "es_mbo.csv"):
        yield "ESH4", int(ns) // (DAY_MS * 1_000_000), price, size


# Per exchange: what a trade looks like in the text of a frame, and where the frame names its symbol.
FRAMES = {
    "BINANCE_FUTURES": (
        r'"e":"aggTrade".*?"p":"(?P<price>[^"]+)","q":"(?P<quantity>[^"]+)".*?"T":(?P<ms>\d+)',
        r'"s":"(\w+)"',
    ),
    "BITGET": (
        r'\["(?P<ms>\d{13})","(?P<price>[^"]+)","(?P<quantity>[^"]+)","(?:buy|sell)"]',
        r'"instId":"(\w+)"',
    ),
    "COINBASE": (
        r'"type":"(?:last_)?match".*?"size":"(?P<quantity>[^"]+)","price":"(?P<price>[^"]+)".*?"time":"(?P<day>[\d-]{10})',
        r'"product_id":"([\w-]+)"',
    ),
    "GATEIO": (
        r'"create_time_ms":"(?P<ms>\d+).*?"amount":"(?P<quantity>[^"]+)","price":"(?P<price>[^"]+)"',
        r'"currency_pair":"(\w+)"',
    ),
    "GEMINI": (
        r'"type":"trade".*?"timestamp":(?P<ms>\d+),"price":"(?P<price>[^"]+)","quantity":"(?P<quantity>[^"]+)"',
        r'"symbol":"(\w+)"',
    ),
    "KRAKEN": (
        r'\["(?P<price>[\d.]+)","(?P<quantity>[\d.]+)","(?P<s>\d+)\.\d+","[bs]"',
        r'"trade","([\w/]+)"]',
    ),
}


def exchange_trades(folder: Path) -> Iterator[Fact]:
    for exchange, (trade, name) in FRAMES.items():
        for line in (folder / f"{exchange}.ndjson").read_text().splitlines():
            for match in re.finditer(trade, line):
                symbol = re.search(name, line)
                assert symbol is not None
                yield symbol[1], day_of(match.groupdict()), match["price"], match["quantity"]


def day_of(found: dict[str, str]) -> int:
    if "day" in found:
        return day_number(found["day"].replace("-", ""))
    return int(found["ms"]) // DAY_MS if "ms" in found else int(found["s"]) // 86_400


FACTS: dict[str, Callable[[Path], Iterable[Fact]]] = {
    "trades_xrpeth_binance_2019": xrpeth,
    "trades_gc_gold_futures_1007_1008": gold,
    "trades_us_equities_ibm_aig": equities,
    "quotes_eurusd_oanda_20140501": oanda("EURUSD", "20140501"),
    "quotes_nzdusd_oanda_20140512": oanda("NZDUSD", "20140512"),
    "stream_binance_usdm_20240808": binance_trades,
    "stream_binance_coinm_20240809": binance_trades,
    "orders_cme_mbo_es_a": cme,
    "stream_multi_exchange_ws_a": exchange_trades,
}
