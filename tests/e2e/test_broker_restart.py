"""A broker that is stopped or killed keeps its topics and records: true for Apache Kafka only."""

import signal
from collections.abc import Iterator
from uuid import uuid4

import pytest
from kafka import KafkaConsumer, KafkaProducer
from kafka.admin import KafkaAdminClient

from analytics_project.services import ports
from analytics_project.services.process import send, wait_for_end
from analytics_project.services.service import Service
from tests import embedded

pytestmark = pytest.mark.skipif(
    not embedded.NAME.startswith("real"), reason="the embedded broker keeps nothing: SERVICES_NAME=real runs this"
)


@pytest.fixture
def broker() -> Iterator[Service]:
    broker = embedded.instance["kafka"]
    yield broker
    broker.start(embedded.report)


def address(broker: Service) -> str:
    return f"{ports.HOST}:{broker.port()}"


def make_topic(broker: Service) -> str:
    topic = f"restart-{uuid4()}"
    client = KafkaAdminClient(bootstrap_servers=address(broker))
    client.create_topics({topic: {"num_partitions": 2, "replication_factor": 1}}, wait_for_metadata=True)
    client.close()
    return topic


def topic_id(broker: Service, topic: str) -> str:
    client = KafkaAdminClient(bootstrap_servers=address(broker))
    found = client.describe_topics([topic])[0]["topic_id"]
    client.close()
    return str(found)


def produce(broker: Service, topic: str, values: range) -> None:
    producer = KafkaProducer(bootstrap_servers=address(broker))
    for value in values:
        producer.send(topic, str(value).encode())
    producer.flush()
    producer.close()


def consume(broker: Service, topic: str) -> list[int]:
    consumer = KafkaConsumer(
        topic,
        bootstrap_servers=address(broker),
        group_id=f"group-{uuid4()}",
        auto_offset_reset="earliest",
        consumer_timeout_ms=5000,
    )
    values = sorted(int(record.value) for record in consumer)
    consumer.close()
    return values


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_a_restart_keeps_topic_id_and_records(broker: Service, number: signal.Signals) -> None:
    topic = make_topic(broker)
    before = topic_id(broker, topic)
    produce(broker, topic, range(1000))
    running = broker.running()
    assert running

    send(running, number)
    wait_for_end(running, 30)
    broker.start(embedded.report)
    produce(broker, topic, range(1000, 1100))

    assert topic_id(broker, topic) == before
    assert consume(broker, topic) == list(range(1100))
