"""Whether the rollups equal the facts: which buckets can be compared, and what the comparison came to."""

import random
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple

import orjson
from django.db import OperationalError, connection, transaction
from psycopg.errors import QueryCanceled

from events.api.queries import Window
from metrics.declarations import UNIQUE_USERS, Metric
from metrics.definitions.models import MetricDefinition
from metrics.rollups import rebuilding, recounting
from metrics.rollups.intervals import LADDER, Rung
from metrics.rollups.recounting import Question

MOST = 100  # differences of one unit that are looked at
# Before any event, and far enough from the calendar's beginning to be rounded.
BEGINNING = datetime(1970, 1, 1, tzinfo=UTC)
COMPLETE_UNTIL = "SELECT complete_until FROM rollup_progress WHERE interval = %s"
# The minutes that changed, and the buckets of this interval or finer ones that are to be computed.
TOUCHED = """
SELECT DISTINCT event_type, bucket FROM touched_buckets WHERE project_id = %s AND bucket >= %s AND bucket < %s
"""
MARKED = """
SELECT DISTINCT time_bucket FROM rollup_marks
WHERE project_id = %s AND metric_name = %s AND interval = ANY(%s) AND time_bucket >= %s AND time_bucket < %s
"""


@dataclass(frozen=True)
class Unit:
    """The buckets of one metric and interval that begin in the window, which lies within a day."""

    project_id: int
    metric: Metric
    rung: Rung
    window: Window


class Difference(NamedTuple):
    time_bucket: datetime
    dimensions: dict[str, Any]
    stored: dict[str, Any] | None
    recounted: dict[str, Any] | None


@dataclass(frozen=True)
class Outcome:
    """What one unit came to, in buckets: compared, or left out because marked, not complete yet or no longer whole."""

    unit: Unit
    compared: Window | None = None
    buckets: int = 0
    skipped: Sequence[datetime] = ()
    open: int = 0
    not_whole: int = 0
    differences: Sequence[Difference] = ()
    failure: str = ""


@dataclass
class Summary:
    buckets: int = 0
    marked: int = 0
    open: int = 0
    not_whole: int = 0
    differences: int = 0
    failures: list[str] = field(default_factory=list)

    def __str__(self) -> str:
        left_out = [
            f"{self.marked} that are marked to be computed" if self.marked else "",
            f"{self.open} in the open tail" if self.open else "",
            f"{self.not_whole} from before the metric was complete or the events were kept" if self.not_whole else "",
        ]
        rest = ", ".join(part for part in left_out if part)
        return f"{self.buckets} buckets compared" + (f"; left out: {rest}" if rest else "")

    def add(self, outcome: Outcome) -> None:
        self.buckets += outcome.buckets
        self.marked += len(outcome.skipped)
        self.open += outcome.open
        self.not_whole += outcome.not_whole
        self.differences += len(outcome.differences)
        if outcome.failure:
            self.failures.append(outcome.failure)


def units(projects: Iterable[int], window: Window, names: Sequence[str] = ()) -> Iterator[Unit]:
    """All there is to compare in the window, the newest day first."""
    for day in rebuilding.days(window):
        for project_id in projects:
            for metric in _metrics(project_id, day, names):
                for rung in LADDER:
                    yield Unit(project_id, metric, rung, day)


def sample(projects: Sequence[int], window: Window, names: Sequence[str], size: int) -> Iterator[Unit]:
    """Single buckets by chance, every other one of the newest day."""
    days = list(rebuilding.days(window))
    known: dict[tuple[int, datetime], list[Metric]] = {}
    for place in range(size if days and projects else 0):
        day = days[0] if place % 2 else random.choice(days)
        project_id = random.choice(projects)
        if (project_id, day.start) not in known:
            known[project_id, day.start] = _metrics(project_id, day, names)
        if metrics := known[project_id, day.start]:
            rung = random.choice(LADDER)
            start = rung.floor(day.start + random.random() * (day.end - day.start))
            yield Unit(project_id, random.choice(metrics), rung, Window(start, start + rung.length))


def _metrics(project_id: int, day: Window, names: Sequence[str]) -> list[Metric]:
    return [metric for metric in rebuilding.metrics_in(project_id, day) if not names or metric.name in names]


