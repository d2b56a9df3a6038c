"""What became of records: received = stored + duplicates + refused, for any window.

A row a batch, written in the batch's transaction, so the figures can be no other than what was
stored. Older rows are merged by minute, and later by day, to stay few.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db import connection

from events import instruments
from events.models import Source
from events.records import Stretch
from events.refusal import Refused


@dataclass(frozen=True, slots=True)
class Figures:
    """One batch. `redelivered` records were received earlier and are not in `received` again."""

    received: int
    duplicates: int
    refused: int
    redelivered: int
    seconds: float

    @property
    def stored(self) -> int:
        return self.received - self.duplicates - self.refused


@dataclass(frozen=True, slots=True)
class ReportLine:
    source: str
    topic: str | None
    batches: int
    received: int
    stored: int
    duplicates: int
    refused: int
    redelivered: int

    @property
    def balanced(self) -> bool:
        return self.received == self.stored + self.duplicates + self.refused


INSERT = """
INSERT INTO ingest_batches (project_id, source, topic, kafka_partition, received, stored, duplicates,
    refused, redelivered, duration_ms)
VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s)
"""
REPORT = """
SELECT source, topic, sum(batches), sum(received), sum(stored), sum(duplicates), sum(refused), sum(redelivered)
FROM ingest_batches WHERE committed_at >= %s AND committed_at < %s
GROUP BY source, topic ORDER BY source, topic
"""
# One statement: what it takes away it also puts back, so a report at any moment is whole.
MERGE = """
WITH taken AS (DELETE FROM ingest_batches WHERE {which} RETURNING *)
INSERT INTO ingest_batches (committed_at, project_id, source, topic, kafka_partition, batches, received,
    stored, duplicates, refused, redelivered, duration_ms)
SELECT date_trunc('{unit}', committed_at, 'UTC'), project_id, source, topic, kafka_partition, sum(batches),
    sum(received), sum(stored), sum(duplicates), sum(refused), sum(redelivered), sum(duration_ms)
FROM taken GROUP BY 1, 2, 3, 4, 5
"""
# Only minutes that ended some time ago, so that no row of them can still be on its way.
COMPACT = MERGE.format(
    unit="minute",
    which="""committed_at < date_trunc('minute', now() - interval '10 minutes')
    AND committed_at >= (SELECT coalesce(max(date_trunc('minute', committed_at)), '-infinity')
        FROM ingest_batches WHERE batches > 1 AND committed_at < now() - interval '10 minutes')""",
)
MERGE_DAY = MERGE.format(unit="day", which="committed_at >= %s AND committed_at < %s")
UNMERGED = """
SELECT DISTINCT day FROM (
    SELECT date_trunc('day', committed_at, 'UTC') AS day FROM ingest_batches WHERE committed_at < %s
    GROUP BY 1, project_id, source, topic, kafka_partition HAVING count(*) > 1) several
ORDER BY 1
"""


def record(figures: Figures, source: Source, project_id: int, stretch: Stretch | None) -> None:
    """Write down a batch, within its transaction."""
    topic, partition = (stretch.topic, stretch.partition) if stretch else (None, None)
    counts = (figures.received, figures.stored, figures.duplicates, figures.refused, figures.redelivered)
    with connection.cursor() as cursor:
        cursor.execute(INSERT, (project_id, source.value, topic, partition, *counts, figures.seconds * 1000))


def report(start: datetime, end: datetime) -> list[ReportLine]:
    """Totals of the batches committed in [start, end), by source and topic.

    Batches of more than ten minutes ago are kept by the minute, and those older than `retention.system_metrics` by
    the day (UTC): give whole minutes, or whole days.
    """
    with connection.cursor() as cursor:
        cursor.execute(REPORT, [start, end])
        return [ReportLine(row[0], row[1], *(int(value) for value in row[2:])) for row in cursor.fetchall()]


def compact() -> int:
    """Merge the rows of closed minutes; answers how many rows they became."""
    with connection.cursor() as cursor:
        cursor.execute(COMPACT)
        return int(cursor.rowcount)


def unmerged_days(before: datetime) -> list[datetime]:
    """The starts of the days before a midnight (UTC) that still have several rows for the same source."""
    with connection.cursor() as cursor:
        cursor.execute(UNMERGED, [before])
        return [day for (day,) in cursor.fetchall()]


def merge_day(day: datetime) -> int:
    """Merge the rows of a day that is long over; answers how many rows it became."""
    with connection.cursor() as cursor:
        cursor.execute(MERGE_DAY, [day, day + timedelta(days=1)])
        return int(cursor.rowcount)


def observe(figures: Figures, refusals: Iterable[Refused], source: Source) -> None:
    """Count a committed batch in the process's instruments."""
    instruments.BATCHES_PROCESSED.labels(source.value).inc()
    instruments.BATCH_DURATION.labels(source.value).observe(figures.seconds)
    instruments.EVENTS_INGESTED.labels(source.value).inc(figures.stored)
    instruments.EVENTS_FAILED.labels(source.value).inc(figures.refused)
    instruments.EVENTS_DUPLICATE.labels(source.value).inc(figures.duplicates)
    instruments.RECORDS_REDELIVERED.inc(figures.redelivered)
    for refused in refusals:
        instruments.DEAD_LETTERS.labels(refused.reason.value).inc()
