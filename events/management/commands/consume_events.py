import gc
import logging
import signal
import time
from argparse import ArgumentParser
from datetime import UTC, datetime
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand
from django.db import Error as DatabaseError
from kafka.errors import KafkaError

from events import partitions
from events.consumer.assignment import Assignment, Stuck
from events.consumer.client import KafkaClient
from events.consumer.handoff import QueueState
from events.consumer.reader import Policy
from events.consumer.runner import Runner

logger = logging.getLogger(__name__)
RETRY_SECONDS = 2


class Command(BaseCommand):
    help = "Read events from Kafka and enqueue them in batches for the ingest workers."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--topic", action="append", dest="topics", help="instead of those configured")

    def handle(self, *, topics: list[str] | None, **options: Any) -> None:
        # Records come by the thousand and go as they came, without a cycle among them: looking for
        # cycles after every 700 would cost a fifth of the consumer's time. Too seldom would cost
        # memory, since kafka-python ties fetched buffers into cycles.
        gc.freeze()
        gc.set_threshold(10_000, 10, 10)
        self.runner: Runner | None = None
        self.stopping = False
        for signum in (signal.SIGTERM, signal.SIGINT):
            signal.signal(signum, self.stop)
        while not self.stopping:
            try:
                self.consume(topics or settings.CONFIG.kafka.topics)
            except (KafkaError, DatabaseError, OSError, Stuck) as error:
                logger.warning("Starting again in %d s: %r", RETRY_SECONDS, error)
                time.sleep(RETRY_SECONDS)

    def stop(self, signum: int, frame: object) -> None:
        self.stopping = True
        if self.runner:
            self.runner.stop()

    def consume(self, topics: list[str]) -> None:
        retention = settings.CONFIG.analytics.retention
        partitions.apply(partitions.plan_ahead(datetime.now(UTC).date(), retention.partitions_ahead))
        client = KafkaClient(topics, settings.CONFIG.kafka.consumer_group)
        try:
            self.runner = Runner(Assignment(client, policy()), QueueState(), stopping=self.stopping)
            logger.info("Consuming %s", ", ".join(topics))
            self.runner.run()
        finally:
            client.close()
            logger.info("Consumer closed")


def policy() -> Policy:
    ingestion = settings.CONFIG.analytics.ingestion
    return Policy(
        batch_size=ingestion.batch_size,
        batch_timeout=ingestion.batch_timeout,
        quiet_timeout=ingestion.quiet_timeout,
        max_in_flight=ingestion.max_in_flight,
        stall_timeout=ingestion.stall_timeout,
    )
