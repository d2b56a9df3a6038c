"""The Celery tasks: each unpacks, calls one function and leaves."""

import logging
import time
from datetime import UTC, datetime

from celery import shared_task
from celery.exceptions import Reject
from django.conf import settings
from django.db import InterfaceError, OperationalError, connection

from analytics_project.lib import partitioned
from analytics_project.lib.locks import try_lock, try_session_lock
from analytics_project.lib.logs import context_id
from events import accounting, assigned, closing, marks, partitions, store, wire
from events.ledger import UnknownStretch

logger = logging.getLogger(__name__)
MAINTENANCE_LOCK = 0xB25_0002
CLOSING_LOCK = 0xB25_0003


@shared_task(name="events.insert_batch", serializer="msgpack")
def insert_batch(packed: bytes) -> None:
    """Store a batch of one Kafka partition. A failure leaves no trace and the consumer reads it again.

    While PostgreSQL is away the batch goes back to the queue, slowly.
    """
    batch = wire.unpack(packed)
    token = context_id.set(f"{batch.stretch.topic}/{batch.stretch.partition}/{batch.lo}-{batch.hi}")
    try:
        figures = store.store_kafka(batch)
        logger.debug("Stored %d of %d records", figures.stored, figures.received)
    except UnknownStretch:
        logger.warning("Dropped a batch of a topic that this database does not know")
    except (OperationalError, InterfaceError) as error:
        logger.warning("Back to the queue: %s", str(error).strip())
        time.sleep(1)
        raise Reject(str(error), requeue=True) from error
    finally:
        context_id.reset(token)


@shared_task(name="events.maintain_partitions")
def maintain_partitions() -> None:
    """Make the partitions of the days ahead, and tell the planner how large the table is."""
    with try_lock(MAINTENANCE_LOCK) as locked:
        if not locked:
            return
        retention = settings.CONFIG.analytics.retention
        plan = partitions.plan_ahead(datetime.now(UTC).date(), retention.partitions_ahead)
        partitions.apply(plan)
        logger.info("Partitions: %d made", len(plan.create))
    # Outside the transaction above, which holds locks.
    assigned.forget_older_than(retention.raw_events)
    partitioned.analyze(["events"])


@shared_task(name="events.close_days", soft_time_limit=1700, time_limit=1800)
def close_days() -> None:
    """Index and freeze the partitions of days that are over, one after the other."""
    with try_session_lock(CLOSING_LOCK) as locked:
        for day in closing.open_days() if locked else ():
            closing.close_day(day)


@shared_task(name="events.compact")
def compact() -> None:
    """Merge marks and figures where there are many of them."""
    above = settings.CONFIG.analytics.aggregation.compact_above
    for table, merge in (("touched_buckets", marks.compact), ("ingest_batches", accounting.compact)):
        with connection.cursor() as cursor:
            cursor.execute(f"SELECT count(*) FROM (SELECT FROM {table} LIMIT %s) counted", [above + 1])
            count = cursor.fetchone()[0]
        # Not while the rollup engine is at work: both delete marks, and could wait for each other.
        with try_lock(marks.LOCK) as locked:
            if locked and count > above:
                logger.info("Merged %s into %d rows", table, merge())
