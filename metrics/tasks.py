"""The Celery tasks of this app: each calls one function."""

import logging

from celery import shared_task

from metrics.rollups import engine

logger = logging.getLogger(__name__)


@shared_task(name="metrics.roll_up")
def roll_up() -> None:
    """Compute what is marked. Several may run: an interval is one worker's at a time."""
    report = engine.roll_up()
    if report.buckets:
        logger.debug("Rolled up: %s", {interval.value: count for interval, count in report.buckets.items()})
