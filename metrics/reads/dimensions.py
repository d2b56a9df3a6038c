"""The dimensions of a metric and the values that they were seen with."""

from typing import Any

from django.db import connection

from metrics.declarations import Metric

MAX_VALUES = 1000
VALUES = """
SELECT DISTINCT dimensions ->> %s FROM metric_series
WHERE project_id = %s AND metric_name = %s AND dimensions ->> %s IS NOT NULL ORDER BY 1 LIMIT %s
"""
SERIES = "SELECT count(*) FROM metric_series WHERE project_id = %s AND metric_name = %s"


def values(project_id: int, metric: Metric) -> dict[str, Any]:
    """`truncated` names dimensions that have more values than are listed."""
    found = {name: _values(project_id, metric.name, name) for name in metric.dimensions}
    with connection.cursor() as cursor:
        cursor.execute(SERIES, [project_id, metric.name])
        series = cursor.fetchone()[0]
    return {
        "metric_name": metric.name,
        "dimensions": {name: seen[:MAX_VALUES] for name, seen in found.items()},
        "truncated": [name for name, seen in found.items() if len(seen) > MAX_VALUES],
        "series": series,
        "max_series": metric.max_series,
    }


def _values(project_id: int, metric_name: str, dimension: str) -> list[str]:
    with connection.cursor() as cursor:
        cursor.execute(VALUES, [dimension, project_id, metric_name, dimension, MAX_VALUES + 1])
        return [value for (value,) in cursor.fetchall()]
