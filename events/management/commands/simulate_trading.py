import logging
import secrets
import signal
import time
from argparse import ArgumentParser
from datetime import datetime
from itertools import takewhile
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from analytics_project.services import broker_memory_exceeded
from events.kafka import quieten_client
from events.kafka.outbox import Outbox
from events.management import arguments
from events.simulation import World
from events.simulation.disorder import Disorder
from events.simulation.identity import SECOND, microseconds
from events.simulation.live import Live
from events.simulation.symbols import DEFAULT_SYMBOLS

logger = logging.getLogger(__name__)
FLUSH_SECONDS = 1.2


class Command(BaseCommand):
    help = "Send the events of a simulated B25 to Kafka, until it is stopped or its duration is over."
    requires_system_checks = []

    def add_arguments(self, parser: ArgumentParser) -> None:
        add = parser.add_argument
        add("--rate", type=arguments.positive, default=20.0, help="events per second (default: 20)")
        add("--symbols", type=arguments.comma_list, default=list(DEFAULT_SYMBOLS), help="BTCUSDT,ETHUSDT,…")
        add("--seed", type=int, help="the same seed and --start give the same events (default: by chance)")
        add("--duration", type=arguments.duration, help="such as 30s or 5m (default: without end)")
        add("--start", type=arguments.moment, help="RFC 3339 time of the first event (default: now)")
        add("--speed", type=arguments.positive, default=1.0, help="simulated seconds per second, with --start")
        add("--duplicates", type=arguments.fraction, default=0.0, help="fraction of events sent twice")
        add("--late", type=arguments.fraction, default=0.0, help="fraction of events held back for up to 5 min")
        add("--shuffle", action="store_true", help="mix the order of events that are sent together")

    def handle(self, *, seed: int | None, **options: Any) -> None:
        self.stopping = False
        for signum in (signal.SIGTERM, signal.SIGINT):
            signal.signal(signum, self.stop)
        quieten_client()
        seed = secrets.randbits(32) if seed is None else seed
        logger.info("Sending %g events/s of %s, seed %d", options["rate"], ",".join(options["symbols"]), seed)
        outbox = Outbox(settings.CONFIG.kafka.brokers, report=logger.warning, stopping=self.is_stopping)
        sent = self.send(outbox, seed=seed, **options)
        while outbox.flush(FLUSH_SECONDS) and not self.stopping:
            pass
        logger.info("%d events sent, %d not delivered", sent, outbox.flush(0))
        outbox.close()

    def send(self, outbox: Outbox, *, seed: int, start: datetime | None, speed: float, **options: Any) -> int:
        if start is None and speed != 1:
            raise CommandError("--speed needs --start: a stream that follows the clock cannot overtake it")
        begins = microseconds(start) if start else time.time_ns() // 1000
        try:
            world = World(seed=seed, start=begins, rate=options["rate"] / speed, symbols=options["symbols"])
        except ValueError as error:
            raise CommandError(f"--symbols: {error}") from error
        events = world.events()
        if options["duration"]:
            ends = begins + int(options["duration"].total_seconds() * speed * SECOND)
            events = takewhile(lambda event: event.at < ends, events)
        disorder = Disorder(options["duplicates"], options["late"], options["shuffle"], seed)
        live = Live(
            outbox,
            stopping=self.is_stopping,
            speed=speed,
            # A stream with a given start is the same each time, so nothing of it may be skipped.
            skip=None if start else world.skip,
            broker_is_full=broker_memory_exceeded,
        )
        live.run(disorder.applied(events), start=begins)
        return live.sent

    def stop(self, signum: int, frame: object) -> None:
        self.stopping = True

    def is_stopping(self) -> bool:
        return self.stopping
