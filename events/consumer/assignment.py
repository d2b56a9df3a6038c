"""The Kafka partitions that the group gave to this consumer: taken over, watched, let go.

Everything here compares what Kafka says with what the ledger knows, every few seconds and
whenever partitions were assigned.
"""

import logging
import time
from collections.abc import Iterable
from dataclasses import dataclass, field
from uuid import UUID

from django.conf import settings
from kafka import TopicPartition

from events import instruments, ledger
from events.consumer.client import KafkaClient
from events.consumer.reader import PartitionReader, Policy
from events.consumer.takeover import Offsets, Start, Stopped, take_over
from events.records import Stretch

logger = logging.getLogger(__name__)

STUCK_SECONDS = 30.0


class Stuck(Exception):
    """The Kafka client does not give out records that are there."""


@dataclass
class Assignment:
    """`readers` are being read; `waiting` are not yet taken over, or stopped for a reason told once."""

    client: KafkaClient
    policy: Policy
    readers: dict[TopicPartition, PartitionReader] = field(default_factory=dict)
    waiting: dict[TopicPartition, str] = field(default_factory=dict)
    # Revoked, and often ours again a moment later: what of theirs is under way is not read twice.
    revoked: dict[TopicPartition, PartitionReader] = field(default_factory=dict)
    settled_at: float = field(default_factory=time.monotonic)

    def follow_rebalance(self) -> bool:
        """Let go of what was revoked and park what was assigned; whether there is something to inspect."""
        assigned = False
        while not self.client.changes.empty():
            kind, partitions = self.client.changes.get()
            for partition in partitions:
                if kind == "revoked":
                    self._let_go(partition)
                else:
                    self._take_back(partition)
                    assigned = True
        return assigned

    def _let_go(self, partition: TopicPartition) -> None:
        self.waiting.pop(partition, None)
        self.show_in_flight(partition, 0)
        if reader := self.readers.pop(partition, None):
            self.revoked[partition] = reader

    def _take_back(self, partition: TopicPartition) -> None:
        """Go on with a partition that was ours before; `inspect` comes next and sees if it is still the same."""
        reader = self.revoked.pop(partition, None) or self.readers.get(partition)
        if reader is None:
            self.waiting[partition] = ""
            return
        reader.come_back(time.monotonic())
        self.readers[partition] = reader
        self.client.seek(partition, reader.next_offset)
        self.client.resume(partition)
        logger.info("Reading %s/%d on from offset %d", partition.topic, partition.partition, reader.next_offset)

    def inspect(self) -> None:
        """Compare with Kafka: take over what waits, and notice a topic that is not the same any more.

        Raises KafkaError and database errors, after which it can be called again, and Stuck.
        """
        for reader in self.revoked.values():
            # Not back at once: somebody else reads it, and nothing is kept in hand for long.
            reader.drop_in_hand()
        assigned = [*self.readers, *self.waiting]
        if not assigned:
            self._check_settled()
            return
        # Before the look at Kafka: see `take_over`.
        progress = {p: ledger.current(p.topic, p.partition) for p in self.waiting}
        topic_ids = self.client.topic_ids(partition.topic for partition in assigned)
        self._park_changed(topic_ids)
        if progress:
            self._take_over(progress, topic_ids)
        self._check_settled()
        ends = {partition: self.client.fetched_end(partition) for partition in self.readers}
        self._check_moving(ends)
        ledger.note_ends({r.stretch: end for p, r in self.readers.items() if (end := ends[p]) is not None})
        self.client.show_progress({p: r.watermark for p, r in self.readers.items()})

    def recover(self, displaced: Iterable[TopicPartition] = ()) -> None:
        """After a poll that failed: what it had fetched is gone, so back to where we know we are."""
        self.follow_rebalance()
        for partition in displaced:
            if partition in self.readers:
                self.park(partition)
        for partition, reader in self.readers.items():
            self.client.seek(partition, reader.next_offset)

    def park(self, partition: TopicPartition) -> None:
        """Stop reading a partition until it is taken over anew."""
        del self.readers[partition]
        self.client.park([partition])
        self.waiting[partition] = ""

    def show_in_flight(self, partition: TopicPartition, records: int) -> None:
        instruments.RECORDS_IN_FLIGHT.labels(partition.topic, str(partition.partition)).set(records)

    def _park_changed(self, topic_ids: dict[str, UUID]) -> None:
        for partition, reader in list(self.readers.items()):
            end = self.client.fetched_end(partition)
            created_anew = topic_ids.get(partition.topic) not in (None, reader.stretch.topic_id)
            if created_anew or (end is not None and end < reader.watermark):
                self.park(partition)

    def _check_settled(self) -> None:
        """Raise Stuck when the group does not let us in, or a partition of ours cannot be taken over.

        A rejoin of kafka-python 3.0 may hang without a word. Twice the session timeout is more than
        a rebalance with a dead member takes.
        """
        now = time.monotonic()
        if self.client.joined() and all(self.waiting.values()):
            self.settled_at = now
        elif now - self.settled_at > 2 * settings.CONFIG.kafka.session_timeout.total_seconds():
            raise Stuck("not settled in the consumer group")

    def _check_moving(self, ends: dict[TopicPartition, int | None]) -> None:
        """Raise Stuck when records are there and do not come: a new client is the remedy."""
        now = time.monotonic()
        for partition, reader in self.readers.items():
            waiting = (ends[partition] or 0) > reader.next_offset and not reader.full
            if waiting and now - reader.received_at > STUCK_SECONDS:
                raise Stuck(f"{partition.topic}/{partition.partition} does not come past {reader.next_offset}")

    def _take_over(self, progress: dict[TopicPartition, ledger.Progress | None], topic_ids: dict[str, UUID]) -> None:
        beginnings = self.client.beginnings(list(progress))
        ends = self.client.ends(list(progress))
        for partition, known in progress.items():
            topic_id = topic_ids.get(partition.topic)
            if topic_id is None or partition not in ends or partition not in beginnings:
                continue
            stretch = Stretch(partition.topic, partition.partition, topic_id)
            end = ends[partition]
            if known and known.stretch.topic_id == topic_id and end < known.highest:
                end = max(end, self.client.probed_end(partition, known.highest - 1) or 0)
            decision = take_over(stretch, known, Offsets(beginnings[partition], end))
            if isinstance(decision, Stopped):
                self._tell_stopped(partition, decision)
            else:
                self._read(partition, decision)

    def _read(self, partition: TopicPartition, start: Start) -> None:
        del self.waiting[partition]
        self.readers[partition] = PartitionReader(start.stretch, self.policy, start.offset, time.monotonic())
        self.client.seek(partition, start.offset)
        self.client.resume(partition)
        logger.info("Reading %s/%d from offset %d", partition.topic, partition.partition, start.offset)

    def _tell_stopped(self, partition: TopicPartition, stopped: Stopped) -> None:
        if self.waiting[partition] != stopped.reason:
            self.waiting[partition] = stopped.reason
            logger.error("Stopped %s/%d: %s", partition.topic, partition.partition, stopped.reason)
