"""One Kafka partition as the consumer sees it: records in hand, batches under way, what is stored.

Pure: time is passed in, so each rule can be tested without waiting.

    watermark <= enqueued < = next_offset
    stored       in Celery     in hand, here
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import NamedTuple

from events.records import Stretch

MAX_BATCH_BYTES = 1_000_000
# Of one Kafka partition, while Redis or the workers are away. A few dozen partitions fit into the
# consumer's memory so, whatever the size of their records.
MAX_BYTES_IN_HAND = 4_000_000
# After that a batch is lost even if others still wait: longer than Redis keeps a dead worker's tasks.
HARD_LIMIT = timedelta(minutes=5)


class Raw(NamedTuple):
    """What we need of a Kafka record."""

    offset: int
    timestamp: int
    value: bytes | None


class RawBatch(NamedTuple):
    """Records that cover [lo, hi) of a stretch."""

    stretch: Stretch
    lo: int
    hi: int
    records: Sequence[Raw]


@dataclass(frozen=True)
class Policy:
    """When a batch is full or old enough, when to pause reading, when to read again."""

    batch_size: int
    batch_timeout: timedelta
    quiet_timeout: timedelta
    max_in_flight: int
    stall_timeout: timedelta


@dataclass
class PartitionReader:
    """Reads one stretch from `watermark` on; the ledger is the one to say how far it is stored."""

    stretch: Stretch
    policy: Policy
    watermark: int
    now: float
    enqueued: int = field(init=False)
    next_offset: int = field(init=False)
    records: list[Raw] = field(default_factory=list)
    bytes_in_hand: int = 0
    oldest_at: float = 0.0
    progress_at: float = field(init=False)
    received_at: float = field(init=False)
    rereads: int = 0

    def __post_init__(self) -> None:
        self._start(self.watermark, self.now)

    def _start(self, offset: int, now: float) -> None:
        self.enqueued = offset
        self.drop_in_hand()
        self.come_back(now)

    def drop_in_hand(self) -> None:
        """Forget what was not handed on yet; reading goes on behind what is under way."""
        self.next_offset = self.enqueued
        self.records = []
        self.bytes_in_hand = 0

    def come_back(self, now: float) -> None:
        """Reading begins, or goes on after the partition was away: what happened meanwhile says nothing."""
        self.progress_at = self.received_at = now

    @property
    def in_flight(self) -> int:
        return self.enqueued - self.watermark

    def add(self, records: Sequence[Raw], now: float) -> None:
        """Take in records; those before the position (a second delivery) are passed over."""
        fresh = records
        if records and records[0].offset < self.next_offset:
            fresh = [record for record in records if record.offset >= self.next_offset]
        if not fresh:
            return
        if not self.records:
            self.oldest_at = now
        self.records += fresh
        self.bytes_in_hand += _size(fresh)
        self.received_at = now
        self.next_offset = fresh[-1].offset + 1

    def due(self, now: float) -> bool:
        """Whether to hand on a batch: full, too old, or nothing else under way to wait for.

        Never beyond the bound: one fetch may bring many times of what may be under way.
        """
        if not self.records or self.in_flight >= self.policy.max_in_flight:
            return False
        wait = self.policy.batch_timeout if self.in_flight else self.policy.quiet_timeout
        age = timedelta(seconds=now - self.oldest_at)
        return len(self.records) >= self.policy.batch_size or age >= wait

    def peek(self) -> RawBatch:
        """The next batch. It stays in hand until `taken`, so a refused hand-on loses nothing.

        It starts where the last one ended, not at its first record: offsets that Kafka has
        no record for (compaction, transactions) would stop the watermark for ever.
        """
        records = self.records[: self.policy.batch_size]
        if _size(records) > MAX_BATCH_BYTES:
            records = _fitting(records)
        return RawBatch(self.stretch, self.enqueued, records[-1].offset + 1, records)

    def taken(self, batch: RawBatch, now: float) -> None:
        if not self.in_flight:
            self.progress_at = now
        self.records = self.records[len(batch.records) :]
        self.bytes_in_hand -= _size(batch.records)
        self.enqueued = batch.hi
        self.oldest_at = now

    def advance(self, watermark: int, now: float) -> None:
        if watermark > self.watermark:
            self.watermark = watermark
            self.progress_at = now
            self.rereads = 0
        # Tasks of an earlier owner stored what we still hold: it need not be handed on.
        if self.watermark > self.next_offset:
            self._start(self.watermark, now)
        elif self.watermark > self.enqueued:
            self.enqueued = self.watermark
            self.records = [record for record in self.records if record.offset >= self.watermark]
            self.bytes_in_hand = _size(self.records)
        if not self.drained:
            self.hold(now)

    def hold(self, now: float) -> None:
        """The partition is, or may be, paused: that nothing comes says nothing about Kafka."""
        self.received_at = now

    @property
    def full(self) -> bool:
        held = self.next_offset - self.enqueued
        return self.in_flight + held >= self.policy.max_in_flight or self.bytes_in_hand >= MAX_BYTES_IN_HAND

    @property
    def drained(self) -> bool:
        few = self.next_offset - self.watermark <= self.policy.max_in_flight // 2
        return few and self.bytes_in_hand <= MAX_BYTES_IN_HAND // 2

    def suspect(self, now: float) -> bool:
        """Whether it is worth a look into the queue."""
        return self.in_flight > 0 and timedelta(seconds=now - self.progress_at) >= self.policy.stall_timeout

    def stalled(self, now: float, *, queue_empty: bool, nothing_unacked: bool) -> bool:
        """Whether batches under way are lost: no progress, and no task that could still make any.

        A task that a dead worker holds counts as under way until Redis gives it out again, so
        after four times the patience it is not waited for. Where others still wait in the queue,
        ours may be among them, but not for ever. Each reading in vain doubles the patience.
        """
        if not self.in_flight:
            return False
        patience = self.policy.stall_timeout
        if not nothing_unacked:
            patience *= 4
        if not queue_empty:
            patience = HARD_LIMIT
        return timedelta(seconds=now - self.progress_at) >= patience * (1 << min(self.rereads, 6))

    def reread(self, now: float) -> int:
        """Go back to the watermark; answers the offset to seek to."""
        self.rereads += 1
        self._start(self.watermark, now)
        return self.watermark


def _fitting(records: list[Raw]) -> list[Raw]:
    """The first records that fit into one batch, at least one."""
    size = 0
    for count, record in enumerate(records):
        size += len(record.value or b"")
        if count and size > MAX_BATCH_BYTES:
            return records[:count]
    return records


def _size(records: Sequence[Raw]) -> int:
    return sum(len(record.value or b"") for record in records)
