"""Killed processes and services under load: nothing lost, nothing doubled, and no hand needed to go on.

These tests end and restart services that a test run shares, so they must not run beside others.
"""

import signal
from collections.abc import Iterator

import pytest
from redis import Redis

from analytics_project.services.ports import is_free
from analytics_project.services.process import send, wait_for_end
from analytics_project.services.service import Service
from tests import embedded
from tests.numbered import BACKLOG, Load, assert_each_once, stored_numbers, under_load
from tests.pipeline import Pipeline
from tests.processes import wait_until

pytestmark = pytest.mark.django_db


def service(name: str) -> Iterator[Service]:
    found = embedded.instance[name]
    if elsewhere := found.elsewhere():
        pytest.skip(f"{found.title} at {elsewhere} is not ours to restart")
    yield found
    found.start(embedded.report)


@pytest.fixture
def postgres() -> Iterator[Service]:
    yield from service("postgres")


@pytest.fixture
def redis() -> Iterator[Service]:
    yield from service("redis")


@pytest.fixture
def kafka() -> Iterator[Service]:
    yield from service("kafka")


def kill(found: Service, number: signal.Signals) -> None:
    running = found.running()
    assert running
    send(running, number)
    wait_for_end(running, 30)
    wait_until_gone(found)


def wait_until_gone(found: Service) -> None:
    """Until its port is free: the server must come back where everybody knows it."""
    wait_until(lambda: is_free(found.port() or 0), seconds=10, what=lambda: f"the port of {found.title}")


def wait_until_busy(pipeline: Pipeline) -> None:
    """Until some of the backlog is stored, and not yet all of it."""
    pipeline.wait(lambda: stored_numbers()[0], "the first events")
    assert stored_numbers()[0] < BACKLOG, "too quick: the fault would meet no work"


def test_killed_consumer(pipeline: Pipeline) -> None:
    consumer = pipeline.consumer()
    pipeline.worker()
    with under_load(pipeline) as load:
        wait_until_busy(pipeline)
        consumer.kill_group()
        pipeline.consumer()
        load.wait_for_more(1000)


def test_killed_worker_child(pipeline: Pipeline) -> None:
    pipeline.consumer()
    worker = pipeline.worker()
    with under_load(pipeline) as load:
        wait_until_busy(pipeline)
        for child in worker.children():
            child.kill()
        load.wait_for_more(1000)


def test_killed_worker_with_all_its_children(pipeline: Pipeline) -> None:
    pipeline.consumer()
    worker = pipeline.worker()
    with under_load(pipeline) as load:
        wait_until_busy(pipeline)
        worker.kill_group()
        pipeline.worker()
        load.wait_for_more(1000)


def test_flushed_redis(pipeline: Pipeline, redis: Service) -> None:
    pipeline.consumer()
    with under_load(pipeline) as load:
        pipeline.wait_until_queued(20)
        pipeline.redis.flushall()
        pipeline.worker()
        load.wait_for_more(1000)
        pipeline.redis.flushall()
        load.wait_for_more(1000)


def test_killed_redis(pipeline: Pipeline, redis: Service) -> None:
    pipeline.consumer()
    pipeline.worker()
    with under_load(pipeline) as load:
        wait_until_busy(pipeline)
        kill(redis, signal.SIGKILL)
        load.wait_for_more(1000)
        redis.start(embedded.report)
        load.wait_for_more(1000)
    assert Redis(port=redis.port() or 0).ping()


def test_immediate_restart_of_postgresql(pipeline: Pipeline, postgres: Service) -> None:
    pipeline.consumer()
    pipeline.worker()
    with under_load(pipeline) as load:
        wait_until_busy(pipeline)
        kill(postgres, signal.SIGQUIT)
        load.wait_for_more(1000)
        postgres.start(embedded.report)
        load.wait_for_more(1000)


@pytest.mark.skipif(not embedded.NAME.startswith("real"), reason="the embedded broker keeps nothing")
def test_killed_kafka(pipeline: Pipeline, kafka: Service) -> None:
    pipeline.consumer()
    pipeline.worker()
    with under_load(pipeline) as load:
        wait_until_busy(pipeline)
        kill(kafka, signal.SIGKILL)
        kafka.start(embedded.report)
        load.wait_for_more(1000)


@pytest.mark.skipif(embedded.NAME.startswith("real"), reason="Apache Kafka keeps its topics")
def test_a_kafka_that_forgot_everything(pipeline: Pipeline, kafka: Service) -> None:
    """The embedded broker after a restart: topics of the same names with other ids, from offset 0 on."""
    consumer = pipeline.consumer()
    pipeline.worker()
    load = Load(pipeline)
    load.send(5000)
    pipeline.wait_until_done()

    kafka.stop()
    wait_until_gone(kafka)
    kafka.start(embedded.report)
    pipeline.reconnect()
    load.send(2000)
    pipeline.wait(lambda: stored_numbers()[0] == 7000, "the events of the new topics")

    assert_each_once(pipeline, 7000)
    assert "was created anew" in consumer.text()
    assert consumer.alive
