"""Topics of Kafka filled ahead of a measurement."""

from collections.abc import Sequence

from django.conf import settings
from kafka import KafkaAdminClient, KafkaProducer
from kafka.admin import NewTopic

from analytics_project.services import Instance, broker_memory_exceeded
from benchmarks.figures import say
from benchmarks.place import INSTANCE


def recycle() -> None:
    """Empty the embedded broker, which never frees a record, before it hurts."""
    instance = Instance(INSTANCE)
    if instance["kafka"].elsewhere() is None and broker_memory_exceeded():
        say("recycling the embedded broker")
        instance.restart("kafka")


def create(name: str, partitions: int) -> None:
    admin = KafkaAdminClient(bootstrap_servers=settings.CONFIG.kafka.brokers)
    try:
        admin.create_topics([NewTopic(name, num_partitions=partitions, replication_factor=1)])
    finally:
        admin.close()


def remove(name: str) -> None:
    admin = KafkaAdminClient(bootstrap_servers=settings.CONFIG.kafka.brokers)
    try:
        admin.delete_topics([name])
    finally:
        admin.close()


def producer(linger_ms: int = 20) -> KafkaProducer:
    return KafkaProducer(
        bootstrap_servers=settings.CONFIG.kafka.brokers,
        compression_type="lz4",
        linger_ms=linger_ms,
        batch_size=131_072,
        acks=1,
    )


def fill(name: str, values: Sequence[bytes], partitions: int) -> None:
    """Spread the values evenly; all of them are in the topic afterwards."""
    sender = producer()
    failures: list[BaseException] = []
    try:
        for number, value in enumerate(values):
            # A hundred after another to one partition: the batches of a real producer, not a record each.
            sender.send(name, value, partition=number // 100 % partitions).add_errback(failures.append)
        sender.flush()
    finally:
        sender.close()
    if failures:
        raise RuntimeError(f"{len(failures)} records did not reach Kafka: {failures[0]!r}")
