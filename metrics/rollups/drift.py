"""Differences between rollups and facts, kept until a later comparison finds them gone."""

from collections.abc import Iterator
from typing import Any

from django.db.models import Q
from django.db.models.functions import Now

from events.api.queries import Window
from metrics import catalogue
from metrics.models import Interval, RollupDrift
from metrics.rollups.checking import MOST, Outcome, Unit
from metrics.rollups.intervals import RUNGS

KEY = ("project_id", "metric_name", "interval", "time_bucket", "dimensions")


def record(outcome: Outcome) -> None:
    """Enter what differs, and resolve what did and no longer does."""
    unit = outcome.unit
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
