"""The metrics API: 30 days at 1h with 50 series, the dashboard, and what ten times as many rollups change.

The rows of 1h are put into the engine's own table of work and go the engine's own way into `metric_aggregations`
(`metrics.rollups.work.replace`: percentiles from the histograms, leaves, versions); only the values are made up. What
else is stored then is a copy of these rows under other names. Events of the last minute are facts, not added up yet.
"""

import os
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg
from django.db import connection, transaction
from psycopg import sql

from benchmarks import machine, preload, raw_copy, web
from benchmarks.cli import Options
from benchmarks.client import Connection
from benchmarks.figures import Spread, percentile, print_table, ratio, say
from benchmarks.pool import Pool
from events import partitions
from metrics.models import Interval, RollupProgress
from metrics.rollups import work
from metrics.rollups.claims import Claim
from metrics.rollups.facts import COLUMNS, Statement
from metrics.rollups.intervals import MINUTE, RUNGS

PATH = "/api/v1/metrics"
DASHBOARD = "GET /dashboard/metrics"
NAMES = ("trading.total_volume", "trading.order_latency")
SERIES, DAYS, VALUES = 50, 30, 60
COPIES = 9
REPEATS = 30
TAIL_RATE = 1000
# As a metric over so many random values in each hour of each symbol would be.
MAKE = """
SELECT %(metric)s, bucket, jsonb_build_object('symbol', 'S' || series), sum(n)::bigint, 0, sum(s), sum(s2),
    min(low), max(high), min(low), max(high), array_agg(bin ORDER BY bin), array_agg(n ORDER BY bin)
FROM (
    SELECT bucket, series, metric_bin(v) AS bin, count(*) AS n, sum(v) AS s, sum(v * v) AS s2, min(v) AS low,
        max(v) AS high
    FROM (
        SELECT bucket, series, round((20 * exp(random() * 3))::numeric, 3) AS v
        FROM unnest(%(buckets)s::timestamptz[]) AS bucket, generate_series(1, %(series)s) AS series,
            generate_series(1, %(values)s)) made
    GROUP BY bucket, series, metric_bin(v)) bins
GROUP BY bucket, series
"""
MORE = f"""
INSERT INTO metric_aggregations (project_id, interval, {COLUMNS}, p50, p95, p99)
SELECT project_id, interval, {COLUMNS.replace("metric_name", "metric_name || %s", 1)}, p50, p95, p99
FROM metric_aggregations WHERE metric_name = ANY(%s)
"""
PLAIN = """
SELECT time_bucket, dimensions ->> 'symbol', sum(sum) FROM metric_aggregations WHERE project_id = 1
AND metric_name = %s AND interval = '1h' AND time_bucket >= %s AND time_bucket < %s GROUP BY 1, 2
"""
Ask = Callable[[], Any]


def run(options: Options, pool: Pool) -> None:
    end = MINUTE.floor(datetime.now(UTC)) - timedelta(minutes=1)
    last = RUNGS[Interval.HOUR].floor(end)
    make(last)
    proceed(end)
    tail(end)
    with web.serving() as (port, _):
        few = Answers(Connection(port), last)
        few.measure()
        say(f"{COPIES} times as many rollups more")
        grow()
        many = Answers(Connection(port), last)
        many.measure()
    print_results(few, many, options)


def make(last: datetime) -> None:
    rung = RUNGS[Interval.HOUR]
    buckets = [last - (place + 1) * rung.length for place in range(DAYS * 24)]
    for name in NAMES:
        say(f"{len(buckets) * SERIES:,} rows of {name}")
        parameters = {"metric": name, "buckets": buckets, "series": SERIES, "values": VALUES}
        with transaction.atomic():
            work.make()
            work.add(Statement(sql.SQL(MAKE), parameters))
            work.replace(1, rung, [Claim(1, name, bucket) for bucket in buckets])
    settle()


def proceed(until: datetime) -> None:
    """As after a run of the engine."""
    RollupProgress.objects.all().delete()
    RollupProgress.objects.bulk_create(RollupProgress(interval, until) for interval in Interval.values)


def tail(start: datetime) -> None:
    """Events since then, which no minute has yet."""
    partitions.ensure([start.date(), (start + timedelta(minutes=2)).date()])
    pool = Pool(start=start, per_second=TAIL_RATE)
    raw_copy.copy_all(raw_copy.buffers(pool.copy_lines(TAIL_RATE * 60), size=10_000))
    preload.settle()


