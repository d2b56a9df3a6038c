"""An order: what was asked for, how far it got, and what its events say."""

from dataclasses import dataclass

from events.simulation.account import Account, Key
from events.simulation.identity import SECOND
from events.simulation.kernel import Properties
from events.simulation.market import Market
from events.simulation.symbols import MONEY, decimal_text

MAKER_FEE, TAKER_FEE = 2, 5  # in 1/10,000 of the notional


@dataclass
class Order:
    """Quantities in lots, prices in ticks, cost in 1e-8 of the quote asset."""

    account: Account
    market: Market
    strategy_id: str
    buys: bool
    order_type: str
    time_in_force: str
    lots: int
    ticks: int | None = None
    stop_ticks: int | None = None
    reduce_only: bool = False
    post_only: bool = False
    close_reason: str = "signal"
    # How long it may rest in the book before its strategy takes it back.
    patience: int = 5 * SECOND
    order_id: str = ""
    exchange_id: int = 0
    status: str = "NEW"
    filled_lots: int = 0
    cost: int = 0
    # Set by whoever wants it back; its process sees to it.
    cancel_reason: str | None = None

    @property
    def key(self) -> Key:
        return self.strategy_id, self.market.symbol.name

    @property
    def open_lots(self) -> int:
        return self.lots - self.filled_lots

    def is_wanted(self) -> bool:
        return self.cancel_reason is None

    def is_filled(self) -> bool:
        return self.filled_lots == self.lots

    def crosses(self) -> bool:
        """Does the market offer the price of this order, or better?"""
        if self.ticks is None:
            return True
        return self.market.ask <= self.ticks if self.buys else self.market.bid >= self.ticks

    def leads(self) -> bool:
        """Is its price the best of its side of the book?"""
        if self.ticks is None:
            return True
        return self.ticks >= self.market.bid if self.buys else self.ticks <= self.market.ask

    def triggered(self) -> bool:
        """Did the market reach the stop price?"""
        if self.stop_ticks is None:
            return True
        return self.market.ask >= self.stop_ticks if self.buys else self.market.bid <= self.stop_ticks

    def fillable(self) -> int:
        """Lots that may still be filled: a reducing order must not open a position."""
        if not self.reduce_only:
            return self.open_lots
        held = self.account.held(self.key)
        return min(self.open_lots, max(0, -held if self.buys else held))

    def properties(self) -> Properties:
        """The block that every order event carries."""
        symbol = self.market.symbol
        block: Properties = {
            "order_id": self.order_id,
            "client_order_id": f"b25-{self.order_id[:12]}",
            "exchange_order_id": str(self.exchange_id),
            "symbol": symbol.name,
            "side": "BUY" if self.buys else "SELL",
            "order_type": self.order_type,
            "time_in_force": self.time_in_force,
            "quantity": symbol.quantity(self.lots),
            "filled_quantity": symbol.quantity(self.filled_lots),
            "remaining_quantity": symbol.quantity(self.open_lots),
            "status": self.status,
            "reduce_only": self.reduce_only,
            "post_only": self.post_only,
            "strategy_id": self.strategy_id,
        }
        if self.ticks is not None:
            block["price"] = symbol.price(self.ticks)
        if self.stop_ticks is not None:
            block["stop_price"] = symbol.price(self.stop_ticks)
        if self.filled_lots:
            block["avg_fill_price"] = symbol.average(self.cost, self.filled_lots)
        return block


@dataclass(frozen=True)
class Fill:
    """One trade of ours. `price`, `quantity` and `avg_fill_price` tell of the order, these of the fill."""

    trade_id: int
    ticks: int
    lots: int
    is_maker: bool
    fee: int
    earned: int

    def properties(self, order: Order) -> Properties:
        symbol = order.market.symbol
        return {
            "fill_id": self.fill_id(order),
            "trade_id": str(self.trade_id),
            "last_fill_quantity": symbol.quantity(self.lots),
            "last_fill_price": symbol.price(self.ticks),
            "commission": decimal_text(self.fee),
            "commission_asset": symbol.quote_asset,
            "is_maker": self.is_maker,
            "realized_pnl": decimal_text(self.earned),
        }

    def fill_id(self, order: Order) -> str:
        return f"{order.order_id[:12]}-{self.trade_id}"


def complete(order: Order) -> Properties:
    """What `order.filled` says of the whole order: its price is what was paid, not what was asked."""
    symbol = order.market.symbol
    average = symbol.average(order.cost, order.filled_lots)
    return {"price": average, "quantity": symbol.quantity(order.filled_lots), "notional": order.cost / MONEY}
