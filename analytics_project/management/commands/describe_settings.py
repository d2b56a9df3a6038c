from typing import Any

from django.core.management.base import BaseCommand

from analytics_project.config.reference import reference


class Command(BaseCommand):
    help = "Print the reference of all settings, as docs/configuration.md has it."
    requires_system_checks = []

    def handle(self, **options: Any) -> None:
        self.stdout.write(reference(), ending="")
