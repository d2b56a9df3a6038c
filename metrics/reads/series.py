"""A question's answer: the one way from rollups and facts to series."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import chain

from django.db import connection

from events.api.renderers import dumps
from metrics import catalogue
from metrics.declarations import UNIQUE_USERS, Metric
from metrics.definitions.rules import OTHER_SERIES
from metrics.reads import buckets, points, sources, state, statements, uniques
from metrics.reads.buckets import Buckets
from metrics.reads.covering import Segment, cover, tail_of
from metrics.reads.points import Series
from metrics.reads.questions import MAX_ALTOGETHER, MAX_SERIES, Fill, Question, TooMuch
from metrics.reads.state import State

LIMIT = f"more than {MAX_ALTOGETHER:,} points in all; ask for a shorter window or a longer interval"


@dataclass(frozen=True)
class Plan:
    """A question with what is known before its rows are read; part of the cache's key."""

    question: Question
    segments: Sequence[Segment]
    complete_until: datetime | None
    version: int

    @property
    def is_open(self) -> bool:
        """Whether facts are counted at the moment of asking."""
        return tail_of(self.segments) is not None

    def identity(self) -> tuple[object, ...]:
        return (*self.question.identity(), self.version, self.complete_until, tuple(self.segments))


def plan(questions: Sequence[Question]) -> list[Plan]:
    """What the answers will be made of, as the rollups are now."""
    if not questions:
        return []
    names = list(chain.from_iterable(question.names for question in questions))
    seen = state.look(questions[0].project_id, names)
    return [_plan(question, seen) for question in questions]


def _plan(question: Question, seen: State) -> Plan:
    window = question.buckets
    segments = cover(window.start, window.end, question.step.rung, seen.progress)
    marked = state.earliest_mark(question.project_id, metrics_of(question), segments)
    ends = [moment for moment in (marked, seen.complete_until) if moment is not None]
    complete_until = min(window.end, *ends) if ends else None
    return Plan(question, segments, complete_until, seen.version(question.names))


def metrics_of(question: Question) -> list[Metric]:
    """The metric, and those whose counts explain it."""
    parts = [catalogue.find(question.project_id, name) for name in question.metric.parts.values()]
    return [question.metric, *(metric for metric in parts if metric is not None)]


def read(planned: Plan) -> list[Series]:
    """The series in the order of their dimensions. In the snapshot that the plan was made in."""
    question = planned.question
    if not question.buckets.starts:
        return []
    if question.metric.name == UNIQUE_USERS:
        return uniques.read(question, planned.segments)
    found = _totals(planned)
    if len(found) > MAX_SERIES:
        raise TooMuch(f"more than {MAX_SERIES} series; filter by a dimension, or group by fewer")
    return sorted(found, key=lambda series: dumps(series.dimensions))


def _totals(planned: Plan) -> list[Series]:
    question = planned.question
    single, several = _rows(planned)
    found = _ask(question, statements.totals(question, single, several, datetime.now(UTC)))
    unmerged = {place for series in found for place in series.places_of(statements.UNMERGED)}
    if not unmerged:
        return found
    merged = _ask(question, statements.percentiles(question, several, sorted(unmerged)))
    values = {dumps(series.dimensions): dict(zip(series.places, series.values, strict=True)) for series in merged}
    return [series.with_values(statements.UNMERGED, values.get(dumps(series.dimensions), {})) for series in found]


def _rows(planned: Plan) -> tuple[str, str]:
    """SQL of the rows that are a bucket of a series each, and of the others."""
    question = planned.question
    metrics = metrics_of(question)

    def rows(segments: Sequence[Segment]) -> str:
        return sources.rows(question.project_id, metrics, segments, question.buckets)

    whole = [segment for segment in planned.segments if segment.rung and segment.rung.length == question.step.length]
    if not whole or not sources.are_single(question):
        return "", rows(planned.segments)
    # Buckets that are put together from finer rows are other ones than these.
    return rows(whole), rows([segment for segment in planned.segments if segment not in whole])


def _ask(question: Question, statement: str) -> list[Series]:
    with connection.cursor() as cursor:
        cursor.execute(statement)
        return [
            _series(question, *row[:-3], places=row[-3], values=row[-2], parts=row[-1]) for row in cursor.fetchall()
        ]


def _series(question: Question, *keys: str | None, places: str, values: str, parts: Sequence[str] | None) -> Series:
    names = statements.keys_of(question)
    return Series(
        # The series of what exceeds the limit has `true`, which arrives as text as all dimensions do.
        {
            name: key if name != OTHER_SERIES else True
            for name, key in zip(names, keys, strict=False)
            if key is not None
        },
        list(map(int, places.split(","))),
        values.split(","),
        {name: part.split(",") for name, part in zip(question.metric.parts, parts or (), strict=bool(parts))},
    )


def data_points(question: Question, found: Sequence[Series]) -> list[str]:
    """The JSON of all points, series after series."""
    heads = points.heads(question.buckets.starts)
    until = question.buckets.until(datetime.now(UTC))
    if len(heads) * len(found) > MAX_ALTOGETHER and question.fill is not Fill.NONE:
        raise TooMuch(LIMIT)
    written = [
        points.write(each, heads, question.aggregation, question.fill, until) for each in found or _none(question)
    ]
    if sum(map(len, written)) > MAX_ALTOGETHER:
        raise TooMuch(LIMIT)
    return list(chain.from_iterable(written))


def _none(question: Question) -> Sequence[Series]:
    """Where nothing was found, an ungrouped question still has one series to be filled."""
    return () if question.group_by else (Series({}, (), (), {}),)


def before(question: Question) -> Buckets:
    return buckets.before(question.step, question.zone, question.buckets)


def exact(found: Sequence[Series]) -> bool:
    return not any(series.inexact for series in found)
