"""The ten figures of the dashboard, up to this second: closed minutes from rollups, what is open from facts."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import orjson
from django.db import connection

from events.api.renderers import dumps
from metrics import cache, catalogue
from metrics.declarations import BUILT_IN, Aggregation, Metric, count_of
from metrics.reads import points, series, state, uniques
from metrics.reads.buckets import STEPS, Buckets
from metrics.reads.covering import Progress, Segment, cover
from metrics.reads.known import count_names
from metrics.reads.questions import Question
from metrics.reads.sources import rendered
from metrics.rollups.intervals import LADDER

SHELF = cache.Shelf("dashboard")
FRESH = 1.0
ONE_MINUTE, FIVE_MINUTES, ONE_HOUR = timedelta(minutes=1), timedelta(minutes=5), timedelta(hours=1)
RATES = "SELECT sum(received), sum(refused) FROM ingest_batches WHERE project_id = %s AND committed_at >= %s"
NEWEST = 'SELECT count(*) FROM events WHERE project_id = %s AND "timestamp" >= %s AND "timestamp" < %s'
# Whatever event carries one: all types are counted by strategy.
STRATEGIES_OF_ROLLUPS = """
SELECT dimensions ->> 'strategy_id' AS strategy FROM metric_aggregations
WHERE project_id = %(project)s AND metric_name = ANY(%(names)s::text[]) AND interval = %(interval)s
AND time_bucket >= %(start)s AND time_bucket < %(end)s
"""
STRATEGIES_OF_FACTS = """
SELECT properties ->> 'strategy_id' AS strategy FROM events
WHERE project_id = %(project)s AND "timestamp" >= %(start)s AND "timestamp" < %(end)s
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
        return {
            "active_users": figures.users(),
            "events_per_second": figures.events() / 60,
            "orders_placed": figures.number(count_of("order.placed")),
            "orders_filled": figures.number(count_of("order.filled")),
            "active_strategies": figures.strategies(),
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

    def users(self) -> int:
        window = Buckets((self.now - FIVE_MINUTES,), self.now)
        found = uniques.count(self.project_id, window, self._cover(FIVE_MINUTES))
        return found[0][1] if found else 0

    def strategies(self) -> int:
        names = count_names(self.project_id)
        pieces = [self._strategies(names, segment) for segment in self._cover(FIVE_MINUTES)]
        with connection.cursor() as cursor:
            cursor.execute(f"SELECT count(DISTINCT strategy) FROM ({' UNION ALL '.join(pieces)}) seen")
            return int(cursor.fetchone()[0])

    def error_rate(self) -> float:
        """Refused of all received; nothing received is nothing refused."""
        with connection.cursor() as cursor:
            cursor.execute(RATES, [self.project_id, self.now - ONE_HOUR])
            received, refused = cursor.fetchone()
        return float(refused / received) if received else 0.0

    def _strategies(self, names: Sequence[str], segment: Segment) -> str:
        window = {"project": self.project_id, "start": segment.start, "end": segment.end}
        if segment.rung is None:
            return rendered(STRATEGIES_OF_FACTS, window)
        return rendered(STRATEGIES_OF_ROLLUPS, window | {"names": names, "interval": segment.rung.interval.value})

    def _cover(self, length: timedelta) -> list[Segment]:
        return cover(self.now - length, self.now, LADDER[-1], self.progress)
