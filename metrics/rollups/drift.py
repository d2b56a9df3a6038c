"""Differences between rollups and facts, kept until a later comparison finds them gone."""

import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from itertools import chain
from typing import Any

from django.db.models import Q
from django.db.models.functions import Now

from access.models import Project
from events.api.queries import Window
from metrics import catalogue
from metrics.instruments import BUCKETS_CHECKED
from metrics.models import Interval, RollupDrift
from metrics.rollups import checking, rebuilding
from metrics.rollups.checking import MOST, Outcome, Summary, Unit
from metrics.rollups.intervals import RUNGS

SAMPLE = 200
OPEN_AGAIN = 100
LIMIT = timedelta(seconds=12)  # for one bucket; with a second look it stays below the time limit of tasks
KEY = ("project_id", "metric_name", "interval", "time_bucket", "dimensions")


def look_around(seconds: float = 25.0) -> Summary:
    """Look again at what differed, then at a sample of all that is stored, for so many seconds at most."""
    deadline = time.monotonic() + seconds
    summary = Summary()
    now = datetime.now(UTC)
    projects = list(Project.objects.order_by("pk").values_list("pk", flat=True))
    window = Window(rebuilding.oldest_facts() or now, now)
    for unit in chain(units_of_open(OPEN_AGAIN), checking.sample(projects, window, (), SAMPLE)):
        if time.monotonic() > deadline:
            break
        outcome = checking.check(unit, LIMIT)
        record(outcome)
        summary.add(outcome)
    return summary


def record(outcome: Outcome) -> None:
    """Enter what differs, and resolve what did and no longer does."""
    unit = outcome.unit
    differing = len({difference.time_bucket for difference in outcome.differences})
    BUCKETS_CHECKED.labels("different").inc(differing)
    BUCKETS_CHECKED.labels("equal").inc(outcome.buckets - differing)
    if outcome.compared is None:
        return
    mine: dict[str, Any] = {
        "project_id": unit.project_id,
        "metric_name": unit.metric.name,
        "interval": unit.rung.interval.value,
    }
    for difference in outcome.differences:
        RollupDrift.objects.update_or_create(
            **mine,
            time_bucket=difference.time_bucket,
            dimensions=difference.dimensions,
            resolved_at=None,
            defaults={"stored": difference.stored, "recounted": difference.recounted},
        )
    # Of a unit with more differences than were looked at, nothing is known of the rest.
    if len(outcome.differences) < MOST:
        _resolve(outcome, mine)


def _resolve(outcome: Outcome, mine: dict[str, Any]) -> None:
    window = outcome.compared or outcome.unit.window
    gone = RollupDrift.objects.filter(
        **mine, resolved_at=None, time_bucket__gte=window.start, time_bucket__lt=window.end
    ).exclude(time_bucket__in=outcome.skipped)
    for found in outcome.differences:
        gone = gone.exclude(Q(time_bucket=found.time_bucket) & Q(dimensions=found.dimensions))
    gone.update(resolved_at=Now())


def units_of_open(most: int) -> Iterator[Unit]:
    """The buckets of open entries, to be looked at again, the newest first."""
    entries = RollupDrift.objects.filter(resolved_at=None).values_list(*KEY[:-1]).order_by("-time_bucket").distinct()
    for project_id, name, interval, bucket in entries[:most]:
        metric, rung = catalogue.find(project_id, name), RUNGS[Interval(interval)]
        if metric is not None:
            yield Unit(project_id, metric, rung, Window(bucket, bucket + rung.length))
