"""The Kafka broker of the tests, looked at directly: what lies in a topic."""

import time
from uuid import uuid4

from django.conf import settings
from kafka import KafkaConsumer, TopicPartition

from events.kafka.topics import connect


def new_topic(partitions: int = 3) -> str:
    """A topic nobody else uses."""
    name = f"test.{uuid4().hex}"
    with connect(settings.CONFIG.kafka.brokers, timeout=10, report=print) as admin:
        admin.create_topics({name: {"num_partitions": partitions, "replication_factor": 1}}, wait_for_metadata=True)
    return name


def records_of(topic: str, count: int, brokers: list[str] | None = None) -> list[tuple[int, bytes | None, bytes]]:
    """Kafka partition, key and value of the first records, in order within each partition.

    Ends when there are so many, or when nothing more has come for four seconds.
    """
    consumer = KafkaConsumer(
        bootstrap_servers=brokers or settings.CONFIG.kafka.brokers, auto_offset_reset="earliest", group_id=None
    )
    try:
        consumer.assign([TopicPartition(topic, number) for number in consumer.partitions_for_topic(topic) or ()])
        found: list[tuple[int, bytes | None, bytes]] = []
        deadline = time.monotonic() + 20
        while len(found) < count and time.monotonic() < deadline:
            for batch in consumer.poll(timeout_ms=300).values():
                found += [(record.partition, record.key, record.value) for record in batch]
                deadline = time.monotonic() + 4
        return found
    finally:
        consumer.close()
