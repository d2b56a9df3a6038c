"""What the rollups are, by the keys of `recount`."""

from typing import Any

import orjson
from django.db import connection

from metrics.tests import recount
from metrics.tests.recount import Key


def rolled(pattern: str, interval: str, *columns: str) -> dict[Key, Any]:
    with connection.cursor() as cursor:
        cursor.execute(
            f"SELECT metric_name, time_bucket, dimensions, {', '.join(columns)} FROM metric_aggregations"
            " WHERE metric_name LIKE %s AND interval = %s",
            [pattern, interval],
        )
        rows = cursor.fetchall()
    found: dict[Key, Any] = {}
    for name, bucket, dimensions, *rest in rows:
        named = recount.text_of(orjson.loads(dimensions))
        found[name, interval, bucket, named] = rest[0] if len(rest) == 1 else tuple(rest)
    return found
