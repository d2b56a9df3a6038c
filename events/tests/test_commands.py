"""The commands of an operator: what they print and how they end."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from io import StringIO
from typing import Any
from uuid import uuid4

import pytest
from django.core.management import CommandError, call_command
from django.db import connection

from events import ledger, partitions
from events.consumer.takeover import Offsets, take_over
from events.models import DeadLetter, Event, IngestBatch
from events.records import Stretch
from events.store import store_http, store_kafka
from events.tests.factories import batch, raw, record

pytestmark = pytest.mark.django_db


def run(*arguments: str) -> str:
    out = StringIO()
    call_command(*arguments, stdout=out, stderr=out)
    return out.getvalue()


def numbers(report: str, first: str) -> list[int]:
    line = next(line for line in report.splitlines() if line.startswith(first))
    return [int(word) for word in line.split() if word.isdigit()]


def test_the_report_accounts_for_every_record(stretch: Stretch) -> None:
    known = raw()
    store_http([known, b"broken", known])
    store_kafka(batch(stretch, [record(0), record(1, known)]))

    report = run("ingest_report")

    assert numbers(report, "http") == [1, 3, 1, 1, 1, 0]
    assert numbers(report, "kafka") == [1, 2, 1, 1, 0, 0]
    assert numbers(report, "total") == [2, 5, 2, 2, 1, 0]
    assert report.endswith("received = stored + duplicates + refused\n")


def test_the_report_of_another_window() -> None:
    store_http([raw()])

    report = run("ingest_report", "--start", "2020-01-01T00:00:00Z", "--end", "2020-01-02T00:00:00Z")

    assert report.startswith("2020-01-01T00:00:00+00:00 to 2020-01-02T00:00:00+00:00\n")
    assert numbers(report, "total") == [0] * 6


def test_a_report_that_does_not_balance_fails() -> None:
    store_http([raw()])
    IngestBatch.objects.update(stored=0)

    with pytest.raises(SystemExit) as end:
        run("ingest_report")

    assert end.value.code == 1


@pytest.mark.parametrize("text", ["yesterday", "2020-01-01", "2020-01-01T00:00:00", "1577836800"])
def test_a_report_of_no_time_is_refused(text: str) -> None:
    with pytest.raises((CommandError, SystemExit)):
        run("ingest_report", "--start", text)


def test_the_partitions_ahead_are_planned_and_made() -> None:
    today = datetime.now(UTC).date()
    for day in partitions.existing():
        with connection.cursor() as cursor:
            cursor.execute(f"DROP TABLE {partitions.name_of(day)}")

    plan = run("maintain_partitions", "--dry-run", "--days", "2")
    assert plan.count("create events_y") == 4
    assert partitions.existing() == []

    assert run("maintain_partitions", "--days", "2") == plan
    assert partitions.days_ahead(today) == 2
    assert run("maintain_partitions", "--days", "2") == "nothing to do\n"


def test_dead_letters_are_replayed_by_reason_or_number(configure: Callable[[str, Any], None]) -> None:
    configure("analytics.ingestion.max_keys", 2)
    store_http([raw(properties={"a": 1, "b": 2, "c": 3}), b"broken", raw(properties={"a": 1, "b": 2, "c": 3})])
    configure("analytics.ingestion.max_keys", 10)
    first = DeadLetter.objects.earliest("pk").pk

    assert run("replay_dead_letters", str(first)) == "1 replayed, 0 still refused\n"
    assert run("replay_dead_letters", str(first)) == "0 replayed, 0 still refused\n"
    assert run("replay_dead_letters", "--reason", "invalid_json") == "0 replayed, 1 still refused\n"
    assert run("replay_dead_letters") == "1 replayed, 1 still refused\n"
    assert Event.objects.count() == 2


def test_as_many_dead_letters_as_wanted() -> None:
    store_http([b"broken"] * 5)

    assert run("replay_dead_letters", "--limit", "3") == "0 replayed, 3 still refused\n"


def test_an_unknown_reason_is_refused() -> None:
    with pytest.raises(CommandError):
        run("replay_dead_letters", "--reason", "bad_luck")


def test_the_ledger_is_listed(stretch: Stretch) -> None:
    store_kafka(batch(stretch, [record(0)]))
    ledger.note_ends({stretch: 5})
    ledger.open_entry(Stretch("market.data", 11, uuid4()), 100)

    first, second = run("ledger", "list").splitlines()

    assert first.split() == ["market.data", "11", "stored", "to", "100", "lag", "?"]
    assert second.split() == ["trading.events", "0", "stored", "to", "1", "lag", "4"]


def test_a_stopped_partition_says_why_and_what_to_do(stretch: Stretch) -> None:
    take_over(stretch, ledger.current(stretch.topic, stretch.partition), Offsets(25, 50))

    listed = run("ledger", "list")
    assert "STOPPED: Kafka's retention removed records" in listed
    assert "manage.py ledger skip trading.events 0" in listed

    assert run("ledger", "skip", "trading.events", "0").startswith("trading.events/0: 25 lost offsets accepted")
    assert "STOPPED" not in run("ledger", "list")


def test_a_partition_is_read_afresh(stretch: Stretch) -> None:
    answer = run("ledger", "restart", "trading.events", "0", "--from", "7")

    assert answer.startswith("trading.events/0: incarnation 1 begins at 7")
    assert "stored to 7" in run("ledger", "list")


@pytest.mark.parametrize("action", ["skip", "restart"])
def test_a_partition_that_the_ledger_does_not_know_is_told(action: str) -> None:
    with pytest.raises(CommandError, match="the ledger has no such partition"):
        run("ledger", action, "never", "0")


def test_the_window_of_a_report_is_a_day_unless_told() -> None:
    start, end = run("ingest_report").splitlines()[0].split(" to ")

    assert datetime.fromisoformat(end) - datetime.fromisoformat(start) == timedelta(days=1)
