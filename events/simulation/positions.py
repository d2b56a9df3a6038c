"""A position of one strategy in one symbol: what fills make of it, in exact integers."""

from dataclasses import dataclass

from events.simulation.identity import SECOND
from events.simulation.kernel import Properties
from events.simulation.symbols import Symbol, decimal_text

LEVERAGE = 5


@dataclass
class Position:
    """Open from the first fill to the one that brings it back to nothing. Money is in 1e-8."""

    position_id: str
    strategy_id: str
    symbol: Symbol
    opened_at: int
    long: bool
    lots: int = 0
    cost: int = 0  # of the lots still held
    entered_lots: int = 0  # over its whole life, as the next four
    entered_cost: int = 0
    left_lots: int = 0
    proceeds: int = 0
    fees: int = 0
    realized: int = 0  # before fees

    def enter(self, ticks: int, lots: int) -> None:
        money = self.symbol.money(ticks, lots)
        self.lots += lots
        self.cost += money
        self.entered_lots += lots
        self.entered_cost += money

    def earning(self, ticks: int, lots: int) -> int:
        """What giving up some lots would earn, before fees."""
        gain = self.symbol.money(ticks, lots) - self._cost_of(lots)
        return gain if self.long else -gain

    def leave(self, ticks: int, lots: int) -> None:
        """Give up some lots. Cost is split so that no fraction is lost between them and the rest."""
        self.realized += self.earning(ticks, lots)
        self.cost -= self._cost_of(lots)
        self.lots -= lots
        self.left_lots += lots
        self.proceeds += self.symbol.money(ticks, lots)

    def _cost_of(self, lots: int) -> int:
        return self.cost * lots // self.lots

    def value(self, ticks: int) -> int:
        return self.symbol.money(ticks, self.lots)

    def unrealized(self, ticks: int) -> int:
        gain = self.value(ticks) - self.cost
        return gain if self.long else -gain

    @property
    def margin(self) -> int:
        return self.cost // LEVERAGE

    @property
    def side(self) -> str:
        return "LONG" if self.long else "SHORT"

    def opened(self) -> Properties:
        return {
            "position_id": self.position_id,
            "symbol": self.symbol.name,
            "side": self.side,
            "quantity": self.symbol.quantity(self.lots),
            "entry_price": self.symbol.average(self.cost, self.lots),
            "leverage": LEVERAGE,
            "margin": decimal_text(self.margin),
            "notional": decimal_text(self.cost),
            "strategy_id": self.strategy_id,
        }

    def updated(self, ticks: int) -> Properties:
        entry = self.symbol.average(self.cost, self.lots)
        # What is left of the margin when the price has gone so far is the maintenance margin.
        reach = (1 / LEVERAGE - 0.005) * (-1 if self.long else 1)
        return self.opened() | {
            "mark_price": self.symbol.price(ticks),
            "unrealized_pnl": decimal_text(self.unrealized(ticks)),
            "realized_pnl": decimal_text(self.realized),
            "liquidation_price": self.symbol.price(self.symbol.ticks(entry * (1 + reach))),
        }

    def closed(self, now: int, reason: str) -> Properties:
        """Quantity and prices are those of the whole life: all that was entered and left."""
        return {
            "position_id": self.position_id,
            "symbol": self.symbol.name,
            "side": self.side,
            "quantity": self.symbol.quantity(self.left_lots),
            "entry_price": self.symbol.average(self.entered_cost, self.entered_lots),
            "exit_price": self.symbol.average(self.proceeds, self.left_lots),
            "realized_pnl": decimal_text(self.realized),
            "total_fees": decimal_text(self.fees),
            "holding_time_s": (now - self.opened_at) / SECOND,
            "close_reason": reason,
            "strategy_id": self.strategy_id,
        }
