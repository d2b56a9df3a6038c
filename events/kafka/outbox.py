"""A way out to Kafka that loses nothing while brokers are away: it waits, and says so once."""

import socket
import time
from collections import deque
from collections.abc import Callable, Sequence
from typing import Any

from kafka import KafkaProducer
from kafka.errors import KafkaError, MessageSizeTooLargeError, RecordListTooLargeError

from events.kafka.outgoing import Outgoing
from events.kafka.topics import BrokerAway, connect, ensure_topics

# Records on their way. With more, `send` waits: what no broker takes must not fill our memory.
MAX_IN_FLIGHT = 20_000
SILENCE = 3.0  # seconds without an answer after which the brokers count as away
PATIENCE = 6.0  # seconds in which a producer must find its way to brokers that answer again
# Sending such a record again would fail again.
HOPELESS = (MessageSizeTooLargeError, RecordListTooLargeError)
DAY_MS = 86_400_000


def listens(broker: str) -> bool:
    """Does anything accept connections there? Quicker to say no than a client of Kafka."""
    host, _, port = broker.rpartition(":")
    try:
        with socket.create_connection((host.strip("[]"), int(port)), timeout=0.3):
            return True
    except OSError:
        return False


class Outbox:
    """Sends records in order, each at least once.

    Once `stopping` answers true, nothing waits any more and `send` answers false instead.
    """

    def __init__(
        self, brokers: Sequence[str], *, report: Callable[[str], None], stopping: Callable[[], bool] = lambda: False
    ) -> None:
        self.brokers = list(brokers)
        self.acknowledged = 0
        self.away = False
        self._report = report
        self._stopping = stopping
        self._producer: KafkaProducer | None = None
        self._topics: set[str] = set()
        # Sent and not yet answered, the oldest first; and what has to be sent once more.
        self._sent: deque[tuple[Any, Outgoing]] = deque()
        self._again: deque[Outgoing] = deque()
        self._answered_at = self._revived_at = self._looked_at = 0.0

    @property
    def in_flight(self) -> int:
        return len(self._sent) + len(self._again)

    def send(self, record: Outgoing) -> bool:
        """Send a record, after waiting for as long as too many others are on their way."""
        self._settle()
        while not self._try(record):
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
        self._drop_producer()

    def _try(self, record: Outgoing) -> bool:
        if self._again or len(self._sent) >= MAX_IN_FLIGHT:
            return False
        return self._produce(record)

    def _produce(self, record: Outgoing) -> bool:
        """Hand a record to the client; false if it could not take it."""
        self._topics.add(record.topic)
        if not self._sent:
            self._answered_at = time.monotonic()
        try:
            if self._producer is None:
                self._producer = self._new_producer()
            future = self._producer.send(record.topic, key=record.key, value=record.value)
        except HOPELESS as error:
            self._report(f"Left out a record of {len(record.value)} bytes: {error}")
            return True
        except KafkaError:
            self._look_for_brokers()
            return False
        self._sent.append((future, record))
        return True

    def _settle(self) -> None:
        """Take note of what arrived, send again what failed, and notice silence."""
        while self._sent and self._sent[0][0].is_done:
            future, record = self._sent.popleft()
            self._answered_at = time.monotonic()
            if future.succeeded():
                self.acknowledged += 1
                self._back()
            elif isinstance(future.exception, HOPELESS):
                self._report(f"Left out a record of {len(record.value)} bytes: {future.exception}")
            else:
                self._again.append(record)
        while self._again and self._produce(self._again[0]):
            self._again.popleft()
        if self._sent and time.monotonic() - self._answered_at > SILENCE:
            self._look_for_brokers()

    def _back(self) -> None:
        if self.away:
            self.away = False
            self._report(f"Kafka answers again; {self.in_flight} records are on their way")

    def _look_for_brokers(self) -> None:
        """Say that nobody answers; when somebody does, see to it that we are heard."""
        now = time.monotonic()
        if not self.away:
            self.away = True
            self._revived_at = 0.0
            self._report(f"Kafka does not answer at {', '.join(self.brokers)}; waiting")
        if now - self._looked_at < 1:
            return
        self._looked_at = now
        if not any(listens(broker) for broker in self.brokers):
            self._revived_at = 0.0
            return
        try:
            with connect(self.brokers, timeout=0, report=self._report) as admin:
                # A broker that lives in memory comes back without its topics.
                ensure_topics(admin, sorted(self._topics), replication_factor=-1)
        except (BrokerAway, KafkaError):
            self._revived_at = 0.0
            return
        self._revived_at = self._revived_at or now
        if now - self._revived_at > PATIENCE:
            self._start_over()

    def _start_over(self) -> None:
        """A client that does not recover is replaced; what it had not delivered is sent again."""
        self._drop_producer()
        self._again.extendleft(record for _, record in reversed(self._sent))
        self._sent.clear()
        self._revived_at = 0.0

    def _drop_producer(self) -> None:
        if self._producer is not None:
            self._producer.close(timeout=0)
            self._producer = None

    def _new_producer(self) -> KafkaProducer:
        return KafkaProducer(
            bootstrap_servers=self.brokers,
            bootstrap_timeout_ms=1000,
            acks="all",
            compression_type="lz4",
            linger_ms=10,
            batch_size=65_536,
            # Order per key holds because one request at a time is under way. Idempotence would not
            # survive a broker that forgets; a record sent twice is a duplicate by its id.
            enable_idempotence=False,
            max_in_flight_requests_per_connection=1,
            # How long to keep trying is decided here, not by the client.
            delivery_timeout_ms=DAY_MS,
            max_block_ms=1000,
            reconnect_backoff_max_ms=1000,
            # An unknown topic is an error, or waits to be created with the right partitions.
            allow_auto_create_topics=False,
        )
