"""Taking over a Kafka partition: where to start reading, or why not to.

The ledger decides, never Kafka's committed offset. What it cannot explain (offsets that went
back, records that retention removed unread) stops the partition until an operator decides,
since going on would skip or double events unseen.
"""

import logging
from dataclasses import dataclass

from django.db import connection, transaction
from django.db.models import QuerySet
from django.db.models.functions import Now

from events import ledger
from events.models import IngestGap, LedgerEntry
from events.records import Stretch

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Offsets:
    """What Kafka has of a partition: [beginning, end)."""

    beginning: int
    end: int


@dataclass(frozen=True)
class Start:
    stretch: Stretch
    offset: int


@dataclass(frozen=True)
class Stopped:
    stretch: Stretch
    reason: str


class NothingToSkip(Exception):
    """The operator's decision does not fit what stopped the partition, if anything did."""


def take_over(stretch: Stretch, progress: ledger.Progress | None, offsets: Offsets) -> Start | Stopped:
    """Decide for a partition of the topic id in `stretch`.

    `progress` is what the ledger said before `offsets` were asked for: batches of an earlier
    owner are still being stored, so a later look could find more stored than Kafka had.
    """
    if progress is None or progress.stretch.topic_id != stretch.topic_id:
        if progress is not None:
            logger.warning(
                "Topic %s was created anew: reading partition %d from its beginning",
                stretch.topic,
                stretch.partition,
            )
        ledger.open_entry(stretch, offsets.beginning)
        return Start(stretch, offsets.beginning)
    known, watermark = progress.stretch, progress.watermark
    if _open_gaps(known, IngestGap.Kind.WENT_BACK):
        # Refilled up to the watermark it would look whole, and the new records would be skipped.
        return Stopped(known, progress.stopped_reason)
    if offsets.end < progress.highest:
        return _stop(known, IngestGap.Kind.WENT_BACK, offsets.end, progress.highest)
    if offsets.beginning > watermark:
        return _stop(known, IngestGap.Kind.RETENTION, watermark, offsets.beginning)
    if progress.stopped_reason:
        # The hole turned out to be none; left open it could be skipped later, after it was read.
        IngestGap.objects.filter(ledger_entry__in=_entry(known), resolved_at=None).update(resolved_at=Now())
        _entry(known).update(stopped_reason="")
    return Start(known, watermark)


def _stop(stretch: Stretch, kind: IngestGap.Kind, lo: int, hi: int) -> Stopped:
    """Write the hole down, and stop."""
    command = "restart" if kind == IngestGap.Kind.WENT_BACK else "skip"
    reason = (
        f"{kind.label}: offsets {lo} to {hi}. After looking into it:"
        f" manage.py ledger {command} {stretch.topic} {stretch.partition}"
    )
    with transaction.atomic():
        entry = _entry(stretch).get()
        gap, _ = IngestGap.objects.get_or_create(
            ledger_entry=entry, kind=kind, resolved_at=None, defaults={"lo": lo, "hi": hi}
        )
        IngestGap.objects.filter(pk=gap.pk).update(lo=min(gap.lo, lo), hi=max(gap.hi, hi))
        _entry(stretch).update(stopped_reason=reason)
    return Stopped(stretch, reason)


def _open_gaps(stretch: Stretch, kind: IngestGap.Kind) -> bool:
    return IngestGap.objects.filter(ledger_entry__in=_entry(stretch), kind=kind, resolved_at=None).exists()


def skip_gap(topic: str, partition: int) -> int:
    """Accept that records are lost to retention; answers how many offsets that were.

    Raises NothingToSkip where no such hole is open.
    """
    entry = _newest(topic, partition)
    with transaction.atomic():
        gaps = list(entry.ingestgap_set.filter(kind=IngestGap.Kind.RETENTION, resolved_at=None))
        if not gaps:
            raise NothingToSkip(f"{topic}/{partition} has no open hole left by retention")
        with connection.cursor() as cursor:
            for gap in gaps:
                cursor.execute(
                    "UPDATE kafka_ledger SET done = done + int8multirange(int8range(%s, %s)) WHERE id = %s",
                    [gap.lo, gap.hi, entry.pk],
                )
            cursor.execute("UPDATE ingest_gaps SET resolved_at = now() WHERE id = ANY(%s)", [[gap.pk for gap in gaps]])
        LedgerEntry.objects.filter(pk=entry.pk).update(stopped_reason="")
    return sum(gap.hi - gap.lo for gap in gaps)


def restart(topic: str, partition: int, base: int) -> Stretch:
    """Read a partition afresh from `base`, as another incarnation of the same topic id."""
    entry = _newest(topic, partition)
    stretch = Stretch(topic, partition, entry.topic_id, entry.incarnation + 1)
    with transaction.atomic(), connection.cursor() as cursor:
        ledger.open_entry(stretch, base)
        cursor.execute(
            "UPDATE ingest_gaps SET resolved_at = now() WHERE ledger_entry_id = %s AND resolved_at IS NULL",
            [entry.pk],
        )
        LedgerEntry.objects.filter(pk=entry.pk).update(stopped_reason="")
    return stretch


def _newest(topic: str, partition: int) -> LedgerEntry:
    return LedgerEntry.objects.filter(topic=topic, kafka_partition=partition).latest("pk")


def _entry(stretch: Stretch) -> QuerySet[LedgerEntry]:
    return LedgerEntry.objects.filter(
        topic=stretch.topic,
        kafka_partition=stretch.partition,
        topic_id=stretch.topic_id,
        incarnation=stretch.incarnation,
    )
