from argparse import ArgumentParser
from datetime import UTC, datetime
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand

from events import partitions


class Command(BaseCommand):
    help = "Make the partitions of the days ahead."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--dry-run", action="store_true", help="print the plan only")
        parser.add_argument("--days", type=int, default=settings.CONFIG.analytics.retention.partitions_ahead)

    def handle(self, *, dry_run: bool, days: int, **options: Any) -> None:
        plan = partitions.plan_ahead(datetime.now(UTC).date(), days)
        self.stdout.write(str(plan))
        if not dry_run:
            partitions.apply(plan)
