"""Fixtures that tests of every app share."""

from collections.abc import Callable, Iterator
from functools import reduce
from typing import Any
from uuid import uuid4

import pytest
from hypothesis import HealthCheck
from hypothesis import settings as hypothesis_settings
from pydantic import BaseModel
from pytest_django import Settings

from events import ledger, partitions
from events.records import Stretch

# How fast a shared machine is at the moment says nothing about the code.
hypothesis_settings.register_profile(
    "b25", deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture]
)
hypothesis_settings.load_profile("b25")


@pytest.fixture(autouse=True)
def _no_partitions_known() -> Iterator[None]:
    """A test that is rolled back takes its partitions along, but not what the process knows of them."""
    partitions.forget()
    yield
    partitions.forget()


@pytest.fixture
def stretch(db: None) -> Stretch:
    """A Kafka partition that the ledger reads from offset 0."""
    stretch = Stretch("trading.events", 0, uuid4())
    ledger.open_entry(stretch, 0)
    return stretch


@pytest.fixture
def configure(settings: Settings) -> Callable[[str, Any], None]:
    """Change one value of the configuration for a test: `configure("analytics.query.max_limit", 5)`."""

    def change(key: str, value: Any) -> None:
        *sections, field = key.split(".")
        parts: list[BaseModel] = [settings.CONFIG]
        for section in sections:
            parts.append(getattr(parts[-1], section))
        names = [field, *reversed(sections)]
        changes = zip(names, reversed(parts), strict=True)
        settings.CONFIG = reduce(lambda new, at: at[1].model_copy(update={at[0]: new}), changes, value)

    return change
