"""Rows that are over in tables without partitions: counted for the plan, deleted or merged when it is applied."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from typing import Any

from django.conf import settings
from django.db import connection

from analytics_project.config.types import format_duration
from analytics_project.lib.batches import delete_in_batches
from events import accounting
from events.partitions import bounds_of
from metrics.declarations import UNIQUE_USERS
from metrics.rollups.intervals import LADDER, Rung

# Neither what could be computed again nor what something coarser is still to be computed from.
USERS_UNTIL = """
SELECT least(%s, (SELECT coalesce(max(sealed_until), 'epoch') FROM rollup_seal),
    (SELECT min(time_bucket) FROM rollup_marks WHERE interval = ANY (%s) AND metric_name = %s))
"""


@dataclass(frozen=True)
class Chore:
    """Something to be done to `count` rows, or days of them."""

    what: str
    count: int
    apply: Callable[[], object]

    def __str__(self) -> str:
        return self.what.format(count=f"{self.count:,}")


def chores(now: datetime) -> list[Chore]:
    """What there is to do."""
    found = [*(_unique_users(rung, now) for rung in LADDER), _dead_letters(now), _batches(now)]
    return [chore for chore in found if chore.count]


def left_alone(now: datetime) -> int:
    """Dead letters as old as events may become and never replayed. They stay until somebody decides."""
    return _count("dead_letters", "replayed_at IS NULL AND created_at < %s", [_raw_cutoff(now)])


def _unique_users(rung: Rung, now: datetime) -> Chore:
    keep = settings.CONFIG.analytics.retention.rollup(rung.interval.value)
    above = [other.interval.value for other in LADDER[: LADDER.index(rung) + 2]]
    with connection.cursor() as cursor:
        cursor.execute(USERS_UNTIL, [now - keep, above, UNIQUE_USERS])
        [until] = cursor.fetchone()
    parameters = [rung.interval.value, until - rung.length]
    return _deletion("unique_users", "interval = %s AND time_bucket <= %s", parameters, rung.interval.value, keep)


def _dead_letters(now: datetime) -> Chore:
    keep = settings.CONFIG.analytics.retention.raw_events
    return _deletion("dead_letters", "replayed_at < %s", [_raw_cutoff(now)], "replayed", keep)


def _batches(now: datetime) -> Chore:
    """Figures of batches: one row a day of each source instead of one a minute."""
    keep = settings.CONFIG.analytics.retention.system_metrics
    midnight, _ = bounds_of((now - keep).date())
    days = accounting.unmerged_days(midnight)
    what = f"merge {{count}} days of ingest_batches older than {format_duration(keep)}"
    return Chore(what, len(days), partial(_merge, days))


def _merge(days: list[datetime]) -> None:
    for day in days:
        accounting.merge_day(day)


def _deletion(table: str, condition: str, parameters: list[Any], which: str, keep: timedelta) -> Chore:
    what = f"delete {{count}} rows of {table} ({which}) older than {format_duration(keep)}"
    return Chore(what, _count(table, condition, parameters), partial(delete_in_batches, table, condition, parameters))


def _raw_cutoff(now: datetime) -> datetime:
    return now - settings.CONFIG.analytics.retention.raw_events


def _count(table: str, condition: str, parameters: list[Any]) -> int:
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT count(*) FROM {table} WHERE {condition}", parameters)
        return int(cursor.fetchone()[0])
