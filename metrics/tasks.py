"""The Celery tasks of this app: each calls one function."""

import logging

from celery import shared_task

from analytics_project.lib.locks import try_session_lock
from metrics import retention
from metrics.rollups import engine

logger = logging.getLogger(__name__)
RETENTION_LOCK = 0xB25_0004


@shared_task(name="metrics.roll_up")
def roll_up() -> None:
    """Compute what is marked. Several may run: an interval is one worker's at a time."""
    report = engine.roll_up()
    if report.buckets:
        logger.debug("Rolled up: %s", {interval.value: count for interval, count in report.buckets.items()})


@shared_task(name="metrics.apply_retention", soft_time_limit=1700, time_limit=1800)
def apply_retention() -> None:
    """Drop and merge what is over. A second one that runs meanwhile ends at once."""
    with try_session_lock(RETENTION_LOCK) as locked:
        if locked:
            retention.apply(retention.plan())
