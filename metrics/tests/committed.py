"""The database with real commits, for tests of the rollups; emptied afterwards. See `events.tests.committed`."""

from collections.abc import Iterator

import pytest
from django.db import connection
from pytest_django import DjangoDbBlocker

from analytics_project.lib import partitioned
from events import partitions
from events.tests import committed
from metrics import catalogue
from metrics.models import Interval

TABLES = (
    f"{committed.TABLES}, metric_aggregations, metric_series, metric_definitions, rollup_marks, rollup_progress,"
    " rollup_versions, rollup_seal, rollup_drift, unique_users"
)


def leaves() -> set[str]:
    """The partitions of rollups, of all intervals."""
    parents = [f"metric_aggregations_{interval.value}" for interval in Interval]
    return {leaf.name for parent in parents for leaf in partitioned.attached(parent)}


@pytest.fixture
def _django_db_helper(django_db_setup: None, django_db_blocker: DjangoDbBlocker) -> Iterator[None]:
    with django_db_blocker.unblock():
        catalogue.forget()
        before, leaves_before = set(partitions.existing()), leaves()
        yield
        with connection.cursor() as cursor:
            cursor.execute(f"TRUNCATE {TABLES}")
            for day in set(partitions.existing()) - before:
                cursor.execute(f"DROP TABLE {partitions.name_of(day)}")
            for leaf in leaves() - leaves_before:
                cursor.execute(f"DROP TABLE {leaf}")
        catalogue.forget()
        connection.close()
