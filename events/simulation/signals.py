"""What strategies want to do: from the look of a market to a signal, and from a signal to an order."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from random import Random

from events.simulation.account import Account
from events.simulation.identity import SECOND
from events.simulation.kernel import Properties
from events.simulation.market import Market
from events.simulation.orders import Order

# The engine writes order types and sides in lower case, the exchange in upper case.
ORDER_TYPES = {"market": "MARKET", "limit": "LIMIT", "stop": "STOP_MARKET", "stop_limit": "STOP_LIMIT"}


@dataclass(frozen=True)
class Idea:
    """One thing a strategy wants."""

    market: Market
    buys: bool
    lots: int
    order_type: str
    time_in_force: str
    reason: str
    ticks: int | None = None
    stop_ticks: int | None = None
    priority: int = 5
    strength: float = 0.5
    exits: bool = False
    post_only: bool = False
    patience: int = 5 * SECOND
    metadata: Properties = field(default_factory=dict)

    def properties(self) -> Properties:
        symbol = self.market.symbol
        properties: Properties = {
            "symbol": symbol.name,
            "side": "buy" if self.buys else "sell",
            "order_type": self.order_type,
            "quantity": symbol.quantity(self.lots),
            "priority": self.priority,
            "time_in_force": self.time_in_force,
            "strength": self.strength,
            "metadata": {"reason": self.reason} | self.metadata,
        }
        if self.ticks is not None:
            properties["price"] = symbol.price(self.ticks)
        if self.stop_ticks is not None:
            properties["stop_price"] = symbol.price(self.stop_ticks)
        return properties


def ideas_of(kind: str, value: float, market: Market, held: int, random: Random) -> Iterator[Idea]:
    """What a strategy of a kind makes of a market, given the lots it holds there."""
    lots = market.symbol.lots_for(value * random.uniform(0.5, 1.8), market.last)
    if kind == "market_making":
        yield from _quotes(market, lots, held, random)
    elif held and random.random() < 0.55:
        yield _exit(market, held, random)
    elif kind == "scalping":
        yield _scalp(market, lots, random)
    elif kind == "momentum":
        yield _enter(market, lots, market.trend >= 0, "positive_momentum", "negative_momentum", random)
    elif kind == "mean_reversion":
        yield _enter(market, lots, market.mid < market.anchor, "below_mean", "above_mean", random)
    else:
        yield _enter(market, lots, random.random() < 0.5, "cheap_to_index", "dear_to_index", random)


def _quotes(market: Market, lots: int, held: int, random: Random) -> Iterator[Idea]:
    """A bid and an ask; the one that would bring the inventory back is the larger."""
    for buys in (True, False):
        leans = held != 0 and (held < 0) == buys
        back = random.choice((0, 0, 1, 2, 4)) * (market.ask - market.bid)
        yield Idea(
            market,
            buys,
            min(abs(held), 3 * lots) if leans else lots,
            "limit",
            "GTX",
            "quote",
            max(1, market.bid - back) if buys else market.ask + back,
            priority=1,
            post_only=True,
            patience=random.randrange(1, 9) * SECOND,
            metadata={
                "side": "bid" if buys else "ask",
                "mid_price": (market.bid + market.ask) / (2 * market.symbol.price_units),
                "inventory": market.symbol.quantity(held),
            },
        )


def _exit(market: Market, held: int, random: Random) -> Idea:
    reason = random.choice(("take_profit", "stop_loss", "signal_reversed", "time_limit"))
    if reason == "stop_loss":
        # Stops lie a little away from the market and are mostly not reached before the patience ends.
        away = max(1, round(market.mid * random.uniform(0.000_02, 0.000_3) * market.symbol.price_units))
        stop = max(1, market.bid - away) if held > 0 else market.ask + away
        limit = {"ticks": stop, "order_type": "stop_limit"} if random.random() < 0.25 else {"order_type": "stop"}
        waits = random.randrange(2, 25) * SECOND
        return Idea(
            market, held < 0, abs(held), reason=reason, time_in_force="GTC", stop_ticks=stop, exits=True,
            patience=waits, **limit,
        )  # fmt: skip
    return Idea(market, held < 0, abs(held), "market", "IOC", reason, priority=8, strength=0.9, exits=True)


def _scalp(market: Market, lots: int, random: Random) -> Idea:
    buys = random.random() < 0.5
    imbalance = round(random.uniform(0.55, 0.95), 3)
    return Idea(
        market,
        buys,
        lots,
        "limit",
        "GTC",
        "book_imbalance",
        market.bid if buys else market.ask,
        strength=imbalance,
        patience=random.randrange(1, 12) * SECOND,
        metadata={"imbalance": imbalance if buys else -imbalance, "hold_time": 8},
    )


def _enter(market: Market, lots: int, buys: bool, up: str, down: str, random: Random) -> Idea:
    strength = round(random.uniform(0.3, 1.0), 3)
    if random.random() < 0.6:
        return Idea(market, buys, lots, "market", "IOC", up if buys else down, strength=strength)
    in_force = random.choice(("IOC", "IOC", "IOC", "FOK"))
    ticks = market.ask if buys else market.bid
    return Idea(market, buys, lots, "limit", in_force, up if buys else down, ticks, strength=strength)


def order_for(idea: Idea, account: Account, strategy_id: str) -> Order:
    kind = "POST_ONLY" if idea.post_only else ORDER_TYPES[idea.order_type]
    return Order(
        account,
        idea.market,
        strategy_id,
        idea.buys,
        kind,
        # A stop that is reached becomes a market order.
        "IOC" if kind == "STOP_MARKET" else idea.time_in_force,
        idea.lots,
        idea.ticks,
        idea.stop_ticks,
        reduce_only=idea.exits,
        post_only=idea.post_only,
        close_reason=idea.reason,
        patience=idea.patience,
    )
