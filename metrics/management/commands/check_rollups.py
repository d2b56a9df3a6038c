from argparse import ArgumentParser, ArgumentTypeError
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.db import Error
from tqdm import tqdm

from events.api.queries import Window
from events.management import arguments
from metrics.management import scope
from metrics.rollups import checking, drift, rebuilding
from metrics.rollups.checking import Difference, Summary, Unit

EQUAL, DIFFERS, UNKNOWN = 0, 1, 2
LIMIT = timedelta(minutes=10)  # for one metric and interval of a day


class Command(BaseCommand):
    help = (
        "Recount the stored events and compare every interval of the rollups with that. Exit code 0: equal,"
        " 1: something differs, 2: could not check."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        add = parser.add_argument
        add("--start", type=arguments.moment, help="RFC 3339 (default: the oldest stored events)")
        add("--end", type=arguments.moment, help="RFC 3339 (default: now)")
        add("--sample", type=positive, help="only so many buckets, by chance")
        scope.add_arguments(parser)

    def handle(self, *, sample: int | None, **options: Any) -> None:
        try:
            summary = self.run_check(sample=sample, **options)
        except (Error, scope.Unknown) as error:
            raise CommandError(f"could not check: {str(error).strip()}", returncode=UNKNOWN) from error
        self.stdout.write(str(summary))
        if summary.differences:
            raise CommandError(f"{summary.differences} series differ", returncode=DIFFERS)
        if summary.failures:
            raise CommandError(f"could not check: {'; '.join(summary.failures[:10])}", returncode=UNKNOWN)
        if not summary.buckets and (summary.marked or summary.open):
            raise CommandError("could not check: nothing of it is rolled up yet", returncode=UNKNOWN)

    def run_check(
        self,
        *,
        start: datetime | None,
        end: datetime | None,
        metric: list[str],
        project: list[int],
        sample: int | None,
        **options: Any,
    ) -> Summary:
        until = end or datetime.now(UTC)
        window = Window(start or rebuilding.oldest_facts() or until, until)
        projects = scope.projects(project, metric)
        self.tell_gone(window)
        if sample is None:
            units: Sequence[Unit] = list(checking.units(projects, window, metric))
        else:
            units = list(checking.sample(projects, window, metric, sample))
        with tqdm(units, unit="piece", desc="checking", file=self.stderr, disable=not units) as bar:
            return self.compare(bar)

    def tell_gone(self, window: Window) -> None:
        sealed = rebuilding.sealed_until()
        if sealed is not None and window.start < sealed:
            self.stdout.write(f"Left out: all before {sealed:%Y-%m-%dT%H:%M:%SZ}, whose events are gone")

    def compare(self, units: Iterable[Unit]) -> Summary:
        summary = Summary()
        for unit in units:
            outcome = checking.check(unit, LIMIT)
            drift.record(outcome)
            summary.add(outcome)
            for difference in outcome.differences:
                tqdm.write(line(unit, difference), file=self.stdout)
        return summary


def positive(text: str) -> int:
    if not (text.isascii() and text.isdecimal() and 0 < int(text) < 10**9):
        raise ArgumentTypeError(f"{text!r} must be a whole number above 0")
    return int(text)


def line(unit: Unit, difference: Difference) -> str:
    stored, recounted = difference.stored or {}, difference.recounted or {}
    bucket = f"{difference.time_bucket.astimezone(UTC):%Y-%m-%dT%H:%MZ}"
    found = [
        f"{name} {stored.get(name, 'missing')}, not {recounted.get(name, 'there')}"
        for name in stored | recounted
        if stored.get(name) != recounted.get(name)
    ]
    place = f"project {unit.project_id} {unit.metric.name} {unit.rung.interval.value} {bucket}"
    return f"{place} {difference.dimensions}: {'; '.join(found)}"
