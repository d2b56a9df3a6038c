from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from events.consumer import takeover
from events.ledger import all_progress
from events.models import LedgerEntry


class Command(BaseCommand):
    help = "Show how far each Kafka partition is stored, and decide for one that was stopped."

    def add_arguments(self, parser: ArgumentParser) -> None:
        actions = parser.add_subparsers(dest="action", required=True)
        actions.add_parser("list", help="every partition with its watermark and lag")
        skip = actions.add_parser("skip", help="accept that Kafka's retention removed records unread")
        restart = actions.add_parser("restart", help="read a partition afresh, from offset 0 or --from")
        for action in (skip, restart):
            action.add_argument("topic")
            action.add_argument("partition", type=int)
        restart.add_argument("--from", dest="base", type=int, default=0)

    def handle(self, *, action: str, **options: Any) -> None:
        try:
            getattr(self, action)(**options)
        except takeover.NothingToSkip as error:
            raise CommandError(str(error)) from None
        except LedgerEntry.DoesNotExist:
            raise CommandError("the ledger has no such partition; see `ledger list`") from None

    def list(self, **options: Any) -> None:
        for row in all_progress():
            lag = "?" if row.end_offset is None else max(0, row.end_offset - row.watermark)
            line = f"{row.stretch.topic:24} {row.stretch.partition:3}  stored to {row.watermark}  lag {lag}"
            self.stdout.write(f"{line}  STOPPED: {row.stopped_reason}" if row.stopped_reason else line)

    def skip(self, *, topic: str, partition: int, **options: Any) -> None:
        skipped = takeover.skip_gap(topic, partition)
        self.stdout.write(f"{topic}/{partition}: {skipped} lost offsets accepted; reading goes on by itself")

    def restart(self, *, topic: str, partition: int, base: int, **options: Any) -> None:
        stretch = takeover.restart(topic, partition, base)
        self.stdout.write(
            f"{topic}/{partition}: incarnation {stretch.incarnation} begins at {base}; reading goes on by itself"
        )
