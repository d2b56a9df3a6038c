"""What the rollups should be, added up in Python from the rows of `events`: written apart from the engine."""

import json
from collections import defaultdict
from collections.abc import Callable, Iterable
from datetime import UTC, datetime, timedelta
from decimal import Decimal, localcontext
from typing import Any, NamedTuple

from django.db import connection

LENGTHS = {
    "1m": timedelta(minutes=1),
    "5m": timedelta(minutes=5),
    "15m": timedelta(minutes=15),
    "1h": timedelta(hours=1),
    "1d": timedelta(days=1),
}
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
Key = tuple[str, str, datetime, str]  # metric, interval, bucket, dimensions
TRADING = ("symbol", "strategy_id", "side")
PRODUCTS = (
    ("last_fill_quantity", "last_fill_price"),
    ("filled_quantity", "avg_fill_price"),
    ("quantity", "price"),
)


class Fact(NamedTuple):
    """A stored event, its numbers as decimals."""

    at: datetime
    id: str
    type: str
    user: str | None
    properties: dict[str, Any]


def stored() -> list[Fact]:
    with connection.cursor() as cursor:
        cursor.execute('SELECT "timestamp", id::text, event_type, user_id, properties::text FROM events')
        rows = cursor.fetchall()
    return [
        Fact(at, id_, type_, user, json.loads(properties, parse_float=Decimal, parse_int=Decimal))
        for at, id_, type_, user, properties in rows
    ]


def bucket_of(moment: datetime, interval: str) -> datetime:
    return moment - (moment - EPOCH) % LENGTHS[interval]


def text_of(dimensions: dict[str, Any]) -> str:
    return json.dumps(dimensions, sort_keys=True)


def dimensions_of(fact: Fact, names: Iterable[str]) -> str:
    found = {name: fact.properties[name] for name in names if fact.properties.get(name) is not None}
    return text_of({name: str(value)[:200] for name, value in found.items()})


def number(value: Any) -> Decimal | None:
    if isinstance(value, str):
        try:
            value = Decimal(value)
        except ArithmeticError:
            return None
    return value if isinstance(value, Decimal) and value.is_finite() else None


def volume(fact: Fact) -> Decimal | None:
    for names in PRODUCTS if fact.type == "order.filled" else PRODUCTS[:1]:
        first, second = (number(fact.properties.get(name)) for name in names)
        if first is not None and second is not None:
            return first * second
    return None


def counts(facts: Iterable[Fact], interval: str) -> dict[Key, int]:
    """`events.count.…`, by trading dimensions."""
    result: dict[Key, int] = defaultdict(int)
    for fact in facts:
        name = f"events.count.{fact.type}"
        result[name, interval, bucket_of(fact.at, interval), dimensions_of(fact, TRADING)] += 1
    return dict(result)


def users(facts: Iterable[Fact], interval: str) -> dict[datetime, int]:
    """Distinct users."""
    found: dict[datetime, set[str]] = defaultdict(set)
    for fact in facts:
        if fact.user is not None:
            found[bucket_of(fact.at, interval)].add(fact.user)
    return {bucket: len(names) for bucket, names in found.items()}


def fill_rate(facts: Iterable[Fact], interval: str) -> dict[Key, tuple[int, int]]:
    """Orders placed, and a hundred times those filled."""
    found: dict[Key, list[int]] = defaultdict(lambda: [0, 0])
    for fact in facts:
        if fact.type in ("order.placed", "order.filled"):
            key = "trading.order_fill_rate", interval, bucket_of(fact.at, interval), dimensions_of(fact, TRADING)
            found[key][fact.type == "order.filled"] += 1
    return {key: (placed, 100 * filled) for key, (placed, filled) in found.items()}


def values(
    facts: Iterable[Fact],
    interval: str,
    metric: str,
    dimensions: Iterable[str],
    value: Callable[[Fact], Decimal | None],
) -> dict[Key, tuple[int, Decimal, Decimal | None, Decimal | None, Decimal | None, Decimal | None]]:
    """count, sum, min, max, first and last of a metric; `facts` are those of its types."""
    found: dict[Key, list[tuple[datetime, str, Decimal | None]]] = defaultdict(list)
    for fact in facts:
        key = metric, interval, bucket_of(fact.at, interval), dimensions_of(fact, dimensions)
        found[key].append((fact.at, fact.id, value(fact)))
    return {
        key: _totals([v for *_, v in sorted(rows, key=lambda row: row[:2]) if v is not None])
        for key, rows in found.items()
    }


def _totals(numbers: list[Decimal]) -> Any:
    if not numbers:
        return 0, Decimal(0), None, None, None, None
    with localcontext() as context:
        context.prec = 200
        return len(numbers), sum(numbers, Decimal(0)), min(numbers), max(numbers), numbers[0], numbers[-1]
