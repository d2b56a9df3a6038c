import sys
from argparse import ArgumentParser, ArgumentTypeError
from datetime import UTC, datetime, timedelta
from typing import Any

from django.core.management.base import BaseCommand

from events.accounting import ReportLine, report
from events.refusal import Refused
from events.timestamps import parse_timestamp

HEADER = ("source", "topic", "batches", "received", "stored", "duplicates", "refused", "redelivered")


def moment(text: str) -> datetime:
    try:
        return parse_timestamp(text)
    except Refused as refused:
        raise ArgumentTypeError(refused.error) from None


class Command(BaseCommand):
    help = "Account for every record of a window: received = stored + duplicates + refused."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--start", type=moment, help="RFC 3339; 24 hours before the end if not given")
        parser.add_argument("--end", type=moment, help="RFC 3339; now if not given")

    def handle(self, *, start: datetime | None, end: datetime | None, **options: Any) -> None:
        end = end or datetime.now(UTC) + timedelta(seconds=1)
        start = start or end - timedelta(days=1)
        lines = report(start, end)
        self.stdout.write(f"{start.isoformat()} to {end.isoformat()}")
        self.row(*HEADER)
        for line in lines:
            self.row(*(getattr(line, name) or "-" if name == "topic" else getattr(line, name) for name in HEADER))
        total = total_of(lines)
        self.row("total", "", *(getattr(total, name) for name in HEADER[2:]))
        if not total.balanced:
            self.stderr.write("received is not stored + duplicates + refused")
            sys.exit(1)
        self.stdout.write("received = stored + duplicates + refused")

    def row(self, *cells: object) -> None:
        source, topic, *numbers = cells
        self.stdout.write(f"{source:8} {topic:24}" + "".join(f"{number:>13}" for number in numbers))


def total_of(lines: list[ReportLine]) -> ReportLine:
    sums = (sum(getattr(line, name) for line in lines) for name in HEADER[2:])
    return ReportLine("total", None, *sums)
