"""The built-in event types of B25, as data: which properties they carry and where they travel.

Nothing is checked here; validation and adapters read this table. Properties beyond those named are
allowed in every type, and so are types that are not in it.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Literal

TRADING_EVENTS = "trading.events"
MARKET_DATA = "market.data"
ORDER_EVENTS = "order.events"
USER_ACTIONS = "user.actions"

_TOPIC_OF_PREFIX = {"order": ORDER_EVENTS, "market": MARKET_DATA, "user": USER_ACTIONS}
_TOPIC_OF_TYPE = dict.fromkeys(("page.view", "button.click", "web.vital"), USER_ACTIONS)


class Kind(StrEnum):
    """What a property's JSON value is."""

    TEXT = "text"
    IDENTIFIER = "identifier"  # a string or an integer
    DECIMAL = "decimal"  # a JSON number or a decimal in a string
    INTEGER = "integer"
    BOOLEAN = "boolean"
    TIME = "time"  # RFC 3339
    TEXTS = "texts"  # an array of strings
    OBJECT = "object"


@dataclass(frozen=True)
class EventType:
    """One type. `aliases` lead from what older producers write to the name used here."""

    name: str
    required: Mapping[str, Kind]
    optional: Mapping[str, Kind]
    aliases: Mapping[str, str] = field(default_factory=dict)
    # The field of the envelope without which the event says nothing.
    identified_by: Literal["user_id", "session_id"] | None = None

    @property
    def topic(self) -> str:
        return topic_of(self.name)


def topic_of(event_type: str) -> str:
    """Which Kafka topic carries a type, known here or not."""
    prefix = event_type.partition(".")[0]
    return _TOPIC_OF_TYPE.get(event_type) or _TOPIC_OF_PREFIX.get(prefix, TRADING_EVENTS)


def _kinds(**names_of_kind: str) -> dict[str, Kind]:
    """`text="symbol side", decimal="price"` -> {"symbol": TEXT, "side": TEXT, "price": DECIMAL}."""
    return {name: Kind(kind) for kind, names in names_of_kind.items() for name in names.split()}


# Allowed values of the properties that have a fixed set of them, wherever they occur.
CHOICES: Mapping[str, frozenset[str]] = {
    name: frozenset(values.split())
    for name, values in {
        "order_type": "MARKET LIMIT STOP_MARKET STOP_LIMIT POST_ONLY",
        "time_in_force": "GTC IOC FOK GTX",
        "status": "NEW SUBMITTED PARTIALLY_FILLED FILLED CANCELED REJECTED EXPIRED UNKNOWN",
        "reject_source": "validation risk exchange",
        "strategy_type": "momentum market_making scalping arbitrage mean_reversion",
        "severity": "INFO WARNING CRITICAL EMERGENCY",
        "policy_type": "hard soft emergency",
        "config_type": "strategy risk_limit trading_pair system",
    }.items()
}

_ORDER = _kinds(identifier="order_id", text="symbol side order_type", decimal="quantity")
_ORDER_OPTIONAL = _kinds(
    identifier="client_order_id exchange_order_id",
    text="time_in_force status strategy_id",
    decimal="price stop_price filled_quantity remaining_quantity avg_fill_price",
    boolean="reduce_only post_only",
)
_FILL_OPTIONAL = _kinds(
    identifier="fill_id trade_id",
    text="commission_asset",
    decimal="last_fill_quantity last_fill_price commission realized_pnl notional",
    boolean="is_maker",
)
_ORDER_ALIASES = {"type": "order_type", "state": "status", "average_price": "avg_fill_price"}
_FILL_ALIASES = _ORDER_ALIASES | {
    "fee": "commission",
    "fee_asset": "commission_asset",
    "fee_currency": "commission_asset",
    "pnl": "realized_pnl",
}
_PARTLY_FILLED = _ORDER | _kinds(decimal="filled_quantity avg_fill_price")
# A fill alone, without its order, is enough: older producers send no more than these.
_FILLED = _kinds(text="symbol side", decimal="price quantity")

_POSITION = _kinds(text="symbol side", decimal="quantity entry_price")
_POSITION_OPTIONAL = _kinds(text="position_id strategy_id", decimal="leverage margin notional")
_POSITION_ALIASES = {"avg_entry_price": "entry_price"}
_MARK_ALIASES = _POSITION_ALIASES | {"current_price": "mark_price"}
_POSITION_MARKED = _kinds(decimal="mark_price unrealized_pnl realized_pnl liquidation_price")
_CLOSED = _kinds(text="symbol", decimal="quantity exit_price realized_pnl")
_CLOSED_OPTIONAL = _POSITION_OPTIONAL | _kinds(
    text="side close_reason", decimal="entry_price total_fees holding_time_s"
)

_STRATEGY_OPTIONAL = _kinds(text="strategy_name strategy_type mode", texts="symbols", object="parameters")
_STOPPED_OPTIONAL = _kinds(text="strategy_name reason", decimal="uptime_s total_pnl", integer="total_trades")
_SIGNAL = _kinds(text="strategy_id symbol side", decimal="quantity")
_SIGNAL_OPTIONAL = _kinds(
    identifier="signal_id",
    text="order_type time_in_force",
    decimal="price stop_price max_slippage strength",
    integer="priority",
    object="metadata",
)
_SIGNAL_ALIASES = {"id": "signal_id", "strategy": "strategy_id"}

