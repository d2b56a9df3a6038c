"""Those who watch: profits, risk figures, alerts, the emergency stop, funding, and configuration."""

from collections.abc import Sequence

from events.simulation.account import DEPOSIT, Account
from events.simulation.exchange import Exchange
from events.simulation.identity import token
from events.simulation.kernel import Kernel, Process, Properties
from events.simulation.market import next_day
from events.simulation.strategies import Strategy
from events.simulation.symbols import decimal_text

MARKS, SNAPSHOTS, METRICS = 0.02, 0.012, 0.012
ALERTS, FUNDINGS, CHANGES, EMERGENCIES = 1 / 350, 1 / 900, 1 / 1500, 1 / 12_000

# Policy, type of the alert, metric, kind of policy, severity, threshold.
POLICIES = (
    ("pol-leverage", "HIGH_LEVERAGE", "leverage", "soft", "WARNING", 3.0),
    ("pol-margin", "HIGH_MARGIN_RATIO", "margin_ratio", "soft", "WARNING", 12.0),
    ("pol-drawdown", "HIGH_DRAWDOWN", "drawdown_daily", "hard", "CRITICAL", 0.02),
    ("pol-drift", "POSITION_DRIFT", "position_drift", "soft", "INFO", 0.001),
    ("pol-balance", "LOW_BALANCE", "free_balance", "soft", "WARNING", 250_000.0),
)
SETTINGS = (
    ("strategies.mm-main.spread_bps", "strategy"),
    ("risk.max_leverage", "risk_limit"),
    ("pairs.SOLUSDT.enabled", "trading_pair"),
    ("system.log_level", "system"),
)


class Watch:
    """The account monitor, the risk manager and the configuration service."""

    def __init__(
        self, kernel: Kernel, accounts: Sequence[Account], strategies: Sequence[Strategy], exchange: Exchange
    ) -> None:
        self.kernel = kernel
        self.accounts = accounts
        self.strategies = strategies
        self.exchange = exchange
        self.versions = dict.fromkeys((key for key, _ in SETTINGS), 1)
        self.day_ends = 0
        kernel.repeat(self.mark, MARKS)
        kernel.repeat(self.snapshot, SNAPSHOTS)
        kernel.repeat(self.measure, METRICS)
        kernel.repeat(self.alert, ALERTS, steady=True)
        kernel.repeat(self.fund, FUNDINGS, steady=True)
        kernel.repeat(self.configure, CHANGES, steady=True)
        kernel.start(self.emergencies())

    def mark(self) -> None:
        account = self._account()
        if account.positions:
            account.mark(self.kernel.random.choice(list(account.positions.values())))

    def snapshot(self) -> None:
        account = self._account()
        won, lost = account.results.won, account.results.lost
        unrealized = account.unrealized()
        total = account.realized + unrealized
        properties: Properties = {
            "realized_pnl": decimal_text(account.realized),
            "unrealized_pnl": decimal_text(unrealized),
            "total_pnl": decimal_text(total),
            "total_fees": decimal_text(account.fees),
            "net_pnl": decimal_text(total - account.fees + account.funding),
            "total_trades": won + lost,
            "winning_trades": won,
            "losing_trades": lost,
            "equity": decimal_text(account.equity()),
        }
        if won and lost:
            properties |= {
                "win_rate_pct": round(100 * won / (won + lost), 4),
                "avg_win": decimal_text(account.results.gains // won),
                "avg_loss": decimal_text(account.results.losses // lost),
                "profit_factor": round(account.results.gains / max(1, account.results.losses), 6),
            }
        self.kernel.emit("pnl.snapshot", properties, user_id=account.user_id)

    def measure(self) -> None:
        account = self._account()
        equity, used, exposure = account.equity(), account.margin_used(), account.exposure()
        account.peak = max(account.peak, equity)
        if self.kernel.now >= self.day_ends:
            self.day_ends = next_day(self.kernel.now)
            for one in self.accounts:
                one.day_start = one.equity()
        concentration: dict[str, int] = {}
        for position in account.positions.values():
            name = position.symbol.name
            concentration[name] = concentration.get(name, 0) + position.value(account.markets[name].last)
        properties: Properties = {
            "leverage": round(exposure / equity, 6),
            "drawdown_daily": round(max(0, account.day_start - equity) / account.day_start, 6),
            "drawdown_max": round((account.peak - equity) / account.peak, 6),
            "daily_pnl": decimal_text(equity - account.day_start),
            "unrealized_pnl": decimal_text(account.unrealized()),
            "total_equity": decimal_text(equity),
            "total_margin_used": decimal_text(used),
            "position_concentration": {name: round(value / equity, 6) for name, value in concentration.items()},
            "open_positions": len(account.positions),
            "pending_orders": sum(order.account is account for order in self.exchange.working.values()),
        }
        if used:
            # Without margin in use there is no ratio, and no infinity either.
            properties["margin_ratio"] = round(equity / used, 4)
        self.kernel.emit("risk.metrics", properties, user_id=account.user_id)

    def alert(self) -> None:
        account = self._account()
        policy, alert_type, metric, kind, severity, threshold = self.kernel.random.choice(POLICIES)
        value = round(threshold * self.kernel.random.uniform(1.01, 1.6), 6)
        self.kernel.emit(
            "alert.triggered",
            {
                "alert_type": alert_type,
                "severity": severity,
                "message": f"{metric} is {value}, threshold {threshold}",
                "metric": metric,
                "value": str(value),
                "threshold": str(threshold),
                "policy_id": policy,
                "policy_name": policy.removeprefix("pol-").title(),
                "policy_type": kind,
            },
            user_id=account.user_id,
        )

    def fund(self) -> None:
        """Longs pay shorts, or the other way round; an account that runs low is filled up."""
        account = self._account()
        for position in list(account.positions.values()):
            rate = self.kernel.random.gauss(1, 0.8) / 100_000
            amount = int(position.cost * rate) * (-1 if position.long else 1)
            account.funding += amount
            reference = f"fund-{token(self.kernel.random, 48)}"
            account.change_balance(position.symbol.quote_asset, amount, "FUNDING", reference)
        for asset, balance in list(account.balances.items()):
            if balance < DEPOSIT // 2:
                account.change_balance(asset, DEPOSIT, "TRANSFER", f"dep-{token(self.kernel.random, 48)}")

    def configure(self) -> None:
        key, kind = self.kernel.random.choice(SETTINGS)
        self.versions[key] += 1
        properties = {"key": key, "config_type": kind, "action": "updated", "version": self.versions[key]}
        self.kernel.emit("config.updated", properties)

    def emergencies(self) -> Process:
        """Once in a long while everything stops, and an operator starts it again."""
        while True:
            yield self.kernel.steady_gap(EMERGENCIES)
            reason = self.kernel.random.choice(("drawdown_limit_breached", "exchange_unreachable", "operator_request"))
            self.kernel.emit("risk.emergency_stop", {"reason": reason, "triggered_by": "risk_monitor"})
            self.exchange.call_back("emergency_stop")
            for strategy in self.strategies:
                strategy.stop("emergency_stop")
            yield self.kernel.gap(1 / 60)
            for strategy in self.strategies:
                if strategy.started_at is None:
                    strategy.start()

    def _account(self) -> Account:
        return self.kernel.random.choice(self.accounts)
