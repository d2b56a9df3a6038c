"""A way out to Kafka that loses nothing while brokers are away: it waits, and says so once."""

import time
from collections import deque
from collections.abc import Callable, Sequence
from typing import Any

from kafka.errors import KafkaError, MessageSizeTooLargeError, RecordListTooLargeError

from events.kafka.connection import Connection
from events.kafka.outgoing import Outgoing

# Records on their way. With more, `send` waits: what no broker takes must not fill our memory.
MAX_IN_FLIGHT = 20_000
SILENCE = 4.0  # seconds without an answer after which a producer is given up
# Sending such a record again would fail again.
HOPELESS = (MessageSizeTooLargeError, RecordListTooLargeError)


class Outbox:
    """Sends records in order, each at least once.

    Once `stopping` answers true, nothing waits any more and `send` answers false instead.
    """

    def __init__(
        self, brokers: Sequence[str], *, report: Callable[[str], None], stopping: Callable[[], bool] = lambda: False
    ) -> None:
        self.acknowledged = 0
        self._report = report
        self._stopping = stopping
        self._connection = Connection(brokers, report=report)
        # Sent and not yet answered, the oldest first; and what has to be sent once more.
        self._sent: deque[tuple[Any, Outgoing]] = deque()
        self._again: deque[Outgoing] = deque()
        self._answered_at = 0.0

    @property
    def in_flight(self) -> int:
        return len(self._sent) + len(self._again)

    def send(self, record: Outgoing) -> bool:
        """Send a record, after waiting for as long as too many others are on their way."""
        self._settle()
        while not self._has_room() or not self._produce(record):
            if self._stopping():
                return False
            time.sleep(0.005)
            self._settle()
        return True

    def flush(self, timeout: float) -> int:
        """Wait until everything has arrived; returns how many records have not."""
        deadline = time.monotonic() + timeout
        while True:
            self._settle()
            if not self.in_flight or time.monotonic() >= deadline:
                return self.in_flight
            time.sleep(0.005)

    def close(self) -> None:
        self._connection.close()

    def _has_room(self) -> bool:
        return not self._again and len(self._sent) < MAX_IN_FLIGHT

    def _produce(self, record: Outgoing) -> bool:
        """Hand a record to the producer; false if it could not take it."""
        producer = self._connection.producer_for(record.topic)
        if producer is None:
            return False
        try:
            future = producer.send(record.topic, key=record.key, value=record.value)
        except HOPELESS as error:
            self._leave_out(record, error)
            return True
        except KafkaError:
            # Not even the topic is known to it: start over with a producer that knows.
            self._give_up()
            return False
        if not self._sent:
            self._answered_at = time.monotonic()
        self._sent.append((future, record))
        return True

    def _settle(self) -> None:
        """Take note of what arrived, send again what failed, and notice silence."""
        while self._sent and self._sent[0][0].is_done:
            future, record = self._sent.popleft()
            self._answered_at = time.monotonic()
            if future.succeeded():
                self.acknowledged += 1
                self._connection.answered()
            elif isinstance(future.exception, HOPELESS):
                self._leave_out(record, future.exception)
            else:
                self._again.append(record)
        if self._sent and time.monotonic() - self._answered_at > SILENCE:
            self._give_up()
        while self._again and self._produce(self._again[0]):
            self._again.popleft()

    def _give_up(self) -> None:
        """What a silent producer had not delivered is sent again by the next one, in its order."""
        self._connection.lost()
        self._again.extendleft(record for _, record in reversed(self._sent))
        self._sent.clear()

    def _leave_out(self, record: Outgoing, error: Exception) -> None:
        self._report(f"Left out a record of {len(record.value)} bytes: {error}")
