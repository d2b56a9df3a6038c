"""A few events go in by one statement; what is stored, marked and counted does not tell."""

from datetime import UTC, datetime
from typing import Any

import pytest
from django.db import DatabaseError, connection, transaction

from events import accounting, copying, few
from events.models import Event, IngestBatch, TouchedBucket
from events.store import store_http
from events.tests.factories import event, raw

pytestmark = pytest.mark.django_db

TRIGGER = """
CREATE FUNCTION stop() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN {body}; RETURN NULL; END $$;
CREATE TRIGGER stop BEFORE INSERT ON {table} FOR EACH STATEMENT EXECUTE FUNCTION stop();
"""


def run(statement: str) -> Any:
    with connection.cursor() as cursor:
        cursor.execute(statement)
        return cursor.fetchall() if cursor.description else None


def prepared() -> int:
    return int(run("SELECT count(*) FROM pg_prepared_statements WHERE statement LIKE '%json_to_recordset%'")[0][0])


def rows_of_all() -> list[int]:
    return [model.objects.count() for model in (Event, TouchedBucket, IngestBatch)]


@pytest.mark.parametrize("count", [1, few.MOST])
def test_a_few_need_neither_copy_nor_planning(count: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(copying, "_copy")

    outcomes = store_http([raw() for _ in range(count)]) + store_http([raw() for _ in range(count)])

    assert [outcome.status for outcome in outcomes] == ["stored"] * (2 * count)
    assert Event.objects.count() == 2 * count
    assert prepared() == 1


def test_a_stream_of_known_events_prepares_nothing_that_stays() -> None:
    known = raw()
    store_http([known])

    outcomes = [store_http([known])[0] for _ in range(5)]

    assert {outcome.status for outcome in outcomes} == {"duplicate"}
    assert prepared() == 0


@pytest.mark.parametrize("count", [4, few.MOST + 1])
def test_marks_and_figures_are_those_of_any_batch(count: int) -> None:
    day = event()["timestamp"][:10]
    times = [f"{day}T00:00:00Z", f"{day}T00:00:59.999999Z", f"{day}T02:01:00+02:00"]
    bodies = [raw(event_type=f"type {n % 2}", timestamp=times[n % 3]) for n in range(count - 1)]

    store_http([*bodies, raw(event_type="type 1", timestamp=times[1])])

    marks = {(mark.project_id, mark.event_type, f"{mark.bucket:%H:%M:%S}") for mark in TouchedBucket.objects.all()}
    assert {(1, "type 0", "00:00:00"), (1, "type 1", "00:00:00"), (1, "type 0", "00:01:00")} <= marks
    assert TouchedBucket.objects.count() == len(marks)
    report = accounting.report(datetime(2020, 1, 1, tzinfo=UTC), datetime(2100, 1, 1, tzinfo=UTC))
    assert report == [accounting.ReportLine("http", None, 1, count, count, 0, 0, 0)]


def test_the_figures_have_the_time_that_storing_took() -> None:
    run(TRIGGER.format(table="events", body="PERFORM pg_sleep(0.05)"))

    store_http([raw()])

    assert 50 <= IngestBatch.objects.get().duration_ms < 5000


@pytest.mark.parametrize("table", ["events", "touched_buckets", "ingest_batches"])
def test_all_of_a_few_or_nothing(table: str) -> None:
    run(TRIGGER.format(table=table, body="RAISE 'broken'"))

    with pytest.raises(DatabaseError):
        store_http([raw(), raw()])

    assert rows_of_all() == [0, 0, 0]


def test_a_known_event_among_a_few_costs_no_other_and_no_transaction() -> None:
    known = raw()
    with transaction.atomic():
        outcomes = store_http([known]) + store_http([raw(), known, raw()])

    assert [outcome.status for outcome in outcomes] == ["stored", "stored", "duplicate", "stored"]
    assert rows_of_all() == [3, TouchedBucket.objects.count(), 2]
