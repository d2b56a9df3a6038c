"""The buckets of a question: which intervals may be asked for, and where each bucket begins and ends.

Days of other zones than UTC begin where `zoneinfo` says, and PostgreSQL is given these moments. Its own
`date_trunc('day', …, zone)` names the second of two midnights on the day that clocks go back at midnight.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from metrics.models import Interval
from metrics.rollups.intervals import EPOCH, RUNGS, Rung

ONE_DAY = timedelta(days=1)


@dataclass(frozen=True)
class Step:
    """An interval that may be asked for, and the interval of rollups that it is put together from."""

    name: str
    length: timedelta
    rung: Rung


STEPS = {
    step.name: step
    for step in (
        *(Step(rung.interval.value, rung.length, rung) for rung in RUNGS.values()),
        # Not stored; the service that this one replaces knew them.
        Step("30m", timedelta(minutes=30), RUNGS[Interval.QUARTER]),
        Step("4h", timedelta(hours=4), RUNGS[Interval.HOUR]),
    )
}
LOCAL_DAY = Step("1d", ONE_DAY, RUNGS[Interval.QUARTER])


@dataclass(frozen=True)
class Buckets:
    """Buckets without gaps: each ends where the next begins, the last one at `end`."""

    starts: tuple[datetime, ...]
    end: datetime

    @property
    def start(self) -> datetime:
        return self.starts[0] if self.starts else self.end

    def bounds(self) -> Iterator[tuple[datetime, datetime]]:
        return zip(self.starts, (*self.starts[1:], self.end), strict=True)

    def until(self, moment: datetime) -> int:
        """How many begin before the moment."""
        return sum(start < moment for start in self.starts)


def step_of(interval: str, zone: ZoneInfo) -> Step:
    return LOCAL_DAY if interval == LOCAL_DAY.name and zone.key != "UTC" else STEPS[interval]


def overlapping(step: Step, zone: ZoneInfo, start: datetime, end: datetime) -> Buckets:
    """Whole buckets, all that have a moment of [start, end)."""
    if step is LOCAL_DAY:
        return _local_days(zone, start, end)
    first = start - (start - EPOCH) % step.length
    count = max(0, -((first - end) // step.length))
    return Buckets(tuple(first + step.length * place for place in range(count)), first + step.length * count)


def before(step: Step, zone: ZoneInfo, buckets: Buckets) -> Buckets:
    """As many buckets, up to where these begin."""
    count = len(buckets.starts)
    if step is LOCAL_DAY:
        last = buckets.start.astimezone(zone).date()
        return _days(zone, last - count * ONE_DAY, count)
    first = buckets.start - step.length * count
    return Buckets(tuple(first + step.length * place for place in range(count)), buckets.start)


def _local_days(zone: ZoneInfo, start: datetime, end: datetime) -> Buckets:
    first = start.astimezone(zone).date()
    last = end.astimezone(zone).date()
    return _days(zone, first, (last - first).days + (midnight(zone, last) < end))


def _days(zone: ZoneInfo, first: date, count: int) -> Buckets:
    starts = [midnight(zone, first + place * ONE_DAY) for place in range(count + 1)]
    return Buckets(tuple(starts[:-1]), starts[-1])


def midnight(zone: ZoneInfo, day: date) -> datetime:
    """The first moment of a day: of two midnights the earlier, and where there is none what follows the gap."""
    return datetime.combine(day, time(0), zone).astimezone(UTC)
