"""The exchange: takes orders, answers after a while, fills them or not. Every life is one process."""

from events.simulation.identity import MILLISECOND, rfc3339, token
from events.simulation.kernel import Kernel, Process
from events.simulation.orders import MAKER_FEE, TAKER_FEE, Fill, Order, complete

REJECTED = 0.03
REJECTIONS = (
    ("exchange", "insufficient_margin"),
    ("exchange", "price_out_of_band"),
    ("exchange", "too_many_orders"),
    ("validation", "quantity_below_minimum"),
    ("risk", "max_leverage_exceeded"),
)
# A resting order at the best price: the chance that its turn comes, each time somebody looks.
TURN_COMES = 0.45


class Exchange:
    """Every submitted order ends as filled, canceled, rejected or expired."""

    def __init__(self, kernel: Kernel) -> None:
        self.kernel = kernel
        self.working: dict[str, Order] = {}
        self._last_id = kernel.random.randrange(10**9, 10**10)

    def submit(self, order: Order) -> None:
        order.order_id = token(self.kernel.random, 96)
        self.kernel.start(self._life(order))

    def call_back(self, reason: str, strategy_id: str | None = None) -> None:
        """Cancel what is working, of one strategy or of all."""
        for order in self.working.values():
            if strategy_id in (None, order.strategy_id):
                order.cancel_reason = order.cancel_reason or reason

    def _life(self, order: Order) -> Process:
        submitted = self.kernel.now
        yield self._latency()
        if self.kernel.random.random() < REJECTED:
            source, reason = self.kernel.random.choice(REJECTIONS)
            self._tell("order.rejected", order, "REJECTED", reject_reason=reason, reject_source=source)
            return
        self._last_id += 1
        order.exchange_id = self._last_id
        latency = (self.kernel.now - submitted) / MILLISECOND
        placed_at = rfc3339(submitted + self.kernel.skipped)
        self._tell("order.placed", order, "SUBMITTED", latency_ms=latency, created_at=placed_at)
        self.working[order.order_id] = order
        yield from self._work(order)
        del self.working[order.order_id]

    def _work(self, order: Order) -> Process:
        if order.stop_ticks is not None:
            yield from self._await_stop(order)
        if order.is_wanted() and order.time_in_force in ("IOC", "FOK"):
            yield from self._take(order)
        elif order.is_wanted():
            yield from self._rest(order)
        if order.is_filled():
            return
        if order.is_wanted():
            self._tell("order.expired", order, "EXPIRED")
            return
        asked = self.kernel.now
        yield self._latency()
        latency = (self.kernel.now - asked) / MILLISECOND
        self._tell("order.canceled", order, "CANCELED", cancel_reason=order.cancel_reason, latency_ms=latency)

    def _await_stop(self, order: Order) -> Process:
        ends = self.kernel.now + order.patience
        while order.is_wanted():
            yield self._between(100 * MILLISECOND, 800 * MILLISECOND)
            order.market.move()
            if order.triggered():
                return
            if self.kernel.now >= ends:
                order.cancel_reason = "stop_not_reached"

    def _take(self, order: Order) -> Process:
        """Fill at once from the other side of the book; what finds no price expires."""
        parts = 1 if order.time_in_force == "FOK" else self.kernel.random.choice((1, 1, 1, 2, 2, 3))
        for left in range(parts, 0, -1):
            yield self._between(MILLISECOND // 5, 9 * MILLISECOND)
            order.market.move()
            lots = order.fillable()
            if not lots or not order.crosses():
                return
            if left > 1:
                lots = self._part(lots)
            ticks = order.market.ask if order.buys else order.market.bid
            self._fill(order, lots, ticks, is_maker=False)
            if order.is_filled():
                return

    def _rest(self, order: Order) -> Process:
        """Wait in the book for those who come; taken back when its strategy has had enough."""
        ends = self.kernel.now + order.patience
        order.market.move()
        if order.post_only and order.crosses():
            return
        while order.is_wanted() and not order.is_filled():
            yield self._between(40 * MILLISECOND, 700 * MILLISECOND)
            order.market.move()
            if order.is_wanted() and order.leads() and self.kernel.random.random() < TURN_COMES:
                lots = order.fillable()
                if not lots:
                    return
                part = self.kernel.random.random() < 0.4
                self._fill(order, self._part(lots) if part else lots, order.ticks or order.market.last, is_maker=True)
            if not order.is_filled() and self.kernel.now >= ends:
                order.cancel_reason = order.cancel_reason or "timeout"

    def _fill(self, order: Order, lots: int, ticks: int, *, is_maker: bool) -> None:
        """Fill a part of an order, or the rest of it: tape, order, position and balance, in this order."""
        account, symbol = order.account, order.market.symbol
        trade_id = order.market.trade(ticks, lots, taker_buys=order.buys != is_maker)
        notional = symbol.money(ticks, lots)
        fee = notional * (MAKER_FEE if is_maker else TAKER_FEE) // 10_000
        earned = account.earning(order.key, ticks, lots, buys=order.buys)
        fill = Fill(trade_id, ticks, lots, is_maker, fee, earned)
        order.filled_lots += lots
        order.cost += notional
        if order.open_lots:
            self._tell("order.partially_filled", order, "PARTIALLY_FILLED", **fill.properties(order))
        else:
            self._tell("order.filled", order, "FILLED", **fill.properties(order), **complete(order))
        account.fill(order.key, ticks, lots, buys=order.buys, fee=fee, why=order.close_reason)
        account.change_balance(symbol.quote_asset, earned - fee, "TRADE", fill.fill_id(order))

    def _tell(self, event_type: str, order: Order, status: str, **more: object) -> None:
        order.status = status
        self.kernel.emit(event_type, order.properties() | more, user_id=order.account.user_id)

    def _part(self, lots: int) -> int:
        return max(1, int(lots * self.kernel.random.uniform(0.2, 0.8)))

    def _latency(self) -> int:
        """How long a question takes: mostly 14 ms, sometimes far longer."""
        return int(14 * MILLISECOND * self.kernel.random.lognormvariate(0, 0.45))

    def _between(self, shortest: int, longest: int) -> int:
        return int(self.kernel.random.uniform(shortest, longest))
