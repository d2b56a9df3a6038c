"""Records that Kafka removed before they were read: the partition stops, says so, and goes on when told."""

import json
from datetime import UTC, datetime

import pytest
from django.core.management import call_command
from kafka import TopicPartition
from kafka.admin import KafkaAdminClient

from events.models import Event, IngestGap, LedgerEntry
from tests import embedded
from tests.pipeline import Pipeline
from tests.processes import Running

pytestmark = [
    pytest.mark.django_db,
    pytest.mark.skipif(
        not embedded.NAME.startswith("real"), reason="the embedded broker removes nothing: SERVICES_NAME=real runs this"
    ),
]


def remove_records(pipeline: Pipeline, before: int) -> None:
    """What retention does, at once: partition 0 begins at the offset `before` then."""
    admin = KafkaAdminClient(bootstrap_servers=pipeline.brokers)
    admin.delete_records({TopicPartition(pipeline.topics[0], 0): before})
    admin.close()


def event(number: int, *, size: int = 10) -> bytes:
    properties = {"number": number, "filler": "x" * size}
    return json.dumps(
        {"event_type": "e2e.lost", "timestamp": datetime.now(UTC).isoformat(), "properties": properties}
    ).encode()


def stored() -> set[int]:
    return set(Event.objects.values_list("properties__number", flat=True))


def assert_stops_until_told(pipeline: Pipeline, consumer: Running, *, until: int, count: int) -> None:
    """The hole up to offset `until` is written down; everything else of 0 to `count` is stored in the end."""
    topic = pipeline.topics[0]
    stopped = LedgerEntry.objects.filter(topic=topic, kafka_partition=0).exclude(stopped_reason="")
    pipeline.wait(stopped.exists, "the partition to be stopped")
    gap = IngestGap.objects.get(ledger_entry__topic=topic)
    assert (gap.kind, gap.hi, gap.resolved_at) == (IngestGap.Kind.RETENTION, until, None)
    pipeline.wait(lambda: f"manage.py ledger skip {topic} 0" in consumer.text(), "the log to say what to do")

    call_command("ledger", "skip", topic, "0")
    pipeline.wait_until_done()

    assert stored() == set(range(gap.lo)) | set(range(gap.hi, count))
    assert not stopped.exists()


def test_records_removed_while_no_consumer_ran(pipeline: Pipeline) -> None:
    first = pipeline.consumer()
    pipeline.worker()
    pipeline.send((event(number) for number in range(100)), partition=0)
    pipeline.wait_until_done()
    first.terminate()
    first.wait_for_end(20)
    pipeline.send((event(number) for number in range(100, 300)), partition=0)
    remove_records(pipeline, before=200)

    assert_stops_until_told(pipeline, pipeline.consumer(), until=200, count=300)


def test_records_removed_under_a_consumer_that_is_behind(pipeline: Pipeline) -> None:
    # It pauses after 50 records, as nobody stores them; one fetch holds no more than 80 of these.
    consumer = pipeline.consumer(INGESTION_MAX_IN_FLIGHT="50", INGESTION_BATCH_SIZE="10")
    pipeline.send((event(number, size=7000) for number in range(1500)), partition=0)
    pipeline.wait_until_queued(5)
    remove_records(pipeline, before=1400)

    pipeline.worker()

    assert_stops_until_told(pipeline, consumer, until=1400, count=1500)
