from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand

from events.models import DeadLetter
from events.reasons import Reason
from events.replays import replay


class Command(BaseCommand):
    help = "Store dead letters that can be stored now, after what refused them was changed."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("ids", nargs="*", type=int, help="these only; all open ones if none is given")
        parser.add_argument("--reason", choices=Reason.values)
        parser.add_argument("--limit", type=int, default=100_000)

    def handle(self, *, ids: list[int], reason: str | None, limit: int, **options: Any) -> None:
        letters = DeadLetter.objects.filter(replayed_at=None).order_by("pk")
        if ids:
            letters = letters.filter(pk__in=ids)
        if reason:
            letters = letters.filter(reason=reason)
        result = replay(list(letters.values_list("pk", flat=True)[:limit]))
        self.stdout.write(f"{result.replayed} replayed, {result.still_refused} still refused")
