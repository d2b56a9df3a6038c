"""A stretch of the simulated stream for tests, generated once, and its properties as decimals."""

from decimal import Decimal
from functools import cache
from itertools import islice
from typing import Any

from events.simulation import World

START = 1_764_000_000_000_000  # 2025-11-24T16:00:00Z
# Enough for the rarest type, which comes once in 12,000 events.
EVENTS = 30_000


def world(*, seed: int = 7, rate: float = 200.0) -> World:
    return World(seed=seed, start=START, rate=rate, symbols=("BTCUSDT", "ETHUSDT", "SOLUSDT", "PEPEUSDC"))


@cache
def stream(count: int = EVENTS, *, seed: int = 7, rate: float = 200.0) -> tuple[dict[str, Any], ...]:
    """Read only: every test gets the same objects."""
    return tuple(event.envelope for event in islice(world(seed=seed, rate=rate).events(), count))


def of_type(*event_types: str) -> list[dict[str, Any]]:
    return [event for event in stream() if event["event_type"] in event_types]


def number(value: Any) -> Decimal:
    """A JSON number or a decimal in a string, digit by digit."""
    return Decimal(repr(value)) if isinstance(value, float) else Decimal(value)