_BALANCE_OPTIONAL = _kinds(
    text="reason reference_id", decimal="free locked usd_value amount balance_before balance_after"
)
_PNL_OPTIONAL = _kinds(
    decimal="realized_pnl unrealized_pnl total_fees net_pnl win_rate_pct avg_win avg_loss profit_factor equity",
    integer="total_trades winning_trades losing_trades",
)
_QUOTE_OPTIONAL = _kinds(
    decimal="last_price mid_price bid_price ask_price bid_size ask_size spread spread_bps"
    " volume quote_volume open high low close",
    integer="sequence",
    text="kind",
)
_BOOK_OPTIONAL = _kinds(
    integer="last_update_id",
    decimal="best_bid best_bid_size best_ask best_ask_size bid_depth ask_depth imbalance spread_bps",
)
_RISK_OPTIONAL = _kinds(
    decimal="margin_ratio leverage drawdown_daily drawdown_max daily_pnl unrealized_pnl total_equity total_margin_used",
    object="position_concentration",
    integer="open_positions pending_orders",
)
_ALERT_OPTIONAL = _kinds(text="symbol metric policy_id policy_name policy_type", decimal="value threshold")
_ALERT_ALIASES = {"type": "alert_type", "level": "severity", "metric_value": "value", "threshold_value": "threshold"}
_LOGIN_OPTIONAL = _kinds(text="method ip user_agent failure_reason", boolean="success")
_LOGOUT_OPTIONAL = _kinds(text="reason", decimal="session_duration_s")
_VIEW_OPTIONAL = _kinds(text="title referrer viewport", decimal="load_time_ms")
_LATENCY = _kinds(decimal="latency_ms")

_TYPES = (
    EventType("order.placed", _ORDER, _ORDER_OPTIONAL | _LATENCY | _kinds(time="created_at"), _ORDER_ALIASES),
    EventType("order.partially_filled", _PARTLY_FILLED, _ORDER_OPTIONAL | _FILL_OPTIONAL, _FILL_ALIASES),
    EventType("order.filled", _FILLED, _ORDER | _ORDER_OPTIONAL | _FILL_OPTIONAL, _FILL_ALIASES),
    EventType("order.canceled", _ORDER, _ORDER_OPTIONAL | _LATENCY | _kinds(text="cancel_reason"), _ORDER_ALIASES),
    EventType(
        "order.rejected",
        _ORDER | _kinds(text="reject_reason"),
        _ORDER_OPTIONAL | _kinds(text="reject_source"),
        _ORDER_ALIASES,
    ),
    EventType("order.expired", _ORDER, _ORDER_OPTIONAL, _ORDER_ALIASES),
    EventType("strategy.started", _kinds(text="strategy_id"), _STRATEGY_OPTIONAL),
    EventType("strategy.stopped", _kinds(text="strategy_id"), _STOPPED_OPTIONAL),
    EventType("strategy.error", _kinds(text="strategy_id message"), _kinds(text="stage")),
    EventType("signal.generated", _SIGNAL, _SIGNAL_OPTIONAL, _SIGNAL_ALIASES),
    EventType(
        "signal.rejected", _kinds(text="strategy_id symbol reason"), _kinds(identifier="signal_id"), _SIGNAL_ALIASES
    ),
    EventType("position.opened", _POSITION, _POSITION_OPTIONAL, _POSITION_ALIASES),
    EventType("position.updated", _POSITION, _POSITION_OPTIONAL | _POSITION_MARKED, _MARK_ALIASES),
    EventType("position.closed", _CLOSED, _CLOSED_OPTIONAL, _POSITION_ALIASES),
    EventType("balance.updated", _kinds(text="asset", decimal="total"), _BALANCE_OPTIONAL),
    EventType("pnl.snapshot", _kinds(decimal="total_pnl"), _PNL_OPTIONAL),
    EventType("market.data.update", _kinds(text="symbol"), _QUOTE_OPTIONAL),
    EventType(
        "market.trade",
        _kinds(text="symbol", identifier="trade_id", decimal="price quantity"),
        _kinds(boolean="is_buyer_maker", text="taker_side"),
    ),
    EventType("market.orderbook", _kinds(text="symbol"), _BOOK_OPTIONAL),
    EventType("alert.triggered", _kinds(text="alert_type severity message"), _ALERT_OPTIONAL, _ALERT_ALIASES),
    EventType("risk.emergency_stop", _kinds(text="reason"), _kinds(text="triggered_by")),
    EventType("risk.metrics", {}, _RISK_OPTIONAL),
    EventType("config.updated", _kinds(text="key config_type action"), _kinds(integer="version")),
    EventType("user.login", {}, _LOGIN_OPTIONAL, identified_by="user_id"),
    EventType("user.logout", {}, _LOGOUT_OPTIONAL, identified_by="user_id"),
    EventType("page.view", _kinds(text="path"), _VIEW_OPTIONAL, {"page": "path"}, identified_by="session_id"),
    EventType(
        "button.click",
        _kinds(text="element_id"),
        _kinds(text="label path action"),
        {"button": "element_id"},
        identified_by="session_id",
    ),
    EventType("web.vital", _kinds(text="metric", decimal="value"), {}),
)

EVENT_TYPES: Mapping[str, EventType] = {event_type.name: event_type for event_type in _TYPES}
