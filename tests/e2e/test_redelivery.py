"""Records that come more than once, by whatever way: each is stored once."""

import base64
import json

import msgspec
import pytest
from django.db import connection

from events import wire
from events.tasks import insert_batch
from tests.numbered import assert_each_once, numbered, stored_numbers, under_load
from tests.pipeline import QUEUE, Pipeline

pytestmark = pytest.mark.django_db


def queued_batches(pipeline: Pipeline) -> list[bytes]:
    """The batches in the queue as they were packed, oldest first."""
    messages = (json.loads(message) for message in reversed(pipeline.redis.lrange(QUEUE, 0, -1)))
    bodies = (msgspec.msgpack.decode(base64.b64decode(message["body"])) for message in messages)
    return [arguments[0] for arguments, _, _ in bodies]


def redelivered(pipeline: Pipeline) -> int:
    with connection.cursor() as cursor:
        cursor.execute("SELECT sum(redelivered) FROM ingest_batches WHERE topic = ANY(%s)", [pipeline.topics])
        return int(cursor.fetchone()[0] or 0)


def test_consumers_that_join_and_leave(pipeline: Pipeline) -> None:
    first = pipeline.consumer()
    pipeline.worker()
    with under_load(pipeline) as load:
        pipeline.wait(lambda: stored_numbers()[0], "the first events")
        second = pipeline.consumer()
        pipeline.wait(lambda: "Reading" in second.text(), "the second consumer to read")
        load.wait_for_more(500)
        first.terminate()
        first.wait_for_end(10)
        pipeline.wait(lambda: second.text().count("Reading") > 1, "the second consumer to read everything")
        third = pipeline.consumer()
        pipeline.wait(lambda: "Reading" in third.text(), "the third consumer to read")
        load.wait_for_more(500)


def test_batches_that_run_again_hours_later(pipeline: Pipeline) -> None:
    pipeline.consumer(INGESTION_BATCH_SIZE="500")
    count = 6000
    pipeline.send(numbered(number) for number in range(count))
    pipeline.wait_until_queued(count // 500)
    zombies: list[bytes] = pipeline.redis.lrange(QUEUE, 0, -1)  # type: ignore[assignment]
    pipeline.worker()
    pipeline.wait_until_done()

    pipeline.redis.lpush(QUEUE, *zombies)

    pipeline.wait(lambda: redelivered(pipeline) == count, "the old batches to be passed over")
    assert_each_once(pipeline, count)


def test_a_batch_that_overlaps_others(pipeline: Pipeline) -> None:
    """As after a restart of the consumer, which cuts its batches at other offsets."""
    pipeline.consumer(INGESTION_BATCH_SIZE="100")
    pipeline.send((numbered(number) for number in range(1000)), partition=0)
    pipeline.wait_until_queued(10)
    first, second = (wire.unpack(packed) for packed in queued_batches(pipeline)[:2])
    records = [*first.records[50:], *second.records[:50]]
    straddling = wire.pack(
        first.stretch,
        first.lo + 50,
        second.lo + 50,
        [record.offset for record in records],
        [record.time_ms for record in records],
        [record.value for record in records],
    )

    insert_batch(straddling)
    assert stored_numbers() == (100, 100)
    pipeline.worker()
    pipeline.wait_until_done()

    assert redelivered(pipeline) == 100
    assert_each_once(pipeline, 1000)
