"""What may be asked of a metric, as data."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from zoneinfo import ZoneInfo

from metrics.declarations import UNIQUE_USERS, Aggregation, Metric
from metrics.reads.buckets import Buckets, Step

MAX_POINTS = 10_000
MAX_SERIES = 200
# Of all series together: an answer has to fit into memory, several at a time.
MAX_ALTOGETHER = 500_000


class Fill(StrEnum):
    """What stands in a bucket that has nothing: no point at all, null, zero, or the value before."""

    NONE = "none"
    NULL = "null"
    ZERO = "zero"
    PREVIOUS = "previous"


class TooMuch(Exception):
    """The answer would have more than is allowed; the text says the limit."""


@dataclass(frozen=True)
class Question:
    """One metric over buckets. Without `group_by` all its series that pass the filters are one."""

    project_id: int
    metric: Metric
    aggregation: Aggregation
    step: Step
    buckets: Buckets
    zone: ZoneInfo = field(default_factory=lambda: ZoneInfo("UTC"))
    filters: Mapping[str, str] = field(default_factory=dict)
    group_by: tuple[str, ...] = ()
    fill: Fill = Fill.NONE

    @property
    def names(self) -> list[str]:
        """The metric and those whose counts explain it."""
        return [self.metric.name, *self.metric.parts.values()]

    @property
    def is_unique(self) -> bool:
        return self.aggregation is Aggregation.UNIQUE

    @property
    def unit(self) -> str:
        """Of the values that are answered: counts have none of the metric's."""
        unit = {Aggregation.COUNT: "events", Aggregation.RATE: f"{self.metric.unit} per second"}
        return unit.get(self.aggregation, self.metric.unit)

    def over(self, buckets: Buckets) -> "Question":
        """The same question over other buckets."""
        return replace(self, buckets=buckets)

    def identity(self) -> tuple[object, ...]:
        """Equal for questions whose answers are equal as long as the data is."""
        return (
            *(self.project_id, self.metric, self.aggregation.value, self.step.name, self.zone.key),
            *(self.buckets.start, self.buckets.end, tuple(sorted(self.filters.items()))),
            *(self.group_by, self.fill.value),
        )


def available(metric: Metric) -> tuple[Aggregation, ...]:
    """What can be asked of a metric: a count has no least value, a share no sum."""
    if metric.name == UNIQUE_USERS:
        return (Aggregation.UNIQUE,)
    if metric.shares:
        return (Aggregation.AVG, Aggregation.COUNT, Aggregation.RATE)
    if metric.value is None:
        return (Aggregation.COUNT, Aggregation.SUM, Aggregation.RATE)
    return tuple(aggregation for aggregation in Aggregation if aggregation is not Aggregation.UNIQUE)
