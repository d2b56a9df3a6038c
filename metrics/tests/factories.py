"""Definitions of metrics for tests."""

from typing import Any

from metrics.definitions.models import MetricDefinition


def define(name: str = "desk.slippage", **fields: Any) -> MetricDefinition:
    """Slippage of fills by symbol, but for what is given; checked and saved as the admin does it."""
    usual: dict[str, Any] = {
        "event_types": ["order.filled"],
        "value_property": "slippage_bps",
        "dimensions": ["symbol"],
    }
    definition = MetricDefinition(name=name, **{**usual, "unit": "bps", **fields})
    definition.full_clean()
    definition.save()
    return definition
