"""Markets: prices that wander with changing volatility, and what an exchange tells about them."""

from math import exp, sqrt

from events.simulation.identity import SECOND
from events.simulation.kernel import Kernel, Properties
from events.simulation.symbols import Symbol, decimal_text

# Shares of all events; the simulation's rate is split by them.
QUOTES, TRADES, BOOKS = 0.26, 0.24, 0.07

USUAL_VOLATILITY = 1.1e-4  # of the logarithm of the price, in one second: 60 % a year
DAY = 86_400 * SECOND


def next_day(at: int) -> int:
    """The midnight, in UTC, that comes after a moment."""
    return (at // DAY + 1) * DAY


class Market:
    """One symbol: its price, its spread, and the day's figures."""

    def __init__(self, symbol: Symbol, kernel: Kernel) -> None:
        self.symbol = symbol
        self.kernel = kernel
        random = kernel.random
        self.mid = symbol.typical_price * exp(random.gauss(0, 0.03))
        self.anchor = self.mid
        self.log_volatility = 0.0  # relative to the usual one
        self.trend = 0.0  # return of the last few steps, what momentum looks at
        self.moved_at = kernel.now
        self.trade_id = random.randrange(10**8, 10**9)
        self.sequence = random.randrange(10**9, 10**10)
        self.bid, self.ask = self._touch()
        self.last = self.open = self.high = self.low = self.bid
        self.volume = self.turnover = 0
        self.day_ends = next_day(kernel.now)

    def move(self) -> None:
        """Let the price wander for the time since it was last looked at."""
        elapsed = (self.kernel.now - self.moved_at) / SECOND
        if elapsed <= 0:
            return
        random = self.kernel.random
        self.moved_at = self.kernel.now
        calm = exp(-elapsed / 600)
        self.log_volatility = self.log_volatility * calm + random.gauss(0, 0.5 * sqrt(1 - calm * calm))
        # Far from its anchor the price is pulled back, over a day or so: a long run stays believable.
        pull = (self.anchor / self.mid - 1) * (1 - exp(-elapsed / 80_000))
        change = pull + USUAL_VOLATILITY * exp(self.log_volatility) * random.gauss(0, sqrt(elapsed))
        self.mid *= exp(change)
        self.trend = self.trend * exp(-elapsed / 5) + change
        self.bid, self.ask = self._touch()
        if self.kernel.now >= self.day_ends:
            self._open_day()

    def tick(self) -> None:
        """Tell the best prices."""
        self.move()
        self.sequence += 1
        symbol, bid, ask = self.symbol, self.bid, self.ask
        self.kernel.emit(
            "market.data.update",
            {
                "symbol": symbol.name,
                "kind": "tick",
                "sequence": self.sequence,
                "bid_price": symbol.price(bid),
                "ask_price": symbol.price(ask),
                "bid_size": symbol.quantity(self._size()),
                "ask_size": symbol.quantity(self._size()),
                "mid_price": (bid + ask) / (2 * symbol.price_units),
                "last_price": symbol.price(self.last),
                "spread": symbol.price(ask - bid),
                "spread_bps": round(20_000 * (ask - bid) / (ask + bid), 4),
                "open": symbol.price(self.open),
                "high": symbol.price(self.high),
                "low": symbol.price(self.low),
                "volume": symbol.quantity(self.volume),
                "quote_volume": decimal_text(self.turnover),
            },
        )

    def public_trade(self) -> None:
        """Somebody else takes what is offered."""
        self.move()
        buys = self.kernel.random.random() < 0.5 + max(-0.2, min(0.2, self.trend * 100))
        self.trade(self.ask if buys else self.bid, self._size(0.3), taker_buys=buys)

    def trade(self, ticks: int, lots: int, *, taker_buys: bool) -> int:
        """Print a trade on the tape; returns its id."""
        self.trade_id += 1
        self.last = ticks
        self.high, self.low = max(self.high, ticks), min(self.low, ticks)
        self.volume += lots
        self.turnover += self.symbol.money(ticks, lots)
        properties: Properties = {
            "symbol": self.symbol.name,
            "trade_id": self.trade_id,
            "price": self.symbol.price(ticks),
            "quantity": self.symbol.quantity(lots),
            "is_buyer_maker": not taker_buys,
            "taker_side": "BUY" if taker_buys else "SELL",
        }
        self.kernel.emit("market.trade", properties)
        return self.trade_id

    def book(self) -> None:
        """Sum up the order book."""
        self.move()
        symbol = self.symbol
        self.sequence += 1
        bids, asks = self._size(20), self._size(20)
        properties: Properties = {
            "symbol": symbol.name,
            "last_update_id": self.sequence,
            "best_bid": symbol.price(self.bid),
            "best_bid_size": symbol.quantity(self._size()),
            "best_ask": symbol.price(self.ask),
            "best_ask_size": symbol.quantity(self._size()),
            "bid_depth": symbol.quantity(bids),
            "ask_depth": symbol.quantity(asks),
            "imbalance": round((bids - asks) / (bids + asks), 4),
            "spread_bps": round(20_000 * (self.ask - self.bid) / (self.ask + self.bid), 4),
        }
        self.kernel.emit("market.orderbook", properties)

    def _touch(self) -> tuple[int, int]:
        """Best bid and ask around the mid price; wider when it is wild."""
        usual = self.mid * 0.000_02 * exp(self.log_volatility) * self.symbol.price_units
        spread = 1 + int(self.kernel.random.expovariate(1 / max(usual, 0.1)))
        bid = max(1, self.symbol.ticks(self.mid) - spread // 2)
        return bid, bid + spread

    def _size(self, scale: float = 1.0) -> int:
        """A quantity as people trade them: mostly small, now and then large."""
        value = scale * 3_000 * exp(self.kernel.random.gauss(0, 1.2))
        return self.symbol.lots_for(value, self.bid)

    def _open_day(self) -> None:
        self.day_ends = next_day(self.kernel.now)
        self.open = self.high = self.low = self.last
        self.volume = self.turnover = 0


def open_markets(symbols: list[Symbol], kernel: Kernel) -> list[Market]:
    """Start quotes, trades and books of every symbol; the first named is the busiest."""
    markets = [Market(symbol, kernel) for symbol in symbols]
    weights = [1 / (rank + 1.5) for rank in range(len(markets))]
    for market, weight in zip(markets, weights, strict=True):
        share = weight / sum(weights)
        kernel.repeat(market.tick, QUOTES * share)
        kernel.repeat(market.public_trade, TRADES * share)
        kernel.repeat(market.book, BOOKS * share)
    return markets
