"""Strategies: they start, watch the markets, give signals that become orders, fail and stop."""

from dataclasses import dataclass

from events.simulation.account import Account
from events.simulation.exchange import Exchange
from events.simulation.identity import MILLISECOND, SECOND, token
from events.simulation.kernel import Kernel, Process
from events.simulation.market import Market
from events.simulation.signals import Idea, ideas_of, order_for
from events.simulation.symbols import MONEY, decimal_text

# One signal brings about eight events: orders, fills, trades, positions and balances.
SIGNALS, FAILURES, BREAKS = 0.034, 1 / 1500, 1 / 1800

# Above this value of one position, signals that would enlarge it are refused.
POSITION_LIMIT = 60_000 * MONEY
OTHER_REFUSALS = ("daily_loss_limit", "duplicate_signal", "queue_full", "price_stale")
REFUSED = 0.05

FAILURE_TEXTS = (
    ("market_data", "no quote for 3000 ms"),
    ("market_data", "sequence gap in the order book, snapshot requested"),
    ("fill", "fill of an order that is not ours"),
    ("position", "position differs from the exchange's by one lot"),
)
REASONS_TO_STOP = ("operator", "configuration", "schedule", "loss_limit")


@dataclass(frozen=True)
class Profile:
    strategy_id: str
    kind: str
    owner: str
    # Of all signals, how many are its own.
    share: float
    value: float  # typical size of an order in quote currency
    parameters: dict[str, float]


PROFILES = (
    Profile("mm-main", "market_making", "u-1001", 0.45, 900, {"spread_bps": 2.0, "inventory_limit": 60_000}),
    Profile("momentum-fast", "momentum", "u-1001", 0.2, 2500, {"window_s": 5, "threshold_bps": 1.5}),
    Profile("scalp-1", "scalping", "u-1002", 0.2, 1200, {"imbalance": 0.6, "hold_time": 8}),
    Profile("revert-15m", "mean_reversion", "u-1002", 0.1, 3000, {"entry_z": 2.0, "exit_z": 0.5}),
    Profile("arb-perp", "arbitrage", "u-1002", 0.05, 5000, {"min_edge_bps": 3.0}),
)


class Strategy:
    """One running copy of a profile, on some of the markets."""

    def __init__(
        self, profile: Profile, account: Account, markets: list[Market], kernel: Kernel, exchange: Exchange
    ) -> None:
        self.profile = profile
        self.account = account
        self.markets = markets
        self.kernel = kernel
        self.exchange = exchange
        self.started_at: int | None = None
        self.fills_before = self.pnl_before = 0

    def start(self) -> None:
        self.started_at = self.kernel.now
        self.pnl_before = self.account.realized
        self.fills_before = self.account.fills
        self.kernel.emit(
            "strategy.started",
            {
                "strategy_id": self.profile.strategy_id,
                "strategy_name": self.profile.strategy_id.replace("-", " ").title(),
                "strategy_type": self.profile.kind,
                "mode": "live",
                "symbols": [market.symbol.name for market in self.markets],
                "parameters": self.profile.parameters,
            },
            user_id=self.account.user_id,
        )

    def stop(self, reason: str) -> None:
        if self.started_at is None:
            return
        properties = {
            "strategy_id": self.profile.strategy_id,
            "strategy_name": self.profile.strategy_id.replace("-", " ").title(),
            "reason": reason,
            "uptime_s": (self.kernel.now - self.started_at) / SECOND,
            "total_trades": self.account.fills - self.fills_before,
            "total_pnl": decimal_text(self.account.realized - self.pnl_before),
        }
        self.started_at = None
        self.exchange.call_back("strategy_stopped", self.profile.strategy_id)
        self.kernel.emit("strategy.stopped", properties, user_id=self.account.user_id)

    def think(self) -> None:
        """Look at one market and act on it."""
        if self.started_at is None:
            return
        market = self.kernel.random.choice(self.markets)
        market.move()
        for idea in ideas_of(self.profile.kind, self.profile.value, market, self._held(market), self.kernel.random):
            self._signal(idea)

    def fail(self) -> None:
        if self.started_at is not None:
            stage, message = self.kernel.random.choice(FAILURE_TEXTS)
            properties = {"strategy_id": self.profile.strategy_id, "stage": stage, "message": message}
            self.kernel.emit("strategy.error", properties, user_id=self.account.user_id)

    def breaks(self, share: float) -> Process:
        """Stop now and then, and come back."""
        while True:
            yield self.kernel.steady_gap(share)
            self.stop(self.kernel.random.choice(REASONS_TO_STOP))
            yield self.kernel.gap(share * 20)
            if self.started_at is None:
                self.start()

    def _held(self, market: Market) -> int:
        return self.account.held((self.profile.strategy_id, market.symbol.name))

    def _signal(self, idea: Idea) -> None:
        signal_id = f"sig-{token(self.kernel.random)}"
        properties = {"signal_id": signal_id, "strategy_id": self.profile.strategy_id} | idea.properties()
        self.kernel.emit("signal.generated", properties, user_id=self.account.user_id)
        self.kernel.start(self._check(idea, signal_id), after=self.kernel.random.randrange(300, 3 * MILLISECOND))

    def _check(self, idea: Idea, signal_id: str) -> Process:
        """The risk check, a moment later: pass the signal on as an order, or refuse it."""
        refusal = self._refusal(idea)
        if refusal is None:
            self.exchange.submit(order_for(idea, self.account, self.profile.strategy_id))
        else:
            properties = {
                "signal_id": signal_id,
                "strategy_id": self.profile.strategy_id,
                "symbol": idea.market.symbol.name,
                "reason": refusal,
            }
            self.kernel.emit("signal.rejected", properties, user_id=self.account.user_id)
        yield from ()

    def _refusal(self, idea: Idea) -> str | None:
        if self.started_at is None:
            return "strategy_stopped"
        held = self._held(idea.market)
        enlarges = held == 0 or (held > 0) == idea.buys
        if enlarges and idea.market.symbol.money(idea.market.last, abs(held) + idea.lots) > POSITION_LIMIT:
            return "position_limit"
        if self.kernel.random.random() < REFUSED:
            return self.kernel.random.choice(OTHER_REFUSALS)
        return None


def hire(accounts: dict[str, Account], markets: list[Market], kernel: Kernel, exchange: Exchange) -> list[Strategy]:
    """Start every strategy, one after another in the first second."""
    strategies = []
    for number, profile in enumerate(PROFILES):
        strategy = Strategy(profile, accounts[profile.owner], markets, kernel, exchange)
        kernel.start(_start(strategy), after=number * SECOND // 8)
        kernel.repeat(strategy.think, SIGNALS * profile.share)
        kernel.repeat(strategy.fail, FAILURES / len(PROFILES), steady=True)
        kernel.start(strategy.breaks(BREAKS / len(PROFILES)))
        strategies.append(strategy)
    return strategies


def _start(strategy: Strategy) -> Process:
    strategy.start()
    yield from ()
