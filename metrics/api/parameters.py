"""Query parameters of the metrics' routes into questions; whatever is wrong with them is said here."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from zoneinfo import ZoneInfo, available_timezones

from django.http import QueryDict

from events.api.errors import BadRequest
from events.api.parameters import read_given, read_window
from events.api.queries import Window
from metrics.api.finding import find
from metrics.declarations import Aggregation, Metric
from metrics.reads.buckets import STEPS, Buckets, Step, overlapping, step_of
from metrics.reads.questions import MAX_POINTS, MAX_SERIES, Fill, Question, available

ALLOWED = (
    *("metric_name", "interval", "start_time", "end_time", "aggregation"),
    *("group_by", "fill", "timezone", "compare"),
)
PREVIOUS = "previous"
# No event is stored that lies outside.
CALENDAR = Window(datetime(1970, 1, 1, tzinfo=UTC), datetime(2200, 1, 1, tzinfo=UTC))


@dataclass(frozen=True)
class Asked:
    """One request: questions that differ in their metric only, and whether the window before is asked for, too."""

    questions: tuple[Question, ...]
    compare: bool
    several: bool


def read_asked(project_id: int, query: QueryDict) -> Asked:
    names = _names(query)
    metrics = [find(project_id, name) for name in names]
    dimensions = [name for name in metrics[0].dimensions if all(name in metric.dimensions for metric in metrics)]
    given = read_given(_without_names(query), [*ALLOWED, *dimensions])
    zone = _zone(given.get("timezone", "UTC"))
    step = step_of(_one_of("interval", given.get("interval", "1h"), STEPS), zone)
    buckets = _buckets(step, zone, read_window(given))
    compare = "compare" in given and bool(_one_of("compare", given["compare"], [PREVIOUS]))
    if compare and buckets.start - (buckets.end - buckets.start) < CALENDAR.start:
        raise BadRequest("Invalid time window", "the window before would begin before 1970")
    questions = tuple(
        Question(
            project_id,
            metric,
            _aggregation(metric, given.get("aggregation")),
            step,
            buckets,
            zone,
            filters={name: given[name] for name in dimensions if name in given and name not in ALLOWED},
            group_by=_group_by(given.get("group_by"), dimensions),
            fill=Fill(_one_of("fill", given.get("fill", Fill.NONE), list(Fill))),
        )
        for metric in metrics
    )
    return Asked(questions, compare, several=len(names) > 1)


def _names(query: QueryDict) -> list[str]:
    names = list(dict.fromkeys(name for name in query.getlist("metric_name") if name))
    if not names:
        raise BadRequest("metric_name is required", "e.g. metric_name=trading.total_volume; see /api/v1/metrics/names")
    if len(names) > MAX_SERIES:
        raise BadRequest("Too many series", f"{len(names)} metrics; at most {MAX_SERIES} series in one answer")
    return names


def _without_names(query: QueryDict) -> QueryDict:
    """Only a metric's name may be given several times."""
    rest = query.copy()
    rest.pop("metric_name")
    return rest


def _one_of(name: str, value: str, allowed: Collection[str]) -> str:
    if value not in allowed:
        raise BadRequest(f"Invalid {name}", f"{value[:64]!r}; one of {', '.join(map(str, allowed))}")
    return value


def _aggregation(metric: Metric, value: str | None) -> Aggregation:
    allowed = available(metric)
    if value is None:
        return metric.default if metric.default in allowed else allowed[0]
    if value not in list(Aggregation):
        raise BadRequest("Invalid aggregation", f"{value[:64]!r}; one of {', '.join(Aggregation)}")
    if value not in allowed:
        raise BadRequest("Invalid aggregation", f"{metric.name} has no {value}; it has {', '.join(allowed)}")
    return Aggregation(value)


def _zone(value: str) -> ZoneInfo:
    if value not in _zones():
        raise BadRequest("Invalid timezone", f"{value[:64]!r} is no name of the IANA time zones, e.g. Europe/Paris")
    return ZoneInfo(value)


@cache
def _zones() -> frozenset[str]:
    return frozenset(available_timezones())


def _buckets(step: Step, zone: ZoneInfo, window: Window) -> Buckets:
    """Whole buckets: all that the window has a moment of."""
    if window.start < CALENDAR.start or window.end > CALENDAR.end:
        raise BadRequest("Invalid time window", "it must lie between 1970 and 2200")
    wanted = (window.end - window.start) / step.length
    buckets = overlapping(step, zone, window.start, window.end) if wanted <= MAX_POINTS else None
    if buckets is None or len(buckets.starts) > MAX_POINTS:
        raise BadRequest(
            "Too many points",
            f"{wanted:,.0f} buckets of {step.name}; at most {MAX_POINTS:,} in each series:"
            " ask for a shorter window or a longer interval",
        )
    return buckets


def _group_by(value: str | None, dimensions: Sequence[str]) -> tuple[str, ...]:
    names = tuple(dict.fromkeys(value.split(","))) if value else ()
    for name in names:
        if name not in dimensions:
            raise BadRequest(
                "Invalid group_by", f"{name[:64]!r}; the dimensions are: {', '.join(dimensions) or 'none'}"
            )
    return names


def read_nothing(query: QueryDict) -> Mapping[str, str]:
    """For routes that take no parameters."""
    return read_given(query, ())
