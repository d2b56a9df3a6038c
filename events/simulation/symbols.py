"""What is traded, and its units: prices are counted in ticks, quantities in lots, money in 1e-8.

All arithmetic is on integers, so that sums of fills are exact; they become decimals on the way out.
"""

import re
from dataclasses import dataclass
from random import Random

MONEY = 100_000_000
QUOTE_ASSETS = ("USDT", "USDC", "FDUSD", "BUSD", "USD", "EUR", "BTC", "ETH")
NAME = re.compile(r"[A-Z0-9_]{3,20}")


@dataclass(frozen=True)
class Symbol:
    name: str
    typical_price: float
    price_units: int  # ticks in 1
    quantity_units: int  # lots in 1

    @property
    def quote_asset(self) -> str:
        return next((asset for asset in QUOTE_ASSETS if self.name.endswith(asset)), "USDT")

    def ticks(self, price: float) -> int:
        return max(1, round(price * self.price_units))

    def lots_for(self, value: float, ticks: int) -> int:
        """The quantity nearest to a value in quote currency, at least the smallest that is traded."""
        return max(1, round(value / self.price(ticks) * self.quantity_units))

    # An integer divided by a power of ten is the double nearest to the decimal, and the shortest
    # text of that double is the decimal itself: 618001 ticks are written 61800.1, never 61800.09999.
    def price(self, ticks: int) -> float:
        return ticks / self.price_units

    def quantity(self, lots: int) -> float:
        return lots / self.quantity_units

    def money(self, ticks: int, lots: int) -> int:
        """Price times quantity, exactly."""
        return ticks * lots * (MONEY // (self.price_units * self.quantity_units))

    def average(self, money: int, lots: int) -> float:
        """The mean price of lots that cost so much, to 8 decimals (half a unit is rounded up)."""
        return (2 * money * self.quantity_units + lots) // (2 * lots) / MONEY


KNOWN = {
    symbol.name: symbol
    for symbol in (
        Symbol("BTCUSDT", 61_800.0, 10, 1000),
        Symbol("ETHUSDT", 2_680.0, 100, 1000),
        Symbol("BNBUSDT", 512.0, 100, 100),
        Symbol("SOLUSDT", 148.0, 1000, 10),
        Symbol("XRPUSDT", 0.61, 10_000, 10),
        Symbol("ADAUSDT", 0.35, 100_000, 1),
        Symbol("DOGEUSDT", 0.105, 1_000_000, 1),
    )
}
DEFAULT_SYMBOLS = ("BTCUSDT", "ETHUSDT", "BNBUSDT", "SOLUSDT")


def symbol_named(name: str) -> Symbol:
    """A known symbol, or one made up from its name; ValueError if it is no name of a symbol."""
    if not NAME.fullmatch(name):
        raise ValueError(f"{name!r} is no symbol: 3 to 20 capital letters, digits or _, such as BTCUSDT")
    if name in KNOWN:
        return KNOWN[name]
    # Seeded by a text, Random is the same in every process, unlike hash().
    return Symbol(name, round(10 ** Random(name).uniform(-0.3, 2.7), 4), 10_000, 100)


def decimal_text(money: int) -> str:
    """Money as decimal text, without superfluous zeros: 1250000000 -> "12.5"."""
    whole, rest = divmod(abs(money), MONEY)
    sign = "-" if money < 0 else ""
    return f"{sign}{whole}.{rest:08d}".rstrip("0") if rest else f"{sign}{whole}"
