"""The pipeline at a glance: a few queries, each bounded, however large the table is."""

import threading
import time
from datetime import UTC, datetime, timedelta
from typing import Any

from django.conf import settings
from django.db import connection

from access.models import DEFAULT_PROJECT_ID
from analytics_project.monitoring import health, ledger
from analytics_project.monitoring.requests import log
from events.api import answers, queries
from events.api.queries import Filters, Window, time_limit
from events.instruments import CACHE_HITS, CACHE_MISSES

HITS, MISSES = CACHE_HITS.labels("overview"), CACHE_MISSES.labels("overview")
SHOWN = timedelta(minutes=5)
STEP = 5  # seconds a point of the chart
LATEST = 20
SAMPLE = 5000
SYMBOLS = 8

# Rows of the current step are left out: it is not over, and would look like a drop.
RATES = """
SELECT floor(extract(epoch FROM committed_at) / %s)::bigint * %s AS step, sum(received), sum(stored),
    sum(duplicates), sum(refused)
FROM ingest_batches WHERE committed_at >= %s AND committed_at < %s GROUP BY 1 ORDER BY 1
"""
OPEN_LETTERS = """
SELECT reason, count(*) FROM dead_letters WHERE replayed_at IS NULL GROUP BY reason ORDER BY 2 DESC, 1
"""
BUSIEST = """
SELECT event_type, count(*) FROM (
    SELECT event_type FROM events WHERE project_id = %s AND "timestamp" >= %s AND "timestamp" < %s
    ORDER BY "timestamp" DESC, id DESC LIMIT %s) newest
GROUP BY event_type ORDER BY 2 DESC, 1 LIMIT 8
"""
PRICES = """
SELECT DISTINCT ON (symbol) symbol, price FROM (
    SELECT properties->>'symbol' AS symbol, properties->>'price' AS price, "timestamp", id FROM events
    WHERE project_id = %s AND event_type = 'market.trade' AND "timestamp" >= %s AND "timestamp" < %s
    ORDER BY "timestamp" DESC LIMIT 500) newest
WHERE symbol IS NOT NULL AND price IS NOT NULL ORDER BY symbol, "timestamp" DESC, id DESC LIMIT %s
"""
# What ANALYZE last counted, or the statistics since; counting the rows would read them all.
ESTIMATE = """
SELECT coalesce(sum(greatest(c.reltuples, pg_stat_get_live_tuples(c.oid), 0)), 0)::bigint FROM pg_inherits i
JOIN pg_class c ON c.oid = i.inhrelid WHERE i.inhparent = 'events'::regclass
"""


def look(now: datetime) -> dict[str, Any]:
    recent = Window(now - timedelta(minutes=1), now + settings.CONFIG.analytics.ingestion.max_clock_skew)
    day = Window(now - timedelta(days=1), recent.end)
    with time_limit():
        latest = queries.newest(DEFAULT_PROJECT_ID, day, Filters(), limit=LATEST)
        return {
            "health": health.verdict().body(requests=log.figures()),
            "ingestion": _ingestion(now),
            "topics": _topics(),
            "dead_letters": dict(_rows(OPEN_LETTERS)),
            "busiest": dict(_rows(BUSIEST, DEFAULT_PROJECT_ID, recent.start, recent.end, SAMPLE)),
            "prices": dict(_rows(PRICES, DEFAULT_PROJECT_ID, recent.start, recent.end, SYMBOLS)),
            "events_estimate": _rows(ESTIMATE)[0][0],
            "latest": [answers.event(row) for row in latest],
        }


def _ingestion(now: datetime) -> dict[str, Any]:
    """Figures of each step of the last minutes, quiet ones included, and their totals."""
    end = int(now.timestamp()) // STEP * STEP
    start = end - int(SHOWN.total_seconds())
    bounds = (datetime.fromtimestamp(start, UTC), datetime.fromtimestamp(end, UTC))
    found = {row[0]: [int(value) for value in row[1:]] for row in _rows(RATES, STEP, STEP, *bounds)}
    steps = [found.get(step, [0, 0, 0, 0]) for step in range(start, end, STEP)]
    names = ("received", "stored", "duplicates", "refused")
    return {
        "seconds": int(SHOWN.total_seconds()),
        "step": STEP,
        "end_time": bounds[1],
        "stored_per_second": [step[1] / STEP for step in steps],
        **{name: sum(step[index] for step in steps) for index, name in enumerate(names)},
    }


def _topics() -> list[dict[str, Any]]:
    topics: dict[str, dict[str, Any]] = {}
    for partition in ledger.kafka_partitions():
        topic = topics.setdefault(partition.topic, {"topic": partition.topic, "partitions": 0, "lag": 0, "stopped": []})
        topic["partitions"] += 1
        topic["lag"] += partition.lag
        if partition.stopped_reason:
            topic["stopped"].append({"partition": partition.number, "reason": partition.stopped_reason})
    return list(topics.values())


def _rows(statement: str, *parameters: int | datetime) -> list[tuple[Any, ...]]:
    with connection.cursor() as cursor:
        cursor.execute(statement, parameters)
        rows: list[tuple[Any, ...]] = cursor.fetchall()
        return rows


class Shared:
    """One look serves everybody who asks within the refresh time: viewers cost nothing extra."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._seen: dict[str, Any] | None = None
        self._until = 0.0

    def get(self) -> dict[str, Any]:
        with self._lock:
            if self._seen is not None and time.monotonic() < self._until:
                HITS.inc()
                return self._seen
            MISSES.inc()
            self._seen = look(datetime.now(UTC))
            self._until = time.monotonic() + settings.CONFIG.realtime.refresh.total_seconds() / 2
            return self._seen


_shared = Shared()


def overview() -> dict[str, Any]:
    return _shared.get()
