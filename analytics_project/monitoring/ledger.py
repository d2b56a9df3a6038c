"""How far the consumer is: read from the ledger, which the storing transactions keep."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from django.conf import settings
from django.db import connection

from events.ledger import WATERMARK

# The consumer looks at the ends of its partitions every few seconds.
STALE_AFTER = timedelta(seconds=60)

CURRENT = f"""
SELECT DISTINCT ON (topic, kafka_partition) topic, kafka_partition, {WATERMARK} AS watermark,
    greatest(end_offset, {WATERMARK}), stopped_reason, updated_at
FROM kafka_ledger WHERE topic = ANY(%s) ORDER BY topic, kafka_partition, id DESC
"""


@dataclass(frozen=True)
class KafkaPartition:
    """`lag` is the number of records that Kafka holds and that are neither stored nor refused yet."""

    topic: str
    number: int
    watermark: int
    lag: int
    stopped_reason: str
    looked_at: datetime


@dataclass(frozen=True)
class ConsumerState:
    """`status`: running; stopped (a partition needs an operator); stale (no sign of life); absent (never ran)."""

    status: str
    lag: int
    stopped: tuple[str, ...]
    looked_at: datetime | None


def kafka_partitions() -> list[KafkaPartition]:
    """The current entry of each partition of the topics that this service reads."""
    with connection.cursor() as cursor:
        cursor.execute(CURRENT, [settings.CONFIG.kafka.topics])
        return [
            KafkaPartition(topic, number, watermark, (end or watermark) - watermark, stopped, looked_at)
            for topic, number, watermark, end, stopped, looked_at in cursor.fetchall()
        ]


def summarise(partitions: Iterable[KafkaPartition], now: datetime | None = None) -> ConsumerState:
    found = list(partitions)
    if not found:
        return ConsumerState("absent", 0, (), None)
    looked_at = max(partition.looked_at for partition in found)
    stopped = tuple(f"{partition.topic}/{partition.number}" for partition in found if partition.stopped_reason)
    status = "running"
    if stopped:
        status = "stopped"
    elif (now or datetime.now(UTC)) - looked_at > STALE_AFTER:
        status = "stale"
    return ConsumerState(status, sum(partition.lag for partition in found), stopped, looked_at)
