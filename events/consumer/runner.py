"""The consumer's loop: poll, batch, hand on, and follow the ledger.

Backpressure is by pausing partitions, never by not polling: polling is what keeps the group
membership. Whatever goes wrong, the remedy is the same: keep what is in hand or go back to
the watermark, and the ledger sees to it that nothing is stored twice.
"""

import logging
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from uuid import UUID

from django.db import Error as DatabaseError
from django.db import close_old_connections
from kafka import TopicPartition
from kafka.errors import KafkaError

from events import instruments, ledger
from events.consumer.client import KafkaClient
from events.consumer.handoff import QueueAway, QueueState, enqueue
from events.consumer.reader import PartitionReader, Policy
from events.consumer.takeover import Offsets, Stopped, take_over
from events.records import Stretch

logger = logging.getLogger(__name__)

POLL_MS = 50
FOLLOW_SECONDS = 0.1  # how often the ledger is asked for watermarks
STUCK_SECONDS = 30.0
INSPECT_SECONDS = 2.0  # how often Kafka is asked for ends and topic ids


class Stuck(Exception):
    """The Kafka client does not give out records that are there."""


@dataclass
class Schedule:
    """A step of the loop that runs every so often."""

    seconds: float
    next_at: float = 0.0

    def due(self, now: float) -> bool:
        if now < self.next_at:
            return False
        self.next_at = now + self.seconds
        return True


