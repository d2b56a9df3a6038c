"""What a user's own metric may be. The one place that says no, for the admin and the API alike."""

import re
from collections.abc import Collection, Iterator, Mapping
from typing import Any, Protocol

from metrics.declarations import BUILT_IN, COUNT_PREFIX, Aggregation

MAX_NAME = 100
MAX_EVENT_TYPES = 20
MAX_EVENT_TYPE = 255
MAX_STARS = 3
MAX_PROPERTY = 100
MAX_FILTERS = 5
MAX_FILTER_VALUE = 200
MAX_DIMENSIONS = 5
MAX_UNIT = 50
MAX_DESCRIPTION = 1000
SERIES = range(1, 1001)
MAX_ACTIVE = 200  # of a project: each costs the engine a statement a minute

NAME = re.compile(r"[a-z][a-z0-9_]*(\.[a-z0-9_]+)*", re.ASCII)
CONTROL = re.compile("[\x00-\x1f\x7f]")
# Names of properties become part of SQL, where % begins a placeholder.
UNFIT = re.compile("[\x00-\x1f\x7f%]")
# Addresses of the API have these words where a name would be.
RESERVED_NAMES = frozenset({"names", "definitions", "dimensions"})
# The series of what exceeds the limit is known by this key.
OTHER_SERIES = "_other"
OF_COUNTS = (Aggregation.COUNT, Aggregation.RATE)
OF_VALUES = tuple(aggregation for aggregation in Aggregation if aggregation is not Aggregation.UNIQUE)

Problem = tuple[str, str]


class Described(Protocol):
    """What of a definition is judged; the types are what a caller should send, not what it did."""

    name: Any
    description: Any
    event_types: Any
    value_property: Any
    filters: Any
    dimensions: Any
    unit: Any
    default_aggregation: Any
    max_series: Any


def problems(definition: Described) -> list[Problem]:
    """(field, what is wrong and what is allowed) of everything that is wrong."""
    return [
        *_of_name(definition.name),
        *_of_text("description", definition.description, MAX_DESCRIPTION),
        *_of_event_types(definition.event_types),
        *_of_value(definition.value_property),
        *_of_filters(definition.filters),
        *_of_dimensions(definition.dimensions),
        *_of_text("unit", definition.unit, MAX_UNIT),
        *_of_aggregation(definition.default_aggregation, counted=definition.value_property == ""),
        *_of_max_series(definition.max_series),
    ]


def _of_name(name: Any) -> Iterator[Problem]:
    if not isinstance(name, str) or len(name) > MAX_NAME or not NAME.fullmatch(name):
        allowed = f"a letter, then lowercase letters, digits, underscores and dots, at most {MAX_NAME} characters"
        yield "name", f"{shown(name)}: must be {allowed}, such as desk.slippage_bps"
    elif name.startswith(COUNT_PREFIX) or f"{name}." == COUNT_PREFIX:
        yield "name", f"{name!r}: every event type has a metric under {COUNT_PREFIX} already"
    elif name in RESERVED_NAMES or any(metric.name == name for metric in BUILT_IN):
        yield "name", f"{name!r} is taken by the service itself"


def _of_text(field: str, text: Any, most: int) -> Iterator[Problem]:
    if not isinstance(text, str) or len(text) > most or "\x00" in text:
        yield field, f"must be text of at most {most} characters, without NUL"


def _of_event_types(types: Any) -> Iterator[Problem]:
    if not isinstance(types, list) or not 1 <= len(types) <= MAX_EVENT_TYPES:
        yield "event_types", f"must be a list of 1 to {MAX_EVENT_TYPES} event types or patterns"
        return
    if _repeats(types):
        yield "event_types", "names a type twice"
    for event_type in types:
        if problem := _of_event_type(event_type):
            yield "event_types", f"{shown(event_type)}: {problem}"


def _of_event_type(event_type: Any) -> str:
    if not isinstance(event_type, str) or not 1 <= len(event_type) <= MAX_EVENT_TYPE or CONTROL.search(event_type):
        return f"must be text of 1 to {MAX_EVENT_TYPE} characters"
    if set(event_type) & set("?[]"):
        return "the only sign with a meaning in a pattern is *; ? [ and ] are not allowed"
    if event_type.count("*") > MAX_STARS or "**" in event_type:
        return f"at most {MAX_STARS} * in a pattern, and not next to each other"
    return ""


def _of_value(name: Any) -> Iterator[Problem]:
    if name != "" and (problem := _of_property(name)):
        yield "value_property", f"{shown(name)}: {problem}; leave it empty to count events"


def _of_filters(filters: Any) -> Iterator[Problem]:
    if not isinstance(filters, Mapping) or len(filters) > MAX_FILTERS:
        yield "filters", f"must be an object of at most {MAX_FILTERS} properties with the text that each must have"
        return
    for name, value in filters.items():
        if problem := _of_property(name):
            yield "filters", f"{shown(name)}: {problem}"
        if not isinstance(value, str) or len(value) > MAX_FILTER_VALUE or "\x00" in value:
            hint = f"must be text of at most {MAX_FILTER_VALUE} characters; numbers and true are written as text, too"
            yield "filters", f"{shown(name)} = {shown(value)}: {hint}"


def _of_dimensions(dimensions: Any) -> Iterator[Problem]:
    if not isinstance(dimensions, list) or len(dimensions) > MAX_DIMENSIONS:
        yield "dimensions", f"must be a list of at most {MAX_DIMENSIONS} property names"
        return
    if _repeats(dimensions):
        yield "dimensions", "names a property twice"
    for name in dimensions:
        if problem := _of_property(name):
            yield "dimensions", f"{shown(name)}: {problem}"
        elif name == OTHER_SERIES:
            yield "dimensions", f"{name!r} is how the series beyond the limit is called"


def _of_property(name: Any) -> str:
    fits = isinstance(name, str) and 1 <= len(name) <= MAX_PROPERTY and name == name.strip()
    if not fits or UNFIT.search(name):
        return f"a property's name has 1 to {MAX_PROPERTY} characters, no %, control characters or spaces around it"
    return ""


def _of_aggregation(aggregation: Any, *, counted: bool) -> Iterator[Problem]:
    allowed: Collection[Aggregation] = OF_COUNTS if counted else OF_VALUES
    if aggregation not in allowed:
        kind = "of a metric that counts" if counted else "of a metric with a value"
        yield "default_aggregation", f"{shown(aggregation)}: {kind} must be one of {', '.join(allowed)}"


def _of_max_series(number: Any) -> Iterator[Problem]:
    if not isinstance(number, int) or isinstance(number, bool) or number not in SERIES:
        yield "max_series", f"{shown(number)}: must be a whole number from {SERIES[0]} to {SERIES[-1]}"


def _repeats(items: list[Any]) -> bool:
    texts = [item for item in items if isinstance(item, str)]
    return len(set(texts)) < len(texts)


def shown(value: Any) -> str:
    """What was given, cut to a length that can be repeated in a message."""
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:59]}…"
