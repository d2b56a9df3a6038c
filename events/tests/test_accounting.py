"""received = stored + duplicates + refused, for any window, however the figures were merged."""

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest
from prometheus_client import REGISTRY

from events import accounting, ledger
from events.accounting import Figures, ReportLine
from events.models import IngestBatch, Source
from events.records import Stretch
from events.store import store_http, store_kafka
from events.tests.factories import batch, raw, record

pytestmark = pytest.mark.django_db

EVER = (datetime(2020, 1, 1, tzinfo=UTC), datetime(2100, 1, 1, tzinfo=UTC))


@pytest.fixture
def now() -> datetime:
    return datetime.now(UTC).replace(microsecond=0)


def committed(at: datetime, **fields: Any) -> IngestBatch:
    counts = {"received": 10, "stored": 6, "duplicates": 3, "refused": 1, "redelivered": 2, "duration_ms": 5.0}
    given = {"project_id": 1, "source": Source.KAFKA, "topic": "t", "kafka_partition": 0, **counts, **fields}
    return IngestBatch.objects.create(committed_at=at, **given)


def totals() -> list[ReportLine]:
    return accounting.report(*EVER)


def test_what_is_not_a_duplicate_or_refused_is_stored() -> None:
    assert Figures(received=10, duplicates=3, refused=1, redelivered=5, seconds=0.1).stored == 6


def test_a_mixture_is_accounted_for(stretch: Stretch) -> None:
    known = raw()
    store_http([known, b"broken", raw(), known])
    records = [record(0, known), record(1), record(2, b""), record(3), record(4, b"[]")]
    store_kafka(batch(stretch, records))
    store_kafka(batch(stretch, [*records, record(5)]))

    assert totals() == [
        ReportLine("http", None, 1, received=4, stored=2, duplicates=1, refused=1, redelivered=0),
        ReportLine("kafka", stretch.topic, 2, received=6, stored=3, duplicates=1, refused=2, redelivered=5),
    ]
    assert all(line.balanced for line in totals())


def test_topics_are_told_apart_and_their_partitions_are_not(stretch: Stretch) -> None:
    others = [Stretch(stretch.topic, 1, stretch.topic_id), Stretch("market.data", 0, uuid4())]
    for other in (stretch, *others):
        ledger.open_entry(other, 0)
        store_kafka(batch(other, [record(0)]))

    assert [(line.topic, line.batches, line.stored) for line in totals()] == [
        ("market.data", 1, 1),
        (stretch.topic, 2, 2),
    ]


def test_a_window_is_half_open(now: datetime) -> None:
    for minutes in (3, 2, 1):
        committed(now - timedelta(minutes=minutes))

    lines = accounting.report(now - timedelta(minutes=2), now - timedelta(minutes=1))

    assert [line.batches for line in lines] == [1]


def test_a_window_without_batches_is_empty() -> None:
    assert totals() == []


def test_compacting_keeps_all_totals(now: datetime) -> None:
    for seconds in range(0, 3600, 7):
        committed(now - timedelta(seconds=seconds), kafka_partition=seconds % 2, topic="tu"[seconds % 3 == 0])
    before = totals()

    accounting.compact()

    assert totals() == before
    assert IngestBatch.objects.count() < 300


def test_compacting_again_changes_nothing(now: datetime) -> None:
    for seconds in range(600, 3600, 7):
        committed(now - timedelta(seconds=seconds))
    accounting.compact()
    before = list(IngestBatch.objects.order_by("committed_at").values_list("committed_at", "batches", "received"))

    for _ in range(3):
        accounting.compact()

    assert (
        list(IngestBatch.objects.order_by("committed_at").values_list("committed_at", "batches", "received")) == before
    )


def test_minutes_stay_in_their_windows(now: datetime) -> None:
    start = now.replace(second=0) - timedelta(hours=2)
    for seconds in range(0, 600, 5):
        committed(start + timedelta(seconds=seconds))
    windows = [(start + timedelta(minutes=m), start + timedelta(minutes=m + 1)) for m in range(10)]
    before = [accounting.report(*window) for window in windows]

    accounting.compact()

    assert [accounting.report(*window) for window in windows] == before
    assert [line.batches for lines in before for line in lines] == [12] * 10


def test_the_last_minutes_are_left_as_they_are(now: datetime) -> None:
    for seconds in range(0, 540, 9):
        committed(now - timedelta(seconds=seconds))

    assert accounting.compact() == 0
    assert IngestBatch.objects.count() == 60


def test_projects_and_sources_are_not_mixed(now: datetime) -> None:
    minute = now - timedelta(hours=1)
    for fields in ({}, {"project_id": 2}, {"source": Source.HTTP, "topic": None, "kafka_partition": None}):
        committed(minute, **fields)
        committed(minute, **fields)

    assert accounting.compact() == 3
    assert list(IngestBatch.objects.values_list("batches", flat=True)) == [2, 2, 2]


def value(name: str, **labels: str) -> float:
    return REGISTRY.get_sample_value(name, labels) or 0.0


def test_the_instruments_count_what_was_committed(stretch: Stretch) -> None:
    names = ["ingested", "failed", "duplicate"]
    before = [value(f"analytics_events_{name}_total", source="kafka") for name in names]
    letters = value("analytics_dead_letters_total", reason="invalid_json")
    known = raw()

    store_kafka(batch(stretch, [record(0, known), record(1, known), record(2), record(3, b"broken")]))

    after = [value(f"analytics_events_{name}_total", source="kafka") for name in names]
    assert [new - old for new, old in zip(after, before, strict=True)] == [2, 1, 1]
    assert value("analytics_dead_letters_total", reason="invalid_json") - letters == 1
