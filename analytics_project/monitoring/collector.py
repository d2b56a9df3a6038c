"""What Prometheus learns from PostgreSQL and Redis at each scrape: the truth, whoever is running."""

import logging
from collections.abc import Callable, Iterable, Iterator
from datetime import UTC, datetime
from typing import Any

from celery import current_app
from django.db import DatabaseError, InterfaceError, connection
from kombu.exceptions import OperationalError as QueueAway
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from analytics_project.monitoring import ledger, rollups
from events import partitions

logger = logging.getLogger(__name__)

OPEN_LETTERS = "SELECT reason, count(*) FROM dead_letters WHERE replayed_at IS NULL GROUP BY reason"
OPEN_GAPS = "SELECT kind, count(*), sum(hi - lo) FROM ingest_gaps WHERE resolved_at IS NULL GROUP BY kind"
OPEN_DRIFT = "SELECT interval, count(*) FROM rollup_drift WHERE resolved_at IS NULL GROUP BY interval"
INTERVALS = ("1m", "5m", "15m", "1h", "1d")
QUEUES = ("ingest", "rollup", "maintenance")


class ServiceCollector(Collector):
    """A scrape answers with what can be had; `analytics_database_up` says what could not."""

    def collect(self) -> Iterator[Metric]:
        yield from _guarded(
            "analytics_database_up", "PostgreSQL answers", (DatabaseError, InterfaceError), _from_database
        )
        yield from _guarded("analytics_queue_up", "Redis answers", (QueueAway, OSError), _from_queues)


def _guarded(
    name: str, text: str, failures: tuple[type[Exception], ...], source: Callable[[], Iterable[Metric]]
) -> list[Metric]:
    up = GaugeMetricFamily(name, text)
    try:
        found = list(source())
    except failures as error:
        logger.warning("%s: %s", name, type(error).__name__)
        found = []
        up.add_metric([], 0)
    else:
        up.add_metric([], 1)
    return [up, *found]


def _from_database() -> list[Metric]:
    try:
        return [*_consumer(), _dead_letters(), *_gaps(), _partitions_ahead(), *_rollups(), _drift()]
    finally:
        connection.close()


def _consumer() -> Iterator[Metric]:
    labels = ["topic", "partition"]
    lag = GaugeMetricFamily("analytics_consumer_lag_records", "In Kafka, not stored or refused yet", labels=labels)
    watermark = GaugeMetricFamily("analytics_consumer_watermark", "All offsets below it are done", labels=labels)
    stopped = GaugeMetricFamily("analytics_partition_stopped", "1: reading needs an operator", labels=labels)
    age = GaugeMetricFamily("analytics_consumer_last_seen_seconds", "Since the consumer looked at it", labels=labels)
    now = datetime.now(UTC)
    for partition in ledger.kafka_partitions():
        values = [partition.topic, str(partition.number)]
        lag.add_metric(values, partition.lag)
        watermark.add_metric(values, partition.watermark)
        stopped.add_metric(values, bool(partition.stopped_reason))
        age.add_metric(values, (now - partition.looked_at).total_seconds())
    return iter([lag, watermark, stopped, age])


def _dead_letters() -> Metric:
    gauge = GaugeMetricFamily("analytics_dead_letters_open", "Refused and not replayed yet", labels=["reason"])
    for reason, count in _rows(OPEN_LETTERS):
        gauge.add_metric([reason], count)
    return gauge


def _gaps() -> Iterator[Metric]:
    gaps = GaugeMetricFamily("analytics_ingest_gaps_open", "Holes that nobody resolved", labels=["kind"])
    records = GaugeMetricFamily("analytics_ingest_gap_records", "Offsets in open holes", labels=["kind"])
    for kind, count, size in _rows(OPEN_GAPS):
        gaps.add_metric([kind], count)
        records.add_metric([kind], float(size))
    return iter([gaps, records])


def _partitions_ahead() -> Metric:
    ahead = partitions.days_ahead(datetime.now(UTC).date())
    return GaugeMetricFamily("analytics_partitions_ahead_days", "Days after today with a partition", value=ahead)


def _rollups() -> Iterator[Metric]:
    behind = GaugeMetricFamily("analytics_rollup_behind_seconds", "Since all was added up", labels=["interval"])
    marks = GaugeMetricFamily("analytics_rollup_marks", "Buckets to compute, at most 100,000", labels=["interval"])
    state = rollups.look()
    for interval in INTERVALS:
        if interval in state.behind:
            behind.add_metric([interval], state.behind[interval])
        marks.add_metric([interval], state.marks.get(interval, 0))
    return iter([behind, marks])


def _drift() -> Metric:
    gauge = GaugeMetricFamily("analytics_rollup_drift_open", "Series that differ from the facts", labels=["interval"])
    for interval, count in (dict.fromkeys(INTERVALS, 0) | dict(_rows(OPEN_DRIFT))).items():
        gauge.add_metric([interval], count)
    return gauge


def _from_queues() -> list[Metric]:
    length = GaugeMetricFamily("analytics_queue_length", "Tasks waiting in a Celery queue", labels=["queue"])
    with current_app.connection_for_read(connect_timeout=1) as queue:
        channel: Any = queue.channel()
        for name in QUEUES:
            length.add_metric([name], channel._size(name))
    return [length]


def _rows(statement: str) -> list[tuple[Any, ...]]:
    with connection.cursor() as cursor:
        cursor.execute(statement)
        rows: list[tuple[Any, ...]] = cursor.fetchall()
        return rows
