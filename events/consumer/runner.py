"""The consumer's loop: poll, batch, hand on, and follow the ledger.

Backpressure is by pausing partitions, never by not polling: polling is what keeps the group
membership. Whatever goes wrong, the remedy is the same: keep what is in hand or go back to
the watermark, and the ledger sees to it that nothing is stored twice.
"""

import logging
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from django.db import Error as DatabaseError
from django.db import close_old_connections
from kafka.errors import KafkaError

from events import ledger
from events.consumer.assignment import Assignment
from events.consumer.client import Displaced
from events.consumer.handoff import QueueAway, QueueState, enqueue

logger = logging.getLogger(__name__)

POLL_MS = 50
FOLLOW_SECONDS = 0.1  # how often the ledger is asked for watermarks
INSPECT_SECONDS = 2.0  # how often Kafka is asked for ends and topic ids
MANY = 3  # readings of the same records in vain
PATIENCE = 0.5  # between two tries while a service is away


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
    """One consumer process. `run` returns after `stop`; it raises Stuck when a new client is needed."""

    assignment: Assignment
    queue: QueueState
    stopping: bool = False
    follow: Schedule = field(default_factory=lambda: Schedule(FOLLOW_SECONDS))
    inspect: Schedule = field(default_factory=lambda: Schedule(INSPECT_SECONDS))
    # The services that are away, each told of once.
    away: set[str] = field(default_factory=set)

    def stop(self) -> None:
        self.stopping = True

    def run(self) -> None:
        while not self.stopping:
            self.run_once()
        self.hand_on(everything=True)

    def run_once(self) -> None:
        self._poll()
        if self.assignment.follow_rebalance():
            self.inspect.next_at = 0.0
        self.hand_on()
        now = time.monotonic()
        if self.follow.due(now):
            self._guarded("database", self._follow_ledger)
        if self.inspect.due(now):
            self._guarded("kafka", self.assignment.inspect)

    def _poll(self) -> None:
        client, readers = self.assignment.client, self.assignment.readers
        try:
            polled = client.poll(POLL_MS)
        except Displaced as error:
            logger.warning("Taking over anew: %s", error)
            self.assignment.recover(error.partitions)
            self.inspect.next_at = 0.0
            return
        except KafkaError as error:
            self._missing("kafka", error)
            self.assignment.recover()
            time.sleep(PATIENCE)
            return
        now = time.monotonic()
        for partition, records in polled.items():
            if partition in readers:
                readers[partition].add(records, now)
                if readers[partition].full:
                    client.pause(partition)

    def hand_on(self, *, everything: bool = False) -> None:
        """Enqueue the batches that are due. What Redis refuses stays in hand."""
        try:
            for reader in self.assignment.readers.values():
                now = time.monotonic()
                while reader.due(now) or (everything and reader.records):
                    batch = reader.peek()
                    enqueue(batch)
                    reader.taken(batch, now)
                    self._back("redis")
        except QueueAway as error:
            self._missing("redis", error)
            if not everything:
                time.sleep(PATIENCE)

    def _follow_ledger(self) -> None:
        """Move the watermarks, let go of paused partitions, and find batches that were lost."""
        client, readers = self.assignment.client, self.assignment.readers
        watermarks = ledger.watermarks(reader.stretch for reader in readers.values())
        now = time.monotonic()
        for partition, reader in list(readers.items()):
            if reader.stretch not in watermarks:
                # Another database than the one it was taken over from.
                self.assignment.park(partition)
                continue
            reader.advance(watermarks[reader.stretch], now)
            self.assignment.show_in_flight(partition, reader.next_offset - reader.watermark)
            if reader.full:
                client.pause(partition)
            elif reader.drained:
                client.resume(partition)
        self._reread_lost(now)

    def _reread_lost(self, now: float) -> None:
        readers = self.assignment.readers
        if not any(reader.suspect(now) for reader in readers.values()):
            return
        try:
            queued, unacked = self.queue.waiting()
        except QueueAway as error:
            self._missing("redis", error)
            return
        for partition, reader in readers.items():
            if reader.stalled(now, queue_empty=queued == 0, nothing_unacked=unacked == 0):
                # Once is a lost queue. Again and again is a batch that makes its task fail.
                logger.log(
                    logging.ERROR if reader.rereads >= MANY else logging.WARNING,
                    "%s/%d: %d records were under way and are not any more; reading them again (%d)",
                    *(partition.topic, partition.partition, reader.in_flight, reader.rereads + 1),
                )
                self.assignment.client.seek(partition, reader.reread(now))

    def _guarded(self, service: str, step: Callable[[], None]) -> None:
        """Run a step that needs a service; while that is away, hold still and try again."""
        try:
            step()
        except DatabaseError as error:
            self._missing("database", error)
            close_old_connections()
            # Without the ledger we cannot know how much is under way, so nothing more is read.
            if self.assignment.readers:
                self.assignment.client.pause(*self.assignment.readers)
            for reader in self.assignment.readers.values():
                reader.hold(time.monotonic())
            time.sleep(PATIENCE)
        except KafkaError as error:
            self._missing("kafka", error)
        else:
            self._back(service)

    def _missing(self, service: str, error: Exception) -> None:
        if service not in self.away:
            self.away.add(service)
            logger.warning("Waiting for %s: %s: %s", service, type(error).__name__, str(error).strip())

    def _back(self, service: str) -> None:
        if service in self.away:
            self.away.remove(service)
            logger.info("%s is back", service)
