"""A producer that is there when brokers are, and topics that are there before it is."""

import socket
import time
from collections.abc import Callable, Sequence

from kafka import KafkaProducer
from kafka.errors import KafkaError

from events.kafka.topics import BrokerAway, connect, ensure_topics

RETRY_EVERY = 1.0
# A broker that lives in memory comes back without its topics. It takes records for them all the
# same, and drops them; so somebody has to look.
LOOK_AFTER_TOPICS_EVERY = 5.0
DAY_MS = 86_400_000


def listens(broker: str) -> bool:
    """Does anything accept connections there? Quicker to say no than a client of Kafka."""
    host, _, port = broker.rpartition(":")
    try:
        with socket.create_connection((host.strip("[]"), int(port)), timeout=0.3):
            return True
    except OSError:
        return False


class Connection:
    """Tells once that no broker answers, and once that one does again."""

    def __init__(self, brokers: Sequence[str], *, report: Callable[[str], None]) -> None:
        self.brokers = list(brokers)
        self.away = False
        self._report = report
        self._producer: KafkaProducer | None = None
        self._topics: set[str] = set()
        self._try_at = 0.0
        self._topics_seen_at = 0.0

    def producer_for(self, topic: str) -> KafkaProducer | None:
        """The producer, connected; None while no broker answers. Asks them once a second at most."""
        self._topics.add(topic)
        now = time.monotonic()
        if self._producer is not None:
            if now - self._topics_seen_at > LOOK_AFTER_TOPICS_EVERY:
                self._topics_are_there()
            return self._producer
        if now >= self._try_at:
            self._try_at = now + RETRY_EVERY
            self._producer = self._connected()
        return self._producer

    def answered(self) -> None:
        if self.away:
            self.away = False
            self._report("Kafka answers again")

    def lost(self) -> None:
        """Give the producer up: nobody answers it, or not what it needs."""
        self._say_away()
        self.close()

    def close(self) -> None:
        """End the producer at once, whatever it has not delivered."""
        producer, self._producer = self._producer, None
        if producer is not None:
            # kafka-python 3.0.12: close() with undelivered records raises after its timeout and leaves
            # its thread running for ever. Its thread, told to end, fails them first.
            producer._sender.force_close()
            producer._sender.join(1)
            producer.close(timeout=0)

    def _connected(self) -> KafkaProducer | None:
        try:
            if self._topics_are_there():
                return self._new_producer()
        except KafkaError:
            # Gone again while we were asking: the same as not there.
            self._say_away()
            return None
        self._say_away()
        return None

    def _topics_are_there(self) -> bool:
        """See to it that they are; false if no broker answers."""
        self._topics_seen_at = time.monotonic()
        if not any(listens(broker) for broker in self.brokers):
            return False
        try:
            with connect(self.brokers, timeout=0, report=self._report) as admin:
                # The broker's own default of copies: how many it has, it knows best.
                states = ensure_topics(admin, sorted(self._topics), replication_factor=-1)
        except (BrokerAway, KafkaError):
            return False
        created = [state.plan.name for state in states if state.created]
        if created:
            self._report(f"Created {', '.join(created)}: the broker did not have them")
        return True

    def _say_away(self) -> None:
        if not self.away:
            self.away = True
            self._report(f"Kafka does not answer at {', '.join(self.brokers)}; waiting")

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
            # How long to keep trying is decided by the outbox.
            delivery_timeout_ms=DAY_MS,
            max_block_ms=1000,
            reconnect_backoff_max_ms=1000,
            allow_auto_create_topics=False,
        )
