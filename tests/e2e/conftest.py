"""Pipelines for tests, and a database that is as empty after each test as before it."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from django.db import connection
from pytest_django import DjangoDbBlocker

from events import partitions
from tests.pipeline import Pipeline

TABLES = "events, kafka_ledger, ingest_gaps, dead_letters, touched_buckets, ingest_batches, assigned_timestamps"


@pytest.fixture
def _django_db_helper(django_db_setup: None, django_db_blocker: DjangoDbBlocker) -> Iterator[None]:
    """What the mark `django_db` means here: the test database with commits, emptied afterwards.

    pytest-django's own ways are no use: other processes see nothing of a transaction, and the
    flush after a transactional test would take the default project away from all later tests.
    """
    with django_db_blocker.unblock():
        before = set(partitions.existing())
        yield
        with connection.cursor() as cursor:
            cursor.execute(f"TRUNCATE {TABLES}")
            for day in set(partitions.existing()) - before:
                cursor.execute(f"DROP TABLE {partitions.name_of(day)}")
        partitions.forget()
        connection.close()


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
