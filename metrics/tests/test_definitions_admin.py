from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.db import connection
from django.test import Client

from events.tests.api import ago, store
from events.tests.test_admin import text
from metrics.definitions.models import MetricDefinition
from metrics.models import MetricSeries, RollupDrift, RollupMark
from metrics.rollups import engine
from metrics.tests.factories import define

pytestmark = pytest.mark.django_db

DEFINITIONS = "/admin/metrics/metricdefinition/"
DRIFT = "/admin/metrics/rollupdrift/"
FIELDS = {
    "project_id": "1",
    "name": "desk.slippage",
    "event_types": "order.filled\r\norder.partially_*\r\n",
    "value_property": "slippage_bps",
    "filters": '{"side": "BUY"}',
    "dimensions": "symbol",
    "description": "",
    "unit": "bps",
    "default_aggregation": "",
    "max_series": "50",
    "active": "on",
}


def act(client: Client, action: str, *rows: Any, path: str = DEFINITIONS) -> Any:
    chosen = {"action": action, "_selected_action": [row.pk for row in rows]}
    return client.post(path, chosen, follow=True)


def test_a_metric_is_defined(admin_client: Client) -> None:
    assert admin_client.post(f"{DEFINITIONS}add/", FIELDS).status_code == 302

    definition = MetricDefinition.objects.get()
    assert (definition.event_types, definition.dimensions) == (["order.filled", "order.partially_*"], ["symbol"])
    assert (definition.filters, definition.default_aggregation) == ({"side": "BUY"}, "avg")
    assert definition.complete_from is not None


@pytest.mark.parametrize(
    ("field", "value", "told"),
    [
        ("name", "Desk", "lowercase"),
        ("name", "trading.signals", "taken by the service"),
        ("event_types", "a?", "not allowed"),
        ("dimensions", "a\nb\nc\nd\ne\nf", "at most 5"),
        ("filters", "{", "valid JSON"),
        ("filters", "[]", "must be an object"),
        ("filters", '{"side": 5}', "must be text"),
        ("max_series", "0", "1 to 1000"),
        ("max_series", "", "required"),
        ("project_id", "77", "valid choice"),
    ],
)
def test_what_is_wrong_is_told_at_its_field(admin_client: Client, field: str, value: str, told: str) -> None:
    page = text(admin_client.post(f"{DEFINITIONS}add/", FIELDS | {field: value}))

    assert "errorlist" in page
    assert told in page
    assert not MetricDefinition.objects.exists()


def test_a_name_is_taken_once(admin_client: Client) -> None:
    define()

    assert "has a metric of this name" in text(admin_client.post(f"{DEFINITIONS}add/", FIELDS))


def test_only_what_keeps_the_meaning_can_be_changed(admin_client: Client) -> None:
    definition = define()

    changed = FIELDS | {"name": "other", "dimensions": "side", "unit": "points", "max_series": "3"}
    assert admin_client.post(f"{DEFINITIONS}{definition.pk}/change/", changed).status_code == 302

    definition.refresh_from_db()
    assert (definition.name, definition.dimensions) == ("desk.slippage", ["symbol"])
    assert (definition.unit, definition.max_series) == ("points", 3)
    assert 'name="dimensions"' not in text(admin_client.get(f"{DEFINITIONS}{definition.pk}/change/"))


def test_the_list_tells_series_skipped_and_other(admin_client: Client) -> None:
    define(max_series=1)
    for symbol, value in [("A", 1), ("A", "much"), ("B", 2), ("C", 3), ("A", None)]:
        properties = {"symbol": symbol, "slippage_bps": value}
        store(admin_client, {"event_type": "order.filled", "timestamp": ago(hours=3), "properties": properties})
    engine.roll_up()

    page = text(admin_client.get(DEFINITIONS))

    assert MetricSeries.objects.filter(metric_name="desk.slippage").count() == 1
    assert 'class="field-series">1 of 1<' in page
    assert 'class="field-skipped">2<' in page
    assert 'class="field-other">2<' in page


def test_the_definitions_of_one_project_are_listed(admin_client: Client) -> None:
    define(name="theirs", project_id=2)

    assert "theirs" not in text(admin_client.get(DEFINITIONS))


def test_a_backfill_is_asked_for(admin_client: Client) -> None:
    active, inactive = define(), define("gone", active=False)

    page = text(act(admin_client, "backfill_selected", active, inactive))

    assert "1 to be backfilled" in page
    assert "1 inactive" in page
    waiting = MetricDefinition.objects.exclude(backfill_before=None)
    assert [definition.name for definition in waiting] == ["desk.slippage"]


def test_switching_off_and_on_again_backfills(admin_client: Client) -> None:
    definition = define()
    act(admin_client, "deactivate_selected", definition)
    assert not MetricDefinition.objects.filter(active=True).exists()

    admin_client.post(f"{DEFINITIONS}{definition.pk}/change/", FIELDS)

    assert MetricDefinition.objects.filter(active=True, backfill_before__isnull=False).exists()


def test_nothing_is_deleted(admin_client: Client) -> None:
    definition = define()

    assert admin_client.post(f"{DEFINITIONS}{definition.pk}/delete/", {"post": "yes"}).status_code == 403


def test_drift_is_shown_and_can_be_taken_for_resolved(admin_client: Client) -> None:
    noon = datetime.now(UTC) - timedelta(days=1)
    entry = RollupDrift.objects.create(
        project_id=1, metric_name="desk.x", interval="1h", time_bucket=noon, stored={"sum": "5"}, recounted={"sum": "4"}
    )

    assert "desk.x" in text(admin_client.get(DRIFT))
    assert "1 resolved" in text(act(admin_client, "resolve_selected", entry, path=DRIFT))

    assert "desk.x" not in text(admin_client.get(DRIFT))
    assert "desk.x" in text(admin_client.get(DRIFT, {"state": "resolved"}))
    assert "desk.x" in text(admin_client.get(f"{DRIFT}{entry.pk}/change/"))


def test_marks_and_progress_are_shown(admin_client: Client) -> None:
    engine.roll_up()
    with connection.cursor() as cursor:
        cursor.execute("INSERT INTO rollup_progress VALUES ('1d', now() - interval '3 days') ON CONFLICT DO NOTHING")
    RollupMark.objects.create(project_id=1, metric_name="desk.x", interval="1d", time_bucket=datetime.now(UTC))

    assert "desk.x" in text(admin_client.get("/admin/metrics/rollupmark/"))
    page = text(admin_client.get("/admin/metrics/rollupprogress/"))
    assert page.index(">Minute<") < page.index(">Day<")
    assert 'class="field-waiting">1<' in page
