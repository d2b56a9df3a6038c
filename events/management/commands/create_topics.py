from argparse import ArgumentParser
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError
from kafka.errors import KafkaError

from events.kafka import quieten_client
from events.kafka.topics import BrokerAway, TopicState, connect, ensure_topics


class Command(BaseCommand):
    help = "Create the Kafka topics that do not exist yet, and tell of those that do."
    requires_system_checks = []

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "--replication-factor", type=int, default=1, help="copies of each record (default: 1; production: 3)"
        )
        parser.add_argument("--timeout", type=float, default=30, help="seconds to wait for a broker (default: 30)")

    def handle(self, *, replication_factor: int, timeout: float, **options: Any) -> None:
        quieten_client()
        kafka = settings.CONFIG.kafka
        try:
            with connect(kafka.brokers, timeout=timeout, report=self.stderr.write) as admin:
                states = ensure_topics(admin, kafka.topics, replication_factor=replication_factor)
        except BrokerAway as error:
            raise CommandError(f"{error}: is it running, and is KAFKA_BROKERS right?") from error
        except KafkaError as error:
            raise CommandError(f"Kafka refused: {error}") from error
        for state in states:
            self._tell(state)

    def _tell(self, state: TopicState) -> None:
        plan = state.plan
        verb = "created" if state.created else "exists"
        line = f"{plan.name}: {verb}, {state.partitions} partitions"
        if state.created:
            line += f", keeps {plan.retention.days} d"
        self.stdout.write(line)
        if state.differs:
            self.stderr.write(
                self.style.WARNING(f"{plan.name} has {state.partitions} partitions, planned are {plan.partitions}")
            )
