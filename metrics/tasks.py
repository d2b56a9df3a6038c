"""The Celery tasks of this app: each calls one function."""

import logging
import time

from celery import shared_task

from analytics_project.lib.locks import try_session_lock
from metrics import retention
from metrics.definitions import keeping
from metrics.rollups import drift, engine

logger = logging.getLogger(__name__)
RETENTION_LOCK = 0xB25_0004
CHECK_LOCK = 0xB25_0005
BACKFILL_SECONDS = 20


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


@shared_task(name="metrics.check_rollups")
def check_rollups() -> None:
    """Compare a sample of the rollups with the facts."""
    with try_session_lock(CHECK_LOCK) as locked:
        if not locked:
            return
        summary = drift.look_around()
    if summary.differences:
        logger.error("Rollups differ from the facts: %d series; see rollup drift in the admin", summary.differences)
    logger.info("%s", summary)


@shared_task(name="metrics.backfill")
def backfill() -> None:
    """Mark for the engine what definitions are to be backfilled with; what is left waits in the database."""
    deadline = time.monotonic() + BACKFILL_SECONDS
    while keeping.go_on() and time.monotonic() < deadline:
        pass
