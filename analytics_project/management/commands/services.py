import sys
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand

from analytics_project.services import cli


class Command(BaseCommand):
    help = "Start, stop and describe the embedded PostgreSQL, Redis and Kafka broker of development and tests."
    # It runs before there is a database to check.
    requires_system_checks = []

    def add_arguments(self, parser: ArgumentParser) -> None:
        cli.add_arguments(parser)

    def handle(self, *, action: str, name: str, **options: Any) -> None:
        code = cli.run(action, name, write=self.stdout.write, progress=self.stderr.write)
        if code:
            sys.exit(code)
