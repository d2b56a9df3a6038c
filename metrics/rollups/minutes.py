"""Minutes from the facts: which metrics the changed events belong to, and their rows."""

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime

from django.db import connection

from events import partitions
from metrics.catalogue import metrics_of
from metrics.declarations import COUNT_PREFIX, TRADING_DIMENSIONS, UNIQUE_USERS, Metric
from metrics.rollups import facts, series, uniques, work
from metrics.rollups.claims import Claim
from metrics.rollups.facts import Part
from metrics.rollups.intervals import MINUTE
from metrics.rollups.types import types_of

# Counts have no declaration of their own; their limit is that of built-in metrics.
MAX_SERIES = 1000
SEALED = "SELECT sealed_until FROM rollup_seal"


@dataclass
class Todo:
    """What is to be computed for one project: minutes of event types whose facts changed, and of single metrics."""

    touched: dict[str, set[datetime]] = field(default_factory=dict)
    marked: dict[str, set[datetime]] = field(default_factory=dict)

    def minutes_of(self, metric: Metric) -> set[datetime]:
        changed = [minutes for event_type, minutes in self.touched.items() if metric.takes(event_type)]
        return set[datetime]().union(*changed, self.marked.get(metric.name, ()))


def compute(touched: Iterable[Claim], marked: Iterable[Claim]) -> int:
    """Compute and replace the claimed minutes, and mark what is above them; answers how many buckets that were."""
    return sum(_compute_project(project_id, todo) for project_id, todo in by_project(touched, marked).items())


def _compute_project(project_id: int, todo: Todo) -> int:
    # Asked for after the claim: a definition that is older than a mark is not missed.
    declared = metrics_of(project_id, fresh=True)
    work.make()
    claims = _count_types(project_id, todo)
    for metric in _wanted(declared, todo):
        claims += _compute(project_id, metric, todo)
    series.limit(project_id, json.dumps({metric.name: metric.max_series for metric in declared}), MAX_SERIES)
    work.replace(project_id, MINUTE, claims)
    minutes = set[datetime]().union(*todo.touched.values(), todo.marked.get(UNIQUE_USERS, ()))
    claims += uniques.compute_minutes(project_id, minutes)
    work.mark_above(project_id, MINUTE, claims)
    return len(claims)


def by_project(touched: Iterable[Claim], marked: Iterable[Claim]) -> dict[int, Todo]:
    """Claims in order, without those whose facts are gone: nothing is left to compute them from."""
    kept: dict[int, Todo] = {}
    days, sealed_until = set(partitions.existing()), _sealed_until()
    for claims, place in ((touched, "touched"), (marked, "marked")):
        for claim in claims:
            if claim.bucket.astimezone(UTC).date() in days and claim.bucket >= sealed_until:
                todo = kept.setdefault(claim.project_id, Todo())
                getattr(todo, place).setdefault(claim.name, set()).add(claim.bucket)
    return kept


def _sealed_until() -> datetime:
    with connection.cursor() as cursor:
        cursor.execute(SEALED)
        row = cursor.fetchone()
    return row[0] if row and row[0] else datetime.min.replace(tzinfo=UTC)


def _wanted(declared: Sequence[Metric], todo: Todo) -> list[Metric]:
    """Declared metrics that have something to do. Not users: they do not add up."""
    return [metric for metric in declared if metric.name != UNIQUE_USERS and todo.minutes_of(metric)]


def _count_types(project_id: int, todo: Todo) -> list[Claim]:
    """`events.count.…` of all types in one statement, those that were marked by name among them."""
    pairs = {(event_type, minute) for event_type, minutes in todo.touched.items() for minute in minutes}
    pairs |= {
        (name.removeprefix(COUNT_PREFIX), minute)
        for name, minutes in todo.marked.items()
        if name.startswith(COUNT_PREFIX)
        for minute in minutes
    }
    if pairs:
        parts = [(event_type, _part(minute)) for event_type, minute in sorted(pairs)]
        work.add(facts.counts(project_id, TRADING_DIMENSIONS, parts))
    return [Claim(project_id, f"{COUNT_PREFIX}{event_type}", minute) for event_type, minute in pairs]


def _compute(project_id: int, metric: Metric, todo: Todo) -> list[Claim]:
    minutes = sorted(todo.minutes_of(metric))
    types = types_of(project_id, metric, lambda: todo.touched)
    work.add(facts.statement(metric, project_id, types, [_part(minute) for minute in minutes]))
    return [Claim(project_id, metric.name, minute) for minute in minutes]


def _part(minute: datetime) -> Part:
    return Part(minute, minute, minute + MINUTE.length)
