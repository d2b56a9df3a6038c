"""Events as producers send them, and records as Kafka gives them."""

import json
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import factory

from events.records import KafkaBatch, Record, Stretch


def now_ms() -> int:
    return round(datetime.now(UTC).timestamp() * 1000)


class EventFactory(factory.DictFactory):  # type: ignore[misc]
    """One event of a minute ago; `event(id=None)` leaves a key out."""

    id = factory.LazyFunction(lambda: str(uuid4()))
    event_type = "order.placed"
    user_id = factory.Sequence(lambda n: f"user-{n % 10}")
    session_id = factory.Sequence(lambda n: f"session-{n % 10}")
    timestamp = factory.LazyFunction(lambda: (datetime.now(UTC) - timedelta(minutes=1)).isoformat())
    properties = factory.Sequence(lambda n: {"symbol": "BTCUSDT", "price": 50_000.5, "n": n})


def event(**fields: Any) -> dict[str, Any]:
    return {name: value for name, value in EventFactory(**fields).items() if value is not None}


def raw(**fields: Any) -> bytes:
    """An event as the bytes of a record."""
    return json.dumps(event(**fields)).encode()


def record(offset: int, value: bytes | None = None, **fields: Any) -> Record:
    return Record(value if value is not None else raw(**fields), now_ms(), offset)


def batch(stretch: Stretch, records: Sequence[Record], lo: int | None = None, hi: int | None = None) -> KafkaBatch:
    """A batch of these records, covering [lo, hi) or else just them."""
    records = list(records)
    return KafkaBatch(
        stretch,
        records[0].offset if lo is None else lo,
        records[-1].offset + 1 if hi is None else hi,
        records,
    )
