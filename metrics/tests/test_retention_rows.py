"""Rows that are over in tables without partitions: figures of batches, dead letters, given times."""

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest
from django.core.management import call_command
from django.db import connection

from analytics_project.lib import batches, partitioned
from events import accounting, assigned
from events.models import AssignedTimestamp, DeadLetter, IngestBatch, Source
from metrics import ingestion
from metrics.retention import rows

pytestmark = pytest.mark.django_db

NOW = datetime.now(UTC)
DAY = NOW.replace(hour=0, minute=0, second=0, microsecond=0) - timedelta(days=32)


def run(now: datetime = NOW) -> list[str]:
    chores = rows.chores(now)
    for chore in chores:
        chore.apply()
    return [str(chore) for chore in chores]


def batch(at: datetime, received: int = 10, topic: str | None = "trading.events", partition: int | None = 0) -> None:
    IngestBatch.objects.create(
        committed_at=at,
        project_id=1,
        source=Source.KAFKA if topic else Source.HTTP,
        topic=topic,
        kafka_partition=partition,
        batches=2,
        received=received,
        stored=received - 3,
        duplicates=2,
        refused=1,
        redelivered=4,
        duration_ms=1.5,
    )


@pytest.fixture
def two_days() -> None:
    """Batches of two old days, at their edges and within, of several sources."""
    for day in (DAY, DAY + timedelta(days=1)):
        for offset in (timedelta(0), timedelta(hours=7), timedelta(days=1) - timedelta(microseconds=1)):
            batch(day + offset)
            batch(day + offset, partition=1, received=20)
            batch(day + offset, topic=None, partition=None, received=40)


def totals() -> ingestion.IngestionFigures:
    """But for the last batch, which is nothing that has been kept by itself."""
    return replace(ingestion.figures(), last_size=0, last_ms=0.0)


@pytest.mark.usefixtures("two_days")
def test_old_figures_become_a_row_a_day_and_every_report_of_whole_days_stays() -> None:
    windows = [(DAY + timedelta(days=a), DAY + timedelta(days=b)) for a in range(-1, 3) for b in range(a + 1, 4)]
    before = [accounting.report(*window) for window in windows], totals()

    assert run() == ["merge 2 days of ingest_batches older than 30d"]

    assert IngestBatch.objects.count() == 2 * 3
    assert ([accounting.report(*window) for window in windows], totals()) == before
    assert set(IngestBatch.objects.values_list("committed_at", flat=True)) == {DAY, DAY + timedelta(days=1)}
    call_command("ingest_report", f"--start={DAY.isoformat()}", f"--end={NOW.isoformat()}")


@pytest.mark.usefixtures("two_days")
def test_merged_days_are_left_alone_by_the_next_run_and_by_compacting() -> None:
    run()
    before = list(IngestBatch.objects.order_by("pk").values())

    assert run() == []
    assert list(IngestBatch.objects.order_by("pk").values()) == before
    accounting.compact()
    assert IngestBatch.objects.count() == len(before)
    assert accounting.report(DAY, NOW)[0].received == sum(row["received"] for row in before if row["topic"] is None)


def test_a_late_row_of_a_merged_day_is_merged_into_it() -> None:
    batch(DAY + timedelta(hours=1))
    batch(DAY + timedelta(hours=2))
    run()
    batch(DAY + timedelta(hours=3))

    run()

    assert IngestBatch.objects.get().received == 30


def test_a_day_that_is_not_wholly_older_is_not_merged(configure: Callable[[str, Any], None]) -> None:
    batch(DAY)
    batch(DAY + timedelta(hours=23))

    configure("analytics.retention.system_metrics", NOW - DAY - timedelta(days=1) + timedelta(microseconds=1))
    assert run() == []

    configure("analytics.retention.system_metrics", NOW - DAY - timedelta(days=1))
    assert len(run()) == 1


def letter(age: timedelta, replayed: timedelta | None) -> DeadLetter:
    return DeadLetter.objects.create(
        created_at=NOW - age,
        project_id=1,
        reason="invalid_json",
        error="",
        source=Source.HTTP,
        record_timestamp=NOW - age,
        raw=b"{",
        replayed_at=None if replayed is None else NOW - replayed,
    )


def test_letters_go_some_time_after_their_replay_and_never_without_one() -> None:
    days = timedelta(days=1)
    gone = letter(200 * days, replayed=91 * days)
    stay = [letter(200 * days, replayed=89 * days), letter(200 * days, replayed=None), letter(days, replayed=days)]

    assert run() == ["delete 1 rows of dead_letters (replayed) older than 90d"]

    assert set(DeadLetter.objects.values_list("pk", flat=True)) == {kept.pk for kept in stay}
    assert gone.pk not in {kept.pk for kept in stay}


def test_old_letters_without_a_replay_are_counted() -> None:
    for age in (89, 91, 92):
        letter(timedelta(days=age), replayed=None)

    assert rows.left_alone(NOW) == 2


def test_rows_are_deleted_in_batches() -> None:
    for _ in range(7):
        letter(timedelta(days=200), replayed=timedelta(days=91))
    letter(timedelta(days=200), replayed=timedelta(days=1))
    cutoff = NOW - timedelta(days=90)

    assert batches.delete_in_batches("dead_letters", "replayed_at < %s", [cutoff], size=3) == 7
    assert DeadLetter.objects.count() == 1


def test_given_times_are_forgotten_by_an_index() -> None:
    now = datetime.now(UTC)
    AssignedTimestamp.objects.bulk_create(
        AssignedTimestamp(project_id=1, event_id=uuid4(), timestamp=now - timedelta(minutes=minute))
        for minute in range(5000)
    )
    partitioned.analyze(["assigned_timestamps"])
    old = AssignedTimestamp.objects.filter(timestamp__lt=now - timedelta(minutes=4990))

    assert "assigned_timestamps_time" in old.explain()
    assert assigned.forget_older_than(timedelta(minutes=4990, seconds=30)) == 9
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM assigned_timestamps")
        assert cursor.fetchone() == (4991,)
