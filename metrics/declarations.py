"""What a metric is, as data: which events, which number of each, by which dimensions. One engine computes them all."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from functools import lru_cache
from typing import Literal


class Aggregation(StrEnum):
    """What may be asked of a metric; `rate` is its count, or its sum, per second."""

    COUNT = "count"
    SUM = "sum"
    AVG = "avg"
    MIN = "min"
    MAX = "max"
    P50 = "p50"
    P95 = "p95"
    P99 = "p99"
    STDDEV = "stddev"
    RATE = "rate"
    UNIQUE = "unique"


@dataclass(frozen=True)
class Product:
    """Properties that are multiplied, one or more, of events of the type `of` only."""

    properties: tuple[str, ...]
    of: str = ""


@dataclass(frozen=True)
class Value:
    """Where the number of an event comes from: the first product whose factors it all has.

    A factor may be a JSON number or a decimal in a string; an event that has no number is counted as skipped.
    """

    products: tuple[Product, ...] = ()
    # A fixed number of each event in place of its properties: `lag`, seconds from its time to its storing.
    special: Literal["", "lag"] = ""


LAG = Value(special="lag")


@dataclass(frozen=True)
class Metric:
    """A declared metric. Without a `value` its events are counted, and its sum is their number.

    `shares` makes it a share in percent: events of these types add 100 to its sum and nothing to its count, the
    others add one to its count; so `avg` is the share, in each bucket and over any number of them.
    """

    name: str
    event_types: tuple[str, ...]
    value: Value | None = None
    dimensions: tuple[str, ...] = ()
    filters: Mapping[str, str] = field(default_factory=dict)
    unit: str = ""
    default: Aggregation = Aggregation.COUNT
    shares: tuple[str, ...] = ()
    max_series: int = 1000
    description: str = ""
    # Whether first and last are kept, which costs the sorting of a bucket's values.
    ends: bool = True
    # Metrics whose counts explain this one's values, by the name that they have in the answer.
    parts: Mapping[str, str] = field(default_factory=dict)

    @property
    def has_patterns(self) -> bool:
        """Whether a `*` in its event types stands for any text. Not in a count: a type is free text, stars included."""
        return not self.name.startswith(COUNT_PREFIX) and any("*" in event_type for event_type in self.event_types)

    def takes(self, event_type: str) -> bool:
        """Whether events of this type count."""
        if not self.has_patterns:
            return event_type in self.event_types
        return any(_matches(pattern, event_type) for pattern in self.event_types)


def _matches(pattern: str, event_type: str) -> bool:
    """`*` stands for any text; all else, brackets and question marks too, for itself."""
    return pattern == event_type if "*" not in pattern else _compiled(pattern).fullmatch(event_type) is not None


@lru_cache(maxsize=10_000)
def _compiled(pattern: str) -> re.Pattern[str]:
    return re.compile(".*".join(map(re.escape, pattern.split("*"))), re.DOTALL)


COUNT_PREFIX = "events.count."
# Kept in a table of its own, since users do not add up.
UNIQUE_USERS = "users.unique"
TRADING_DIMENSIONS = ("symbol", "strategy_id", "side")
FILLS = ("order.filled", "order.partially_filled")


def count_of(event_type: str) -> Metric:
    """Every event type that was ever seen has this metric."""
    return Metric(
        name=f"{COUNT_PREFIX}{event_type}",
        event_types=(event_type,),
        dimensions=TRADING_DIMENSIONS,
        unit="events",
        description=f"Events of type {event_type}.",
    )


BUILT_IN = (
    Metric(
        name="trading.order_fill_rate",
        event_types=("order.placed", "order.filled"),
        shares=("order.filled",),
        dimensions=TRADING_DIMENSIONS,
        unit="percent",
        default=Aggregation.AVG,
        description="Orders that were filled completely, for each 100 placed in the same time.",
        parts={
            "placed": f"{COUNT_PREFIX}order.placed",
            "filled": f"{COUNT_PREFIX}order.filled",
            "canceled": f"{COUNT_PREFIX}order.canceled",
        },
    ),
    Metric(
        name="trading.total_volume",
        event_types=FILLS,
        # The part that this event filled; of producers that tell only of whole orders, the whole.
        value=Value(
            (
                Product(("last_fill_quantity", "last_fill_price")),
                Product(("filled_quantity", "avg_fill_price"), of="order.filled"),
                Product(("filled_quantity", "average_price"), of="order.filled"),
                Product(("quantity", "price"), of="order.filled"),
            )
        ),
        dimensions=TRADING_DIMENSIONS,
        unit="quote currency",
        default=Aggregation.SUM,
        description="Price times quantity of fills.",
    ),
    Metric(
        name="trading.order_latency",
        event_types=("order.*",),
        value=Value((Product(("latency_ms",)),)),
        dimensions=TRADING_DIMENSIONS,
        unit="ms",
        default=Aggregation.P95,
        description="From sending an order to the exchange's answer.",
    ),
    Metric(
        name="trading.signals",
        event_types=("signal.generated",),
        dimensions=TRADING_DIMENSIONS,
        unit="signals",
        description="Signals of strategies.",
    ),
    Metric(
        name="trading.balance_total",
        event_types=("balance.updated",),
        value=Value((Product(("total",)),)),
        dimensions=("asset",),
        unit="of the asset",
        default=Aggregation.MAX,
        description="Balances as reported; `last` is the newest of a bucket.",
    ),
    Metric(
        name="ingestion.lag",
        event_types=("*",),
        value=LAG,
        ends=False,
        unit="s",
        default=Aggregation.P95,
        description="From the time of an event to its storing.",
    ),
    Metric(
        name=UNIQUE_USERS,
        event_types=("*",),
        unit="users",
        default=Aggregation.UNIQUE,
        description="Distinct user_id of all events; exact up to 1000 in a bucket, then within some 2 %.",
    ),
)
