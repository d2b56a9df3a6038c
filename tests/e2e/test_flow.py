"""How the pipeline starts, waits and ends: quick when quiet, bounded when behind, clean when told to stop."""

import time
from collections.abc import Iterator
from statistics import quantiles

import pytest
from django.db import connection

from analytics_project.services.service import Service
from events import ledger
from tests import embedded
from tests.numbered import assert_each_once, numbered, stored_numbers, under_load
from tests.pipeline import Pipeline

pytestmark = pytest.mark.django_db

TRIALS = 30
MAX_IN_FLIGHT = 2000
BATCH = 100


@pytest.fixture
def postgres() -> Iterator[Service]:
    found = embedded.instance["postgres"]
    if elsewhere := found.elsewhere():
        pytest.skip(f"{found.title} at {elsewhere} is not ours to stop")
    yield found
    found.start(embedded.report)


def is_stored(number: int) -> bool:
    with connection.cursor() as cursor:
        cursor.execute("SELECT FROM events WHERE properties -> 'number' = to_jsonb(%s)", [number])
        return cursor.fetchone() is not None


def ends_seen(pipeline: Pipeline) -> int:
    """How many records the consumer has seen, as it notes for the displays of lag."""
    return sum(row.end_offset or 0 for row in ledger.all_progress() if row.stretch.topic in pipeline.topics)


def test_an_event_of_a_quiet_stream_is_there_within_a_second(pipeline: Pipeline) -> None:
    pipeline.consumer()
    pipeline.worker()
    pipeline.send([numbered(-1)])
    pipeline.wait_until_done()
    seconds = []
    for trial in range(TRIALS):
        began = time.monotonic()
        pipeline.send([numbered(trial)])
        pipeline.wait(lambda number=trial: is_stored(number), "one event", seconds=10)  # type: ignore[misc]
        seconds.append(time.monotonic() - began)
    p95 = quantiles(seconds, n=20)[-1]
    embedded.report(f"quiet stream: p50 {sorted(seconds)[TRIALS // 2]:.3f} s, p95 {p95:.3f} s from Kafka to SQL")
    assert p95 < 1


def test_the_queue_stays_bounded_without_a_worker(pipeline: Pipeline) -> None:
    pipeline.consumer(INGESTION_MAX_IN_FLIGHT=str(MAX_IN_FLIGHT), INGESTION_BATCH_SIZE=str(BATCH))
    bound = pipeline.partitions * MAX_IN_FLIGHT // BATCH
    pipeline.send(numbered(number) for number in range(20_000))
    pipeline.wait_until_queued(bound)
    until = time.monotonic() + 3
    most = 0
    while time.monotonic() < until:
        most = max(most, pipeline.queued())
        time.sleep(0.05)
    assert most == bound

    pipeline.worker()
    pipeline.wait_until_done()

    assert_each_once(pipeline, 20_000)


def test_everything_waits_while_postgresql_is_away(pipeline: Pipeline, postgres: Service) -> None:
    settings = {"INGESTION_MAX_IN_FLIGHT": str(MAX_IN_FLIGHT), "INGESTION_BATCH_SIZE": str(BATCH)}
    consumer, worker = pipeline.consumer(**settings), pipeline.worker()
    pipeline.send(numbered(number) for number in range(100))
    pipeline.wait_until_done()
    postgres.stop()
    pipeline.send(numbered(number) for number in range(100, 20_000))
    pipeline.wait(lambda: "Waiting for database" in consumer.text(), "the consumer to notice")
    pipeline.wait(lambda: "Back to the queue" in worker.text() or pipeline.queued() == 0, "the worker to notice")
    assert pipeline.queued() <= pipeline.partitions * MAX_IN_FLIGHT // BATCH

    postgres.start(embedded.report)
    pipeline.wait_until_done()

    assert consumer.alive
    assert worker.alive
    assert_each_once(pipeline, 20_000)


def test_sigterm_ends_both_within_ten_seconds(pipeline: Pipeline) -> None:
    consumer, worker = pipeline.consumer(), pipeline.worker()
    with under_load(pipeline) as load:
        pipeline.wait(lambda: stored_numbers()[0], "the first events")
        consumer.terminate()
        worker.terminate()
        took = max(consumer.wait_for_end(10), worker.wait_for_end(10))
        embedded.report(f"SIGTERM under load: ended after {took:.1f} s")
        assert (consumer.popen.returncode, worker.popen.returncode) == (0, 0)
        pipeline.consumer()
        pipeline.worker()
        load.wait_for_more(500)


def test_a_stopped_consumer_hands_on_what_it_holds(pipeline: Pipeline) -> None:
    consumer = pipeline.consumer(INGESTION_QUIET_TIMEOUT="1h", INGESTION_BATCH_TIMEOUT="1h")
    pipeline.wait_until_reading()
    pipeline.send(numbered(number) for number in range(300))
    pipeline.wait(lambda: ends_seen(pipeline) == 300, "the consumer to read the events")
    assert pipeline.queued() == 0

    consumer.terminate()
    consumer.wait_for_end(10)
    assert pipeline.queued() == pipeline.partitions
    pipeline.worker()
    pipeline.wait_until_done()

    assert_each_once(pipeline, 300)