def check(unit: Unit, limit: timedelta) -> Outcome:
    """Compare what can be compared, all of it as it was at one moment; gives up after the limit.

    What differs is looked at twice: retention may take away the facts that a snapshot was to see.
    """
    outcome = _attempt(unit, limit)
    return _attempt(unit, limit) if outcome.differences else outcome


def _attempt(unit: Unit, limit: timedelta) -> Outcome:
    try:
        with _snapshot(limit):
            return _compare(unit)
    except OperationalError as error:
        if isinstance(error.__cause__, QueryCanceled):
            label = f"{unit.metric.name} {unit.rung.interval.value} {unit.window.start:%Y-%m-%d %H:%M}"
            return Outcome(unit, failure=f"{label}: recounting takes longer than {limit.total_seconds():g} s")
        raise


@contextmanager
def _snapshot(limit: timedelta) -> Iterator[None]:
    outermost = not connection.in_atomic_block
    with transaction.atomic(), connection.cursor() as cursor:
        if outermost:
            cursor.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
        cursor.execute("SET LOCAL statement_timeout = %s", [limit // timedelta(milliseconds=1)])
        yield


def _compare(unit: Unit) -> Outcome:
    rung, metric = unit.rung, unit.metric
    first, last = _ceiling(rung, unit.window.start), _ceiling(rung, unit.window.end)
    start = min(last, max(first, _ceiling(rung, _whole_from(unit))))
    end = max(start, min(last, rung.floor(_complete_until(rung))))
    not_whole, still_open = (start - first) // rung.length, (last - end) // rung.length
    if start >= end:
        return Outcome(unit, open=still_open, not_whole=not_whole)
    types = [name for name in rebuilding.types_in(unit.project_id, Window(start, end)) if metric.takes(name)]
    skipped = sorted(_pending(unit, start, end))
    question = Question(unit.project_id, metric, rung, start, end, types, skipped, MOST)
    return Outcome(
        unit,
        compared=Window(start, end),
        buckets=(end - start) // rung.length - len(skipped),
        skipped=skipped,
        open=still_open,
        not_whole=not_whole,
        differences=_differences(question),
    )


def _ceiling(rung: Rung, moment: datetime) -> datetime:
    floor = rung.floor(moment)
    return floor if floor == moment else floor + rung.length


def _whole_from(unit: Unit) -> datetime:
    """Since when all facts are there, and the metric was computed from all of them."""
    own = MetricDefinition.objects.filter(project_id=unit.project_id, name=unit.metric.name)
    complete_from = own.values_list("complete_from", flat=True).first()
    return max(rebuilding.oldest_facts() or BEGINNING, complete_from or BEGINNING)


def _complete_until(rung: Rung) -> datetime:
    with connection.cursor() as cursor:
        cursor.execute(COMPLETE_UNTIL, [rung.interval.value])
        row = cursor.fetchone()
    return row[0] if row and row[0] else BEGINNING


def _pending(unit: Unit, start: datetime, end: datetime) -> set[datetime]:
    """Buckets whose facts changed, or those of a finer interval that they come from, and that are not computed yet."""
    rung, metric = unit.rung, unit.metric
    finer = [below.interval.value for below in LADDER[: LADDER.index(rung) + 1]]
    with connection.cursor() as cursor:
        cursor.execute(TOUCHED, [unit.project_id, start, end])
        minutes = [bucket for event_type, bucket in cursor.fetchall() if metric.takes(event_type)]
        cursor.execute(MARKED, [unit.project_id, metric.name, finer, start, end])
        minutes += [bucket for (bucket,) in cursor.fetchall()]
    return {rung.floor(minute) for minute in minutes}


def _differences(question: Question) -> list[Difference]:
    users = question.metric.name == UNIQUE_USERS
    with connection.cursor() as cursor:
        statement = recounting.USERS if users else recounting.comparison(question.metric).as_string(cursor.connection)
        cursor.execute(statement, question.parameters())
        return [Difference(bucket, *map(_parsed, documents)) for bucket, *documents in cursor.fetchall()]


def _parsed(document: str | None) -> Any:
    return None if document is None else orjson.loads(document)
