"""What Prometheus scrapes: what the database knows, and the counters of all processes together."""

import os
import subprocess
import sys
from pathlib import Path
from uuid import uuid4

import pytest
from django.db import connection
from prometheus_client.parser import text_string_to_metric_families

from analytics_project.monitoring.exposition import Exposition, forget_the_dead


@pytest.mark.django_db
def test_the_scrape_tells_what_the_database_knows() -> None:
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO kafka_ledger"
            " (topic, kafka_partition, topic_id, incarnation, base, done, end_offset, stopped_reason)"
            " VALUES ('trading.events', 0, %s, 0, 0, '{[0,40)}', 100, ''),"
            " ('trading.events', 1, %s, 0, 0, '{}', 0, 'went back')",
            [uuid4(), uuid4()],
        )
        cursor.execute(
            "INSERT INTO dead_letters (project_id, reason, error, source, record_timestamp, raw)"
            " VALUES (1, 'empty', '', 'http', now(), ''), (1, 'empty', '', 'http', now(), '')"
        )

        cursor.execute("INSERT INTO rollup_progress VALUES ('1m', now() - interval '90 seconds')")
        cursor.execute(
            "INSERT INTO touched_buckets (project_id, event_type, bucket)"
            " VALUES (1, 'a', now() - interval '1 hour'), (1, 'a', now())"
        )

    samples = scrape(Exposition())

    assert samples["analytics_rollup_behind_seconds", ("1m",)] == pytest.approx(90, abs=10)
    assert ("analytics_rollup_behind_seconds", ("1d",)) not in samples
    assert [samples["analytics_rollup_marks", (interval,)] for interval in ("1m", "5m")] == [1, 0]
    assert samples["analytics_database_up", ()] == 1
    assert samples["analytics_consumer_lag_records", ("0", "trading.events")] == 60
    assert samples["analytics_partition_stopped", ("1", "trading.events")] == 1
    assert samples["analytics_dead_letters_open", ("empty",)] == 2
    assert samples["analytics_queue_up", ()] == 1
    assert ("analytics_queue_length", ("ingest",)) in samples
    assert ("analytics_partitions_ahead_days", ()) in samples


def test_a_scrape_without_the_database_says_so(database_gone: None) -> None:
    samples = scrape(Exposition())

    assert samples["analytics_database_up", ()] == 0
    assert ("analytics_active_connections", ()) in samples


def scrape(exposition: Exposition) -> dict[tuple[str, tuple[str, ...]], float]:
    _, body = exposition.render("")
    families = text_string_to_metric_families(body.decode())
    return {
        (sample.name, tuple(value for _, value in sorted(sample.labels.items()))): sample.value
        for family in families
        for sample in family.samples
    }


NAMES = [
    "analytics_events_ingested_total",
    "analytics_events_failed_total",
    "analytics_batches_processed_total",
    "analytics_batch_duration_seconds_count",
    "analytics_query_duration_seconds_count",
    "analytics_cache_hits_total",
    "analytics_cache_misses_total",
    "analytics_active_connections",
]


COUNT = """
from events.instruments import *
EVENTS_INGESTED.labels("http").inc(3)
EVENTS_FAILED.labels("http").inc()
BATCHES_PROCESSED.labels("http").inc()
BATCH_DURATION.labels("http").observe(0.1)
QUERY_DURATION.labels("events").observe(0.1)
CACHE_HITS.labels("x").inc()
CACHE_MISSES.labels("x").inc()
ACTIVE_CONNECTIONS.inc()
"""
COLLECT = """
import os, prometheus_client, prometheus_client.multiprocess
registry = prometheus_client.CollectorRegistry()
prometheus_client.multiprocess.MultiProcessCollector(registry)
print(prometheus_client.generate_latest(registry).decode())
"""


def test_processes_that_share_a_folder_are_added_up(tmp_path: Path) -> None:
    run_python(COUNT, tmp_path)
    run_python(COUNT, tmp_path)

    text = run_python(COLLECT, tmp_path)

    assert all(name in text for name in NAMES)
    assert 'analytics_events_ingested_total{source="http"} 6.0' in text


def run_python(script: str, folder: Path) -> str:
    environment = {**os.environ, "PROMETHEUS_MULTIPROC_DIR": str(folder)}
    command = [sys.executable, "-c", script]
    return subprocess.run(command, env=environment, check=True, capture_output=True, text=True).stdout


def test_live_gauges_of_ended_processes_are_dropped(tmp_path: Path) -> None:
    ended = subprocess.Popen([sys.executable, "-c", ""])
    ended.wait()
    files = [tmp_path / f"{name}_{pid}.db" for pid in (ended.pid, os.getpid()) for name in ("gauge_livesum", "counter")]
    for file in files:
        file.touch()

    forget_the_dead(tmp_path)

    assert [file.exists() for file in files] == [False, True, True, True]
