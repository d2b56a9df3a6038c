"""Pipelines for tests, and a database that is as empty after each test as before it."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from metrics.tests.committed import _django_db_helper
from tests.pipeline import Pipeline

# Processes see nothing of a transaction: the mark `django_db` means real commits here.
__all__ = ["_django_db_helper"]


@pytest.fixture
def make_pipeline(_django_db_helper: None, tmp_path: Path) -> Iterator[Callable[..., Pipeline]]:
    with ExitStack() as stack:

        def make(**settings: object) -> Pipeline:
            folder = tmp_path / str(len(list(tmp_path.iterdir())))
            folder.mkdir()
            return stack.enter_context(Pipeline(folder, **settings))  # type: ignore[arg-type]

        yield make


@pytest.fixture
def pipeline(make_pipeline: Callable[..., Pipeline]) -> Pipeline:
    """One topic of two Kafka partitions; the test starts the processes it wants."""
    return make_pipeline()
