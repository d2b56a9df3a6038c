import signal
import time
from argparse import ArgumentParser
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError
from django.db import InterfaceError, OperationalError
from tqdm import tqdm

from events.api.queries import Window
from events.management import arguments
from metrics.management import scope
from metrics.rollups import engine, rebuilding

RUN = 2.0  # seconds of the engine between two looks at what is left
PAUSE = 0.5


class Command(BaseCommand):
    help = (
        "Compute the rollups of a window again from the stored events, into the live tables. What was marked stays"
        " marked: when this is stopped, the workers go on."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        add = parser.add_argument
        add("--start", type=arguments.moment, required=True, help="RFC 3339, such as 2026-11-23T00:00:00Z")
        add("--end", type=arguments.moment, help="RFC 3339 (default: now)")
        scope.add_arguments(parser)
        add("--no-wait", action="store_true", help="mark only, and leave the computing to the workers")

    def handle(
        self,
        *,
        start: datetime,
        end: datetime | None,
        metric: list[str],
        project: list[int],
        no_wait: bool,
        **options: Any,
    ) -> None:
        self.stopping = False
        for signum in (signal.SIGTERM, signal.SIGINT):
            signal.signal(signum, self.stop)
        now = datetime.now(UTC)
        window = Window(start, end or now)
        try:
            projects = self.examine(window, metric, project)
            self.stdout.write(f"{self.mark(projects, window, metric)} buckets marked")
            if not no_wait:
                self.watch(projects, window, metric, now)
        except (OperationalError, InterfaceError) as error:
            hint = "what was marked stays so; the newest days are marked first"
            raise CommandError(f"PostgreSQL: {str(error).strip()}; {hint}") from error

    def examine(self, window: Window, names: Sequence[str], wanted: Sequence[int]) -> list[int]:
        """Find out what is wrong before anything is marked; answers the projects."""
        if window.start >= window.end:
            raise CommandError("--start must be before --end")
        try:
            rebuilding.refuse_sealed(window)
            return scope.projects(wanted, names)
        except (rebuilding.Impossible, scope.Unknown) as error:
            raise CommandError(str(error)) from None

    def mark(self, projects: Sequence[int], window: Window, names: Sequence[str]) -> int:
        marked = 0
        days = len(list(rebuilding.days(window)))
        with tqdm(total=days, unit="day", desc="marking", file=self.stderr, disable=days == 0) as bar:
            for piece, count in rebuilding.rebuild(projects, window, names):
                marked += count
                bar.update()
                if self.stopping and piece.start > window.start:
                    raise CommandError(f"stopped; to go on where it ended: --end {piece.start:%Y-%m-%dT%H:%M:%SZ}")
        return marked

    def watch(self, projects: Sequence[int], window: Window, names: Sequence[str], now: datetime) -> None:
        """Help the workers until nothing of the window is left to compute."""
        settled = now - settings.CONFIG.analytics.aggregation.settle

        def left() -> int:
            return rebuilding.pending(projects, window, names or None, settled)

        total = before = left()
        with tqdm(total=total, unit="bucket", desc="computing", file=self.stderr) as bar:
            while before and not self.stopping:
                report = engine.roll_up(seconds=RUN)
                if not any(report.buckets.values()):
                    time.sleep(PAUSE)  # another worker is at it
                after = left()
                # Minutes mark what is above them, so there may be more to do than a moment ago.
                bar.total = (bar.total or 0) + max(0, after - before)
                bar.update(max(0, before - after))
                before = after
        if before:
            raise CommandError(f"stopped with {before} buckets to compute, which the workers will do")
        self.stdout.write("All of them are computed")

    def stop(self, signum: int, frame: object) -> None:
        self.stopping = True
