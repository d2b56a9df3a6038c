"""Answers to questions as JSON, from the cache where they are known; both in the shape of the old service."""

from collections.abc import Sequence
from typing import Any

import orjson

from events.api.renderers import dumps
from metrics import cache
from metrics.reads import series
from metrics.reads.covering import Segment
from metrics.reads.questions import Question
from metrics.reads.series import Plan
from metrics.reads.state import snapshot

# What counts facts is as old as this at most; what rests on rollups alone is right until their version changes.
OPEN_SECONDS = 1.0
CLOSED_SECONDS = 60.0
SHELF = cache.Shelf("metrics")


def answer(questions: Sequence[Question], *, compare: bool = False) -> bytes:
    """`{"cached": …, "result": {…}}`; of several questions `{"cached": …, "results": [{…}, …]}`."""
    asked = [(question, *([_previous(question)] if compare else [])) for question in questions]
    with snapshot():
        plans = _plans(asked)
        key = cache.key(compare, [[each.identity() for each in group] for group in plans])
        is_open = any(plan.is_open for group in plans for plan in group)
        body = SHELF.get(key, 0.0 if is_open else CLOSED_SECONDS)
        if body is not None:
            return b'{"cached":true,' + body
        results = [_result(*group) for group in plans]
    body = _body(results)
    SHELF.put(key, body, OPEN_SECONDS if is_open else CLOSED_SECONDS)
    return b'{"cached":false,' + body


def _body(results: Sequence[dict[str, Any]]) -> bytes:
    return dumps({"result": results[0]} if len(results) == 1 else {"results": results})[1:]


def _previous(question: Question) -> Question:
    """The same of the window before."""
    return question.over(series.before(question))


def _plans(asked: Sequence[tuple[Question, ...]]) -> list[list[Plan]]:
    """All of one look at the state of the rollups, in the groups that the questions came in."""
    plans = iter(series.plan([question for group in asked for question in group]))
    return [[next(plans) for _ in group] for group in asked]


def _result(plan: Plan, previous: Plan | None = None) -> dict[str, Any]:
    question = plan.question
    result = {
        "metric_name": question.metric.name,
        "interval": question.step.name,
        **_values(plan),
        "aggregation": question.aggregation.value,
        "unit": question.unit,
        "timezone": question.zone.key,
        "resolution": question.step.rung.interval.value,
        "source": [_source(segment) for segment in plan.segments],
        "complete_until": plan.complete_until,
        "data_version": plan.version,
    }
    return result if previous is None else result | {"previous": _values(previous)}


def _values(plan: Plan) -> dict[str, Any]:
    found = series.read(plan)
    points = series.data_points(plan.question, found)
    values = {
        "start_time": plan.question.buckets.start,
        "end_time": plan.question.buckets.end,
        "data_points": orjson.Fragment(f"[{','.join(points)}]"),
        "total_count": len(points),
    }
    return values | {"exact": series.exact(found)} if plan.question.is_unique else values


def _source(segment: Segment) -> dict[str, Any]:
    source = segment.rung.interval.value if segment.rung else "events"
    return {"source": source, "start_time": segment.start, "end_time": segment.end}
