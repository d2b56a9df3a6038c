from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand

from metrics import retention


class Command(BaseCommand):
    help = "Drop what is older than its retention and fully rolled up; tell what is held back, and why."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--dry-run", action="store_true", help="print the plan only")

    def handle(self, *, dry_run: bool, **options: Any) -> None:
        plan = retention.plan()
        self.stdout.write(str(plan))
        if not dry_run:
            self.stdout.write(str(retention.apply(plan)))
