"""Accounts: balances, positions and profit, moved by nothing but fills, funding and transfers."""

from collections.abc import Mapping
from dataclasses import dataclass

from events.simulation.identity import token
from events.simulation.kernel import Kernel
from events.simulation.market import Market
from events.simulation.positions import Position
from events.simulation.symbols import MONEY, decimal_text

DEPOSIT = 1_000_000 * MONEY

Key = tuple[str, str]  # strategy and symbol: whose position, in what


@dataclass
class Results:
    """What the closed positions of an account came to."""

    won: int = 0
    lost: int = 0
    gains: int = 0
    losses: int = 0


class Account:
    """What one user owns. The quote assets of the markets are its currencies."""

    def __init__(self, user_id: str, kernel: Kernel, markets: Mapping[str, Market]) -> None:
        self.user_id = user_id
        self.kernel = kernel
        self.markets = markets
        self.balances = {market.symbol.quote_asset: DEPOSIT for market in markets.values()}
        self.positions: dict[Key, Position] = {}
        self.realized = 0
        self.fees = 0
        self.fills = 0
        self.funding = 0
        self.results = Results()
        # Highest equity so far, and equity at the day's start: what drawdowns are measured from.
        self.peak = self.day_start = self.equity()

    def held(self, key: Key) -> int:
        """Lots held, negative when short."""
        position = self.positions.get(key)
        if position is None:
            return 0
        return position.lots if position.long else -position.lots

    def earning(self, key: Key, ticks: int, lots: int, *, buys: bool) -> int:
        """What a fill would realize, before its fee."""
        position = self.positions.get(key)
        if position is None or position.long == buys:
            return 0
        return position.earning(ticks, min(lots, position.lots))

    def fill(self, key: Key, ticks: int, lots: int, *, buys: bool, fee: int, why: str) -> None:
        """Let a fill change its position; one that goes through zero closes it and opens another."""
        self.fees += fee
        self.fills += 1
        position = self.positions.get(key)
        if position is None or position.long == buys:
            self._enter(key, ticks, lots, long=buys, fee=fee)
            return
        leaving = min(lots, position.lots)
        self.realized += position.earning(ticks, leaving)
        position.leave(ticks, leaving)
        position.fees += fee
        if position.lots:
            self._emit_updated(position)
        else:
            self._close(key, why)
        if lots > leaving:
            self._enter(key, ticks, lots - leaving, long=buys, fee=0)

    def change_balance(self, asset: str, amount: int, reason: str, reference: str) -> None:
        before = self.balances[asset]
        total = self.balances[asset] = before + amount
        locked = sum(p.margin for p in self.positions.values() if p.symbol.quote_asset == asset)
        self.kernel.emit(
            "balance.updated",
            {
                "asset": asset,
                "free": decimal_text(total - locked),
                "locked": decimal_text(locked),
                "total": decimal_text(total),
                "usd_value": decimal_text(total),
                "amount": decimal_text(amount),
                "balance_before": decimal_text(before),
                "balance_after": decimal_text(total),
                "reason": reason,
                "reference_id": reference,
            },
            user_id=self.user_id,
        )

    def mark(self, position: Position) -> None:
        """Value a position at the present price, and tell."""
        self.markets[position.symbol.name].move()
        self._emit_updated(position)

    def unrealized(self) -> int:
        return sum(p.unrealized(self._price(p)) for p in self.positions.values())

    def equity(self) -> int:
        return sum(self.balances.values()) + self.unrealized()

    def margin_used(self) -> int:
        return sum(position.margin for position in self.positions.values())

    def exposure(self) -> int:
        return sum(position.value(self._price(position)) for position in self.positions.values())

    def _price(self, position: Position) -> int:
        return self.markets[position.symbol.name].last

    def _enter(self, key: Key, ticks: int, lots: int, *, long: bool, fee: int) -> None:
        position = self.positions.get(key)
        if position is not None:
            position.enter(ticks, lots)
            position.fees += fee
            self._emit_updated(position)
            return
        strategy_id, name = key
        position_id = f"pos-{token(self.kernel.random, 48)}"
        position = Position(position_id, strategy_id, self.markets[name].symbol, self.kernel.now, long, fees=fee)
        position.enter(ticks, lots)
        self.positions[key] = position
        self.kernel.emit("position.opened", position.opened(), user_id=self.user_id)

    def _emit_updated(self, position: Position) -> None:
        self.kernel.emit("position.updated", position.updated(self._price(position)), user_id=self.user_id)

    def _close(self, key: Key, why: str) -> None:
        position = self.positions.pop(key)
        if position.realized > 0:
            self.results.won += 1
            self.results.gains += position.realized
        else:
            self.results.lost += 1
            self.results.losses -= position.realized
        self.kernel.emit("position.closed", position.closed(self.kernel.now, why), user_id=self.user_id)