@dataclass
class Runner:
    """One consumer process. `run` returns after `stop`; it raises KafkaError when Kafka is gone."""

    client: KafkaClient
    policy: Policy
    queue: QueueState
    readers: dict[TopicPartition, PartitionReader] = field(default_factory=dict)
    # Assigned, but not read: not taken over yet, or stopped for a reason that is told once.
    waiting: dict[TopicPartition, str] = field(default_factory=dict)
    stopping: bool = False
    follow: Schedule = field(default_factory=lambda: Schedule(FOLLOW_SECONDS))
    inspect: Schedule = field(default_factory=lambda: Schedule(INSPECT_SECONDS))
    trouble: dict[str, str] = field(default_factory=dict)

    def stop(self) -> None:
        self.stopping = True

    def run(self) -> None:
        while not self.stopping:
            self.run_once()
        self.hand_on(everything=True)

    def run_once(self) -> None:
        self._poll()
        self._follow_rebalance()
        now = time.monotonic()
        self.hand_on()
        if self.follow.due(now):
            self._guarded("database", self._follow_ledger)
        if self.inspect.due(now):
            self._guarded("kafka", self._inspect_kafka)

    def _poll(self) -> None:
        try:
            polled = self.client.poll(POLL_MS)
        except KafkaError as error:
            # What the failed poll had fetched is gone with it: back to where we know we are.
            self._say("kafka", f"poll failed: {error!r}")
            self._follow_rebalance()
            for partition, reader in self.readers.items():
                self.client.seek(partition, reader.next_offset)
            time.sleep(0.5)
            return
        now = time.monotonic()
        for partition, records in polled.items():
            if partition in self.readers:
                self.readers[partition].add(records, now)
                if self.readers[partition].full:
                    self.client.pause(partition)

    def _follow_rebalance(self) -> None:
        while not self.client.changes.empty():
            kind, partitions = self.client.changes.get()
            for partition in partitions:
                # A partition that left and came back starts anew: no state of before can leak.
                self.readers.pop(partition, None)
                self.waiting.pop(partition, None)
                if kind == "assigned":
                    self.waiting[partition] = ""
                    self.inspect.next_at = 0.0
                else:
                    self._forget_gauge(partition)

    def hand_on(self, *, everything: bool = False) -> None:
        """Enqueue the batches that are due. What Redis refuses stays in hand."""
        try:
            for reader in self.readers.values():
                now = time.monotonic()
                while reader.due(now) or (everything and reader.records):
                    batch = reader.peek()
                    enqueue(batch)
                    reader.taken(batch, now)
        except QueueAway as error:
            self._say("redis", f"batches wait here: {error}")
            if not everything:
                time.sleep(0.5)
        else:
            self._well("redis")

    def _follow_ledger(self) -> None:
        """Move the watermarks, let go of paused partitions, and find batches that were lost."""
        watermarks = ledger.watermarks(reader.stretch for reader in self.readers.values())
        now = time.monotonic()
        for partition, reader in self.readers.items():
            reader.advance(watermarks.get(reader.stretch, reader.watermark), now)
            self._gauge(partition, reader.next_offset - reader.watermark)
            if reader.full:
                self.client.pause(partition)
            elif reader.drained:
                self.client.resume(partition)
        self._reread_lost(now)

    def _reread_lost(self, now: float) -> None:
        patient = self.policy.stall_timeout.total_seconds()
        suspects = [r for r in self.readers.values() if r.in_flight and now - r.progress_at >= patient]
        if not suspects:
            return
        try:
            queued, unacked = self.queue.waiting()
        except QueueAway as error:
            self._say("redis", str(error))
            return
        for partition, reader in self.readers.items():
            if reader.stalled(now, queue_empty=queued == 0, nothing_unacked=unacked == 0):
                logger.warning(
                    "%s/%d: %d records were under way and are not any more; reading them again",
                    *(reader.stretch.topic, reader.stretch.partition, reader.in_flight),
                )
                self.client.seek(partition, reader.reread(now))

    def _inspect_kafka(self) -> None:
        """Compare with Kafka: take over what waits, and notice a topic that is not the same any more."""
        assigned = [*self.readers, *self.waiting]
        if not assigned:
            return
        progress = {p: ledger.current(p.topic, p.partition) for p in self.waiting}
        topic_ids = self.client.topic_ids(partition.topic for partition in assigned)
        for partition, reader in list(self.readers.items()):
            changed = topic_ids.get(partition.topic) not in (None, reader.stretch.topic_id)
            if changed or self._went_back(partition, reader.watermark):
                self._park(partition)
        if progress:
            self._take_over(progress, topic_ids)
        ends = {partition: self.client.fetched_end(partition) for partition in self.readers}
        self._check_moving(ends)
        ledger.note_ends({r.stretch: end for p, r in self.readers.items() if (end := ends[p]) is not None})
        self.client.show_progress({p: r.watermark for p, r in self.readers.items()})

    def _check_moving(self, ends: dict[TopicPartition, int | None]) -> None:
        """Raise Stuck when records are there and do not come: a new client is the remedy."""
        now = time.monotonic()
        for partition, reader in self.readers.items():
            waiting = (ends[partition] or 0) > reader.next_offset and not reader.full
            if waiting and now - reader.received_at > STUCK_SECONDS:
                raise Stuck(f"{partition.topic}/{partition.partition} does not come past {reader.next_offset}")

    def _went_back(self, partition: TopicPartition, watermark: int) -> bool:
        end = self.client.fetched_end(partition)
        return end is not None and end < watermark

    def _park(self, partition: TopicPartition) -> None:
        del self.readers[partition]
        self.client.park([partition])
        self.waiting[partition] = ""

    def _take_over(
        self,
        progress: dict[TopicPartition, ledger.Progress | None],
        topic_ids: dict[str, UUID],
    ) -> None:
        beginnings = self.client.beginnings(list(progress))
        ends = self.client.ends(list(progress))
        for partition, known in progress.items():
            topic_id = topic_ids.get(partition.topic)
            if topic_id is None or partition not in ends or partition not in beginnings:
                continue
            stretch = Stretch(partition.topic, partition.partition, topic_id)
            end = ends[partition]
            if known and known.stretch.topic_id == topic_id and end < known.watermark:
                end = max(end, self.client.probed_end(partition, known.watermark - 1) or 0)
            decision = take_over(stretch, known, Offsets(beginnings[partition], end))
            if isinstance(decision, Stopped):
                self._tell_stopped(partition, decision)
                continue
            del self.waiting[partition]
            now = time.monotonic()
            self.readers[partition] = PartitionReader(decision.stretch, self.policy, decision.offset, now)
            self.client.seek(partition, decision.offset)
            self.client.resume(partition)
            logger.info("Reading %s/%d from offset %d", partition.topic, partition.partition, decision.offset)

    def _tell_stopped(self, partition: TopicPartition, stopped: Stopped) -> None:
        if self.waiting[partition] != stopped.reason:
            self.waiting[partition] = stopped.reason
            logger.error("Stopped %s/%d: %s", partition.topic, partition.partition, stopped.reason)

    def _guarded(self, part: str, step: Callable[[], None]) -> None:
        """Run a step that needs a service; while that is away, tell once, hold still and try again."""
        try:
            step()
        except (DatabaseError, KafkaError) as error:
            self._say(part, f"{type(error).__name__}: {str(error).strip()}")
            if isinstance(error, DatabaseError):
                close_old_connections()
                self._hold_still()
        else:
            self._well(part)

    def _hold_still(self) -> None:
        """Without the ledger we cannot know how much is under way, so nothing more is read."""
        if self.readers:
            self.client.pause(*self.readers)
        time.sleep(0.5)

    def _say(self, part: str, message: str) -> None:
        if part not in self.trouble:
            logger.warning("Waiting for %s: %s", part, message)
        self.trouble[part] = message

    def _well(self, part: str) -> None:
        if self.trouble.pop(part, None):
            logger.info("%s is back", part)

    def _gauge(self, partition: TopicPartition, records: int) -> None:
        instruments.RECORDS_IN_FLIGHT.labels(partition.topic, str(partition.partition)).set(records)

    def _forget_gauge(self, partition: TopicPartition) -> None:
        self._gauge(partition, 0)
