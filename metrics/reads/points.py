"""Data points as JSON text, from the places and values that a statement gave; buckets that have nothing are filled."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from events.api.renderers import dumps
from metrics.declarations import Aggregation
from metrics.reads.questions import Fill

NO_EVENTS = "no_events"
OUT_OF_RANGE = "out_of_range"
# Of a number that is less than 1e300 for sure; longer ones may be beyond what a double can hold.
SURELY_FINITE = 300


@dataclass(frozen=True)
class Series:
    """The values of one series by the place of their bucket, as JSON text; "" where there is no number.

    `parts` are the counts that explain a value, by name, in the same order.
    """

    dimensions: Mapping[str, object]
    places: Sequence[int]
    values: Sequence[str]
    parts: Mapping[str, Sequence[str]]
    inexact: frozenset[int] = frozenset()

    def places_of(self, text: str) -> list[int]:
        if text not in self.values:
            return []
        return [place for place, value in zip(self.places, self.values, strict=True) if value == text]

    def with_values(self, text: str, values: Mapping[int, str]) -> "Series":
        """The same with these values by place wherever it has that text."""
        pairs = zip(self.places, self.values, strict=True)
        return replace(self, values=[values.get(place, "") if value == text else value for place, value in pairs])


def write(series: Series, heads: Sequence[str], aggregation: Aggregation, fill: Fill, until: int) -> list[str]:
    """A JSON object for each point, in order of time; places from `until` on are not filled. `heads`: see there."""
    slots: list[str | None] = [None] * len(heads)
    for place, text in zip(series.places, _texts(series, aggregation), strict=True):
        slots[place] = text
    if fill is not Fill.NONE:
        slots[:until] = _filled(slots[:until], fill)
    tail = f',"dimensions":{dumps(series.dimensions).decode()}}}' if series.dimensions else "}"
    return [f"{head}{text}{tail}" for head, text in zip(heads, slots, strict=True) if text is not None]


def heads(starts: Sequence[datetime]) -> list[str]:
    """What each bucket's points begin with, whichever series they are of."""
    return [f'{{"timestamp":"{start:%Y-%m-%dT%H:%M:%SZ}","value":' for start in starts]


def _texts(series: Series, aggregation: Aggregation) -> Sequence[str]:
    """What follows `"value":`, up to the dimensions."""
    texts = series.values
    if "" in texts or len(max(texts, key=len, default="")) > SURELY_FINITE:
        texts = [number(text) or _nothing(OUT_OF_RANGE if text else _reason(aggregation)) for text in texts]
    if series.inexact:
        texts = [f'{text},"exact":{_json(place not in series.inexact)}' for place, text in _placed(series, texts)]
    if not series.parts:
        return texts
    counts = [dict(zip(series.parts, row, strict=True)) for row in zip(*series.parts.values(), strict=True)]
    return [f'{text},"parts":{{{_members(row)}}}' for text, row in zip(texts, counts, strict=True)]


def _placed(series: Series, texts: Sequence[str]) -> Iterator[tuple[int, str]]:
    return zip(series.places, texts, strict=True)


def _json(value: bool) -> str:
    return "true" if value else "false"


def _members(counts: Mapping[str, str]) -> str:
    return ",".join(f'"{name}":{count}' for name, count in counts.items())


def number(text: str) -> str:
    """ "" for what is no number that a double can hold: readers would make an infinity of it."""
    return text if text and abs(float(text)) < float("inf") else ""


def _reason(aggregation: Aggregation) -> str:
    return "too_few_values" if aggregation is Aggregation.STDDEV else "no_values"


def _nothing(reason: str) -> str:
    return f'null,"reason":"{reason}"'


def _filled(slots: Sequence[str | None], fill: Fill) -> Iterator[str]:
    text = "0" if fill is Fill.ZERO else _nothing(NO_EVENTS)
    for slot in slots:
        if fill is Fill.PREVIOUS and slot is not None:
            text = slot
        yield text if slot is None else slot
