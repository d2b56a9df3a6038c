"""Fixtures of the tests of metrics."""

import pytest
from django.core.cache import cache

from metrics.cache import Shelf


@pytest.fixture(autouse=True)
def _nothing_cached() -> None:
    """What a test rolls back, its versions among it, comes again with other data."""
    cache.clear()
    Shelf.near.clear()
