import time

import pytest
from django.db import connection, transaction
from django.test.utils import CaptureQueriesContext

from metrics import catalogue
from metrics.declarations import BUILT_IN, Aggregation, Product, Value
from metrics.definitions.models import MetricDefinition
from metrics.tests.committed import _django_db_helper  # noqa: F401 - in the place of pytest-django's own
from metrics.tests.factories import define

pytestmark = pytest.mark.django_db(transaction=True)


def names(project_id: int = 1) -> list[str]:
    return [metric.name for metric in catalogue.metrics_of(project_id)]


def test_built_in_metrics_come_first_and_then_the_projects_own() -> None:
    define("b.second")
    define("a.first")

    assert names() == [*(metric.name for metric in BUILT_IN), "a.first", "b.second"]


def test_a_definition_becomes_a_metric() -> None:
    define(filters={"side": "BUY"}, max_series=7, description="What a fill cost.")

    metric = catalogue.find(1, "desk.slippage")

    assert metric is not None
    assert (metric.event_types, metric.dimensions, metric.filters) == (("order.filled",), ("symbol",), {"side": "BUY"})
    assert (metric.value, metric.default) == (Value((Product(("slippage_bps",)),)), Aggregation.AVG)
    assert (metric.unit, metric.max_series, metric.description) == ("bps", 7, "What a fill cost.")


def test_a_definition_without_a_value_counts() -> None:
    define(value_property="")

    metric = catalogue.find(1, "desk.slippage")

    assert metric is not None
    assert (metric.value, metric.default) == (None, Aggregation.COUNT)


def test_definitions_of_other_projects_and_inactive_ones_are_unknown() -> None:
    define("theirs", project_id=2)
    define("gone", active=False)

    assert catalogue.find(1, "theirs") is None
    assert catalogue.find(1, "gone") is None
    assert catalogue.find(2, "theirs") is not None


def test_a_built_in_metric_wins_over_a_definition_of_its_name() -> None:
    MetricDefinition.objects.create(name="trading.signals", event_types=["x"])

    assert names().count("trading.signals") == 1
    assert catalogue.metrics_of(1)[-1].name == BUILT_IN[-1].name


def test_every_event_type_has_a_metric() -> None:
    metric = catalogue.find(1, "events.count.Order Placed")

    assert metric is not None
    assert metric.event_types == ("Order Placed",)


@pytest.mark.parametrize("name", ["events.count.", f"events.count.{'x' * 256}"])
def test_no_event_type_can_have_such_a_name(name: str) -> None:
    assert catalogue.find(1, name) is None


def test_the_database_is_asked_once_in_a_while() -> None:
    names()

    with CaptureQueriesContext(connection) as captured:
        names()
        names()

    assert len(captured) == 0


def test_what_another_process_changed_is_seen_later(monkeypatch: pytest.MonkeyPatch) -> None:
    definition = define()
    names()
    MetricDefinition.objects.filter(pk=definition.pk).update(active=False)
    assert "desk.slippage" in names()
    assert "desk.slippage" not in [metric.name for metric in catalogue.metrics_of(1, fresh=True)]

    now = time.monotonic()
    monkeypatch.setattr("metrics.catalogue.time.monotonic", lambda: now + 2 * catalogue.FRESH)

    assert "desk.slippage" not in names()


def test_what_is_rolled_back_was_never_known() -> None:
    names()
    with transaction.atomic():
        define()
        assert "desk.slippage" in names()
        transaction.set_rollback(True)

    assert "desk.slippage" not in names()


def test_what_is_committed_is_known_at_once() -> None:
    names()

    definition = define()
    assert "desk.slippage" in names()

    definition.delete()
    assert "desk.slippage" not in names()
