import os
import time
from typing import Any

from django.contrib.auth import get_user_model
from django.core.management import call_command
from django.core.management.base import BaseCommand

STEPS = (
    ("migrate", "applying migrations"),
    ("create_topics", "creating the Kafka topics"),
    ("maintain_partitions", "making partitions ahead"),
)


class Command(BaseCommand):
    help = "Make database, topics, partitions and the admin user ready for `make run`. Safe to repeat."
    requires_system_checks = []

    def handle(self, **options: Any) -> None:
        for command, purpose in STEPS:
            began = time.monotonic()
            self.stdout.write(f"{purpose} …")
            call_command(command, stdout=self.stdout, stderr=self.stderr, verbosity=0)
            self.stdout.write(f"{purpose}: done after {time.monotonic() - began:.1f} s")
        self.make_admin(os.environ["DEV_ADMIN_PASSWORD"])

    def make_admin(self, password: str) -> None:
        """Create the user once; a password that the developer changed stays."""
        users = get_user_model().objects
        if not users.filter(username="admin").exists():
            users.create_superuser(username="admin", password=password)