def grow() -> None:
    with connection.cursor() as cursor:
        for number in range(COPIES):
            cursor.execute(MORE, [f".{number}", list(NAMES)])
    settle()


def settle() -> None:
    with raw_copy.connect() as own:
        own.execute("VACUUM (ANALYZE) metric_aggregations")


class Answers:
    """Milliseconds of each question, uncached and cached, and of a plain query for the same rows."""

    def __init__(self, client: Connection, last: datetime) -> None:
        self.client = client
        self.closed = {"start_time": (last - timedelta(days=DAYS)).isoformat(), "end_time": last.isoformat()}
        self.open = {"start_time": (last - timedelta(days=DAYS)).isoformat()}
        self.bounds = (last - timedelta(days=DAYS), last)
        self.uncached: dict[str, list[float]] = {}
        self.cached: dict[str, list[float]] = {}
        self.plain: list[float] = []

    def measure(self) -> None:
        # First what is cached: so many large answers as follow are more than a process keeps in Redis.
        for name, ask in self.questions():
            ask()
            self.cached[name] = [milliseconds(ask) for _ in range(REPEATS)]
        for name, ask in self.questions():
            self.uncached[name] = [self._fresh(name, ask) for _ in range(REPEATS)]
        with raw_copy.connect() as own:
            self.plain = [milliseconds(lambda: self._plain(own)) for _ in range(REPEATS)]

    def questions(self) -> Iterator[tuple[str, Ask]]:
        by_symbol = {"group_by": "symbol"}
        volume, latency = NAMES
        yield "sum by symbol, 36,000 points", self._metrics(volume, **self.closed, **by_symbol)
        yield "p95 by symbol, 36,000 points", self._metrics(latency, **self.closed, **by_symbol)
        yield (
            "avg by symbol, filled",
            self._metrics(latency, **self.closed, **by_symbol, aggregation="avg", fill="zero"),
        )
        yield "sum of all series, 720 points", self._metrics(volume, **self.closed)
        yield "p95 of all series, 720 points", self._metrics(latency, **self.closed)
        yield "sum of one series, 720 points", self._metrics(volume, **self.closed, symbol="S7")
        yield "sum by symbol up to now", self._metrics(volume, **self.open, **by_symbol)
        yield "days of Europe/Paris", self._metrics(volume, **self.closed, interval="1d", timezone="Europe/Paris")
        yield DASHBOARD, lambda: self.client.get("/api/v1/dashboard/metrics")
        yield "GET /events/stats, 30 days", lambda: self.client.get("/api/v1/events/stats", **self.open)

    def _metrics(self, name: str, **parameters: str) -> Ask:
        return lambda: self.client.get(PATH, metric_name=name, **parameters)

    def _fresh(self, name: str, ask: Ask) -> float:
        """As after a run of the engine: another version of the data. What has none is kept for a second."""
        with connection.cursor() as cursor:
            cursor.execute("UPDATE rollup_versions SET version = version + 1")
        if name == DASHBOARD:
            time.sleep(1.05)
        return milliseconds(ask)

    def _plain(self, own: psycopg.Connection[Any]) -> None:
        own.execute(PLAIN, [NAMES[0], *self.bounds]).fetchall()


def milliseconds(ask: Ask) -> float:
    began = time.perf_counter()
    ask()
    return (time.perf_counter() - began) * 1000


def print_results(few: Answers, many: Answers, options: Options) -> None:
    plain = percentile(few.plain, 0.5)
    print_table(
        f"metrics: {SERIES} series, {DAYS} days at 1h, {options.preloaded:,} events and {TAIL_RATE * 60:,} in the open "
        f"minute, {REPEATS} requests each, one connection, {os.cpu_count()} cores; a plain query that fetches the "
        f"36,000 sums: {plain:.0f} ms; {machine.describe()}",
        ("question", "uncached p50 ms", "p95 ms", "of the plain query", "cached p50 ms", "p95 ms", "x10 rollups"),
        [_row(name, few, many, plain) for name in few.uncached],
    )


def _row(name: str, few: Answers, many: Answers, plain: float) -> tuple[str, ...]:
    fresh, kept, later = few.uncached[name], few.cached[name], many.uncached[name]
    growth = ratio(Spread.of([percentile(later, 0.5)]), Spread.of([percentile(fresh, 0.5)]))
    return (
        name,
        *(f"{percentile(fresh, share):.1f}" for share in (0.5, 0.95)),
        f"{percentile(fresh, 0.5) / plain:.2f}",
        *(f"{percentile(kept, share):.1f}" for share in (0.5, 0.95)),
        f"{growth:.2f}",
    )
