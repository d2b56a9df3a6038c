"""The ten figures of the dashboard, up to this second: closed minutes from rollups, what is open from facts."""

from datetime import UTC, datetime, timedelta
from typing import Any

import orjson
from django.db import connection

from events.api.renderers import dumps
from metrics import cache, catalogue
from metrics.declarations import BUILT_IN, Aggregation, Metric
from metrics.reads import points, series, state, stats, uniques
from metrics.reads.buckets import STEPS, Buckets
from metrics.reads.covering import Progress, Segment, cover
from metrics.reads.questions import Question
from metrics.reads.sources import rendered
from metrics.rollups.intervals import LADDER
from metrics.rollups.types import count_names

SHELF = cache.Shelf("dashboard")
FRESH = 1.0
ONE_MINUTE, FIVE_MINUTES, ONE_HOUR = timedelta(minutes=1), timedelta(minutes=5), timedelta(hours=1)
RATES = "SELECT sum(received), sum(refused) FROM ingest_batches WHERE project_id = %s AND committed_at >= %s"
NEWEST = 'SELECT count(*) FROM events WHERE project_id = %s AND "timestamp" >= %s AND "timestamp" < %s'
# Whatever event carries one: all types are counted by strategy.
STRATEGIES_OF_ROLLUPS = """
SELECT DISTINCT dimensions ->> 'strategy_id' FROM metric_aggregations
WHERE project_id = %(project)s AND metric_name = ANY(%(names)s::text[]) AND interval = %(interval)s
AND time_bucket >= %(start)s AND time_bucket < %(end)s
"""
# One pass for both: events are many, users and strategies few.
PEOPLE_OF_FACTS = """
SELECT hashtextextended(user_id, 0), strategy FROM (
    SELECT user_id, properties ->> 'strategy_id' AS strategy FROM events
    WHERE project_id = %(project)s AND "timestamp" >= %(start)s AND "timestamp" < %(end)s GROUP BY 1, 2) seen
"""


def answer(project_id: int) -> bytes:
    """As JSON; a second old at most."""
    key = str(project_id)
    body = SHELF.get(key)
    if body is None:
        body = dumps(look(project_id, datetime.now(UTC)))
        SHELF.put(key, body, FRESH)
    return body


def look(project_id: int, now: datetime) -> dict[str, Any]:
    with state.snapshot():
        figures = _Figures(project_id, now, state.look(project_id, ()).progress)
        users, strategies = figures.people()
        orders = figures.orders()
        return {
            "active_users": users,
            "events_per_second": figures.events() / 60,
            "orders_placed": orders.get("order.placed", 0),
            "orders_filled": orders.get("order.filled", 0),
            "active_strategies": strategies,
            "total_volume": figures.number(catalogue.OWN["trading.total_volume"]),
            "average_latency": figures.value(catalogue.OWN["trading.order_latency"], Aggregation.AVG),
            "error_rate": figures.error_rate(),
            "custom_metrics": {metric.name: figures.value(metric) for metric in _custom(project_id)},
            "last_updated": now,
        }


def _custom(project_id: int) -> list[Metric]:
    return [metric for metric in catalogue.metrics_of(project_id) if metric not in BUILT_IN]


class _Figures:
    def __init__(self, project_id: int, now: datetime, progress: Progress) -> None:
        self.project_id = project_id
        self.now = now
        self.progress = progress

    def value(self, metric: Metric, aggregation: Aggregation | None = None, nothing: str = "null") -> orjson.Fragment:
        """Of the last hour, all series together; `nothing` where there is none."""
        window = Buckets((self.now - ONE_HOUR,), self.now)
        question = Question(self.project_id, metric, aggregation or metric.default, STEPS["1h"], window)
        found = series.read(series.Plan(question, self._cover(ONE_HOUR), None, 0))
        return orjson.Fragment((points.number(found[0].values[0]) if found else "") or nothing)

    def number(self, metric: Metric) -> orjson.Fragment:
        """The same of what is zero where there is nothing."""
        return self.value(metric, nothing="0")

    def events(self) -> int:
        with connection.cursor() as cursor:
            cursor.execute(NEWEST, [self.project_id, self.now - ONE_MINUTE, self.now])
            return int(cursor.fetchone()[0])

    def orders(self) -> dict[str, int]:
        return stats.counted(self.project_id, self.now - ONE_HOUR, self.now, ("order.placed", "order.filled"))

    def people(self) -> tuple[int, int]:
        """Distinct users and strategies of the last minutes."""
        segments = self._cover(FIVE_MINUTES)
        seen = [row for segment in segments if segment.rung is None for row in self._rows(PEOPLE_OF_FACTS, segment)]
        window = Buckets((self.now - FIVE_MINUTES,), self.now)
        hashes = {user for user, _ in seen if user is not None}
        users = uniques.count_with(self.project_id, window, segments, sorted(hashes))
        strategies = {strategy for _, strategy in seen}.union(*map(self._strategies, segments))
        return users, len(strategies - {None})

    def _strategies(self, segment: Segment) -> set[str | None]:
        if segment.rung is None:
            return set()
        more = {"names": count_names(self.project_id), "interval": segment.rung.interval.value}
        return {strategy for (strategy,) in self._rows(STRATEGIES_OF_ROLLUPS, segment, **more)}

    def _rows(self, statement: str, segment: Segment, **more: object) -> list[tuple[Any, ...]]:
        with connection.cursor() as cursor:
            parameters = {"project": self.project_id, "start": segment.start, "end": segment.end, **more}
            cursor.execute(rendered(statement, parameters))
            rows: list[tuple[Any, ...]] = cursor.fetchall()
            return rows

    def error_rate(self) -> float:
        """Refused of all received; nothing received is nothing refused."""
        with connection.cursor() as cursor:
            cursor.execute(RATES, [self.project_id, self.now - ONE_HOUR])
            received, refused = cursor.fetchone()
        return float(refused / received) if received else 0.0

    def _cover(self, length: timedelta) -> list[Segment]:
        return cover(self.now - length, self.now, LADDER[-1], self.progress)
