"""The database with real commits, for tests of several connections at once; emptied afterwards.

A module that imports the fixture has it in the place of pytest-django's own of that name, whose
flush would take the default project away from all later tests.
"""

from collections.abc import Iterator

import pytest
from django.db import connection
from pytest_django import DjangoDbBlocker

from events import partitions

TABLES = "events, kafka_ledger, ingest_gaps, dead_letters, touched_buckets, ingest_batches, assigned_timestamps"


@pytest.fixture
def _django_db_helper(django_db_setup: None, django_db_blocker: DjangoDbBlocker) -> Iterator[None]:
    with django_db_blocker.unblock():
        before = set(partitions.existing())
        yield
        with connection.cursor() as cursor:
            cursor.execute(f"TRUNCATE {TABLES}")
            for day in set(partitions.existing()) - before:
                cursor.execute(f"DROP TABLE {partitions.name_of(day)}")
        connection.close()
