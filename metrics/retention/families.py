"""The partitioned tables, how long each is kept, and what their partitions are called."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial

from django.conf import settings

from analytics_project.lib.partitioned import Partition
from events import partitions as days
from metrics.models import Interval
from metrics.rollups import partitions as leaves
from metrics.rollups.intervals import LADDER

# A batch is checked against the window before it is stored; longer than that may take, it is not on its way.
GRACE = timedelta(hours=1)
NAME = re.compile(r"_y(\d{4})(?:m(\d\d))?(?:d(\d\d))?$", re.ASCII)


@dataclass(frozen=True)
class Family:
    """A table and its partitions; of raw events if there is no interval."""

    parent: str
    keep: timedelta
    interval: Interval | None
    name_of: Callable[[datetime], str]
    bounds_of: Callable[[datetime], tuple[datetime, datetime]]
    pattern: str

    def over(self, partition: Partition, now: datetime) -> bool:
        """Whether all of a partition is older than it is kept, and no batch that began in time can be on its way."""
        return partition.end is not None and partition.end + self.keep + GRACE <= now

    def made(self, partition: Partition) -> bool:
        """Whether the service made it: by its mark or, before there were marks, by name and bounds."""
        if partition.start is None or partition.end is None:
            return False
        expected = (self.name_of(partition.start), self.bounds_of(partition.start))
        return partition.marked or expected == (partition.name, (partition.start, partition.end))

    def named(self, name: str) -> Partition | None:
        """The partition that a name speaks of, if there can be one."""
        match = NAME.search(name)
        if match is None:
            return None
        year, month, day = (int(part or 1) for part in match.groups())
        try:
            bounds = self.bounds_of(datetime(year, month, day, tzinfo=UTC))
        except ValueError:
            return None
        return Partition(name, *bounds) if self.name_of(bounds[0]) == name else None


def raw() -> Family:
    return Family(
        "events",
        settings.CONFIG.analytics.retention.raw_events,
        None,
        lambda start: days.name_of(start.date()),
        lambda start: days.bounds_of(start.date()),
        days.NAME,
    )


def rollups() -> list[Family]:
    """Of all intervals, the finest first."""
    return [_rollup(rung.interval) for rung in LADDER]


def _rollup(interval: Interval) -> Family:
    parent = f"metric_aggregations_{interval.value}"
    return Family(
        parent,
        settings.CONFIG.analytics.retention.rollup(interval.value),
        interval,
        partial(leaves.name_of, interval),
        partial(leaves.bounds_of, interval),
        rf"^{parent}_y\d{{4}}(m\d\d)?$",
    )
