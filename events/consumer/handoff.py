"""From the consumer to the Celery queue, and what the queue still holds."""

import logging

from django.conf import settings
from kombu.exceptions import OperationalError
from redis import Redis
from redis.exceptions import RedisError

from events.consumer.reader import RawBatch
from events.tasks import insert_batch
from events.wire import pack

logger = logging.getLogger(__name__)


class QueueAway(Exception):
    """Redis does not take the batch now; it stays in hand."""


def enqueue(batch: RawBatch) -> None:
    packed = pack(
        batch.stretch,
        batch.lo,
        batch.hi,
        [record.offset for record in batch.records],
        [record.timestamp for record in batch.records],
        [record.value for record in batch.records],
    )
    try:
        # Without argsrepr Celery would render the bytes of each batch into its headers.
        insert_batch.apply_async((packed,), retry=False, argsrepr="(batch)")  # type: ignore[call-arg]
    except (OperationalError, RedisError, OSError) as error:
        raise QueueAway(str(error)) from error


class QueueState:
    """Looks into the queue, to tell batches that wait from batches that are lost."""

    def __init__(self) -> None:
        prefix = settings.CELERY_BROKER_TRANSPORT_OPTIONS["global_keyprefix"]
        self._queue, self._unacked = f"{prefix}ingest", f"{prefix}unacked"
        self._redis = Redis.from_url(settings.CELERY_BROKER_URL, socket_timeout=2, socket_connect_timeout=2)

    def waiting(self) -> tuple[int, int]:
        """How many batches are queued, and how many tasks of any queue are with workers.

        Raises QueueAway.
        """
        try:
            return int(self._redis.llen(self._queue)), int(self._redis.hlen(self._unacked))
        except RedisError as error:
            raise QueueAway(str(error)) from error
