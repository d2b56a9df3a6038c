import signal
import time
from argparse import ArgumentParser
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError
from kafka.errors import KafkaError
from tqdm import tqdm

from analytics_project.services import broker_memory_exceeded
from events.kafka import files, quieten_client
from events.kafka.outbox import Outbox
from events.kafka.outgoing import Outgoing
from events.kafka.topics import BrokerAway, connect
from events.management import arguments

FLUSH_SECONDS = 1.0


class Command(BaseCommand):
    help = "Send files of events (one JSON object a line, plain or gzip) to a Kafka topic."
    requires_system_checks = []

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("files", nargs="+", type=Path, metavar="FILE")
        parser.add_argument("--topic", required=True, help="an existing topic, such as market.data")
        parser.add_argument("--rate", type=arguments.positive, help="records per second (default: as fast as it goes)")

    def handle(self, *, files: list[Path], topic: str, rate: float | None, **options: Any) -> None:
        self.stopping = False
        self.failure = ""
        for signum in (signal.SIGTERM, signal.SIGINT):
            signal.signal(signum, self.stop)
        quieten_client()
        sizes = self.examine(files, topic)
        outbox = Outbox(settings.CONFIG.kafka.brokers, report=self.report, stopping=self.is_stopping)
        with tqdm(total=sum(sizes), unit="B", unit_scale=True, unit_divisor=1024, desc=topic) as bar:
            sent = self.send(outbox, self.records(files, topic, bar), rate)
            while outbox.flush(FLUSH_SECONDS) and not self.stopping:
                pass
        outbox.close()
        self.stdout.write(f"{sent} records sent to {topic}, {outbox.acknowledged} of them acknowledged")
        if self.failure or self.stopping:
            raise CommandError(self.failure or "stopped before the end; sent again, the same events are duplicates")

    def examine(self, paths: list[Path], topic: str) -> list[int]:
        """Find out what is wrong before anything is sent."""
        brokers = settings.CONFIG.kafka.brokers
        try:
            sizes = [files.check(path) for path in paths]
            with connect(brokers, timeout=30, report=self.report, stopping=self.is_stopping) as admin:
                known = sorted(admin.list_topics())
        except (files.Unreadable, BrokerAway, KafkaError) as error:
            raise CommandError(str(error)) from error
        if topic not in known:
            raise CommandError(f"unknown topic {topic}; the broker has {', '.join(known) or 'none'}")
        return sizes

    def records(self, paths: list[Path], topic: str, bar: "tqdm[Any]") -> Iterator[Outgoing]:
        try:
            for path in paths:
                yield from files.records(path, topic, bar.update)
        except files.Unreadable as error:
            # What was read before the damage is still delivered.
            self.failure = str(error)

    def send(self, outbox: Outbox, records: Iterator[Outgoing], rate: float | None) -> int:
        sent = 0
        began = looked = time.monotonic()
        for record in records:
            if time.monotonic() - looked > 1:
                self.wait_for_memory()
                looked = time.monotonic()
            if rate:
                self.sleep_until(began + sent / rate)
            if self.stopping or not outbox.send(record):
                break
            sent += 1
        return sent

    def wait_for_memory(self) -> None:
        if broker_memory_exceeded():
            self.report("Paused: the embedded Kafka broker is at its memory limit; `manage.py services recycle` it")
        while broker_memory_exceeded() and not self.stopping:
            time.sleep(0.5)

    def sleep_until(self, due: float) -> None:
        while not self.stopping and (ahead := due - time.monotonic()) > 0.001:
            time.sleep(min(ahead, 0.05))

    def report(self, line: str) -> None:
        tqdm.write(line, file=self.stderr)

    def stop(self, signum: int, frame: object) -> None:
        self.stopping = True

    def is_stopping(self) -> bool:
        return self.stopping
