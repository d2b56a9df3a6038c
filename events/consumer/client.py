"""kafka-python behind the few calls that the runner needs.

Its rebalance listener runs on the I/O thread, where a query would stop the heartbeats and a
raised error would be followed by records from a default position. So the listener only parks
new partitions (position 0, paused) and leaves a note; the runner takes them over.
"""

import logging
import queue
from collections.abc import Iterable, Mapping, Sequence
from uuid import UUID

from django.conf import settings
from kafka import (
    ConsumerRebalanceListener,
    KafkaAdminClient,
    KafkaConsumer,
    OffsetAndMetadata,
    TopicPartition,
)
from kafka.errors import KafkaError, LogTruncationError, OffsetOutOfRangeError
from kafka.structs import MemberState

from events.consumer.decoding import WholeBatches, unfold
from events.consumer.reader import Raw

logger = logging.getLogger(__name__)

FETCH_BYTES = 524_288
# More than any poll returns. kafka-python 3.0 parks the rest of a partly returned fetch when its
# partition is paused, and may never take it out again; whole fetches it parks and restores well.
UNLIMITED = 1_000_000


class Displaced(KafkaError):  # type: ignore[misc]
    """Kafka has no such offset: retention overtook the reader, or offsets went back."""

    def __init__(self, partitions: list[TopicPartition]) -> None:
        super().__init__(f"no such offset in {', '.join(f'{p.topic}/{p.partition}' for p in partitions)}")
        self.partitions = partitions


class KafkaClient:
    """A member of the consumer group. Raises KafkaError when no broker can be reached."""

    def __init__(self, topics: list[str], group: str) -> None:
        kafka = settings.CONFIG.kafka
        common = {"bootstrap_servers": kafka.brokers, "client_id": "b25-analytics"}
        self.changes: queue.SimpleQueue[tuple[str, list[TopicPartition]]] = queue.SimpleQueue()
        self._admin = KafkaAdminClient(**common)
        self._consumer = KafkaConsumer(
            **common,
            group_id=group,
            enable_auto_commit=False,
            # Positions come from the ledger; Kafka must never choose one by itself.
            auto_offset_reset="none",
            allow_auto_create_topics=False,
            isolation_level="read_committed",
            session_timeout_ms=round(kafka.session_timeout.total_seconds() * 1000),
            heartbeat_interval_ms=round(kafka.session_timeout.total_seconds() * 1000 / 6),
            max_partition_fetch_bytes=FETCH_BYTES,
            fetch_max_bytes=8 * FETCH_BYTES,
            fetch_max_wait_ms=200,
            metadata_max_age_ms=10_000,
            max_poll_records=UNLIMITED,
        )
        self._consumer._fetcher.PartitionRecords = WholeBatches
        for topic in topics:
            # Fetches what Kafka knows of it. A member that joins without is given nothing, has to join
            # again as soon as it knows, and in one of twenty times kafka-python 3.0 then waits for ever.
            self._consumer.partitions_for_topic(topic)
        self._consumer.subscribe(topics, listener=_Parking(self))

    def poll(self, timeout_ms: int) -> Mapping[TopicPartition, Sequence[Raw]]:
        """What arrived, in the order of offsets; empty does not mean that a topic is at its end.

        Raises Displaced when positions are none of Kafka's any more. After that and any other
        KafkaError what was fetched is gone: seek to where reading should go on.
        """
        try:
            polled = self._consumer.poll(timeout_ms=timeout_ms)
            return {partition: unfold(records) for partition, records in polled.items()}
        except OffsetOutOfRangeError as error:
            raise Displaced(list(error.args[0])) from error
        except LogTruncationError as error:
            raise Displaced(list(error.divergent_offsets)) from error

    def park(self, partitions: Iterable[TopicPartition]) -> None:
        for partition in partitions:
            self._consumer.seek(partition, 0)
            self._consumer.pause(partition)

    def seek(self, partition: TopicPartition, offset: int) -> None:
        self._consumer.seek(partition, offset)

    def pause(self, *partitions: TopicPartition) -> None:
        self._consumer.pause(*partitions)

    def resume(self, *partitions: TopicPartition) -> None:
        self._consumer.resume(*partitions)

    def assignment(self) -> set[TopicPartition]:
        return set(self._consumer.assignment())

    def joined(self) -> bool:
        """Whether the group counts this consumer as a settled member; it may have no partition then."""
        return self._consumer.group_metadata().state is MemberState.STABLE

    def beginnings(self, partitions: list[TopicPartition]) -> dict[TopicPartition, int]:
        return dict(self._consumer.beginning_offsets(partitions, timeout_ms=5000))

    def ends(self, partitions: list[TopicPartition]) -> dict[TopicPartition, int]:
        return dict(self._consumer.end_offsets(partitions, timeout_ms=5000))

    def fetched_end(self, partition: TopicPartition) -> int | None:
        """The end as the last fetch saw it. Costs nothing, and some brokers' ListOffsets lags behind it."""
        end: int | None = self._consumer.highwater(partition)
        return end

    def probed_end(self, partition: TopicPartition, offset: int) -> int | None:
        """The end as a fetch at `offset` sees it; None when there is nothing to fetch from there."""
        probe = KafkaConsumer(
            bootstrap_servers=settings.CONFIG.kafka.brokers, auto_offset_reset="none", enable_auto_commit=False
        )
        try:
            probe.assign([partition])
            probe.seek(partition, offset)
            probe.poll(timeout_ms=3000, max_records=1)
            end: int | None = probe.highwater(partition)
            return end
        except OffsetOutOfRangeError:
            return None
        finally:
            probe.close()

    def topic_ids(self, topics: Iterable[str]) -> dict[str, UUID]:
        """The id of each topic that exists."""
        described = self._admin.describe_topics(sorted(set(topics)))
        return {topic["name"]: UUID(str(topic["topic_id"])) for topic in described if not topic["error_code"]}

    def show_progress(self, watermarks: Mapping[TopicPartition, int]) -> None:
        """Commit to Kafka for lag tools to see. Nobody reads it back, so a failure is only told."""
        offsets = {partition: OffsetAndMetadata(offset, "", -1) for partition, offset in watermarks.items()}
        if offsets:
            self._consumer.commit_async(offsets, callback=_tell_failure)

    def close(self) -> None:
        for part in (self._consumer, self._admin):
            try:
                part.close()
            except KafkaError as error:
                logger.warning("Closing the Kafka client: %s", error)


def _tell_failure(offsets: object, result: object) -> None:
    if isinstance(result, Exception):
        logger.debug("Kafka did not take the committed offsets: %s", result)


class _Parking(ConsumerRebalanceListener):  # type: ignore[misc]
    def __init__(self, client: KafkaClient) -> None:
        self.client = client

    def on_partitions_assigned(self, assigned: Iterable[TopicPartition]) -> None:
        partitions = list(assigned)
        self.client.park(partitions)
        self.client.changes.put(("assigned", partitions))

    def on_partitions_revoked(self, revoked: Iterable[TopicPartition]) -> None:
        self.client.changes.put(("revoked", list(revoked)))

    def on_partitions_lost(self, lost: Iterable[TopicPartition]) -> None:
        self.client.changes.put(("revoked", list(lost)))
