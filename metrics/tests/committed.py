"""The database with real commits, for tests of the rollups; emptied afterwards. See `events.tests.committed`."""

from collections.abc import Iterator

import pytest
from django.db import connection
from pytest_django import DjangoDbBlocker

from events import partitions
from events.tests import committed
from metrics import catalogue

TABLES = (
    f"{committed.TABLES}, metric_aggregations, metric_series, metric_definitions, rollup_marks, rollup_progress,"
    " rollup_versions, rollup_seal, rollup_drift, unique_users"
)


@pytest.fixture
def _django_db_helper(django_db_setup: None, django_db_blocker: DjangoDbBlocker) -> Iterator[None]:
    with django_db_blocker.unblock():
        catalogue.forget()
        before = set(partitions.existing())
        yield
        with connection.cursor() as cursor:
            cursor.execute(f"TRUNCATE {TABLES}")
            for day in set(partitions.existing()) - before:
                cursor.execute(f"DROP TABLE {partitions.name_of(day)}")
        catalogue.forget()
        connection.close()
