"""The leaves of `metric_aggregations`: a month of an interval each, a year of 1d. The engine makes what it needs."""

from collections.abc import Iterable
from datetime import UTC, datetime

from django.db import connection
from psycopg import sql

from analytics_project.lib.partitioned import MADE
from metrics.models import Interval


def name_of(interval: Interval, moment: datetime) -> str:
    """The leaf for a bucket, e.g. `metric_aggregations_1m_y2026m11`, `metric_aggregations_1d_y2026`."""
    month = "" if interval is Interval.DAY else f"m{moment:%m}"
    return f"metric_aggregations_{interval.value}_y{moment:%Y}{month}"


def bounds_of(interval: Interval, moment: datetime) -> tuple[datetime, datetime]:
    """The leaf's [start, end), UTC."""
    if interval is Interval.DAY:
        return datetime(moment.year, 1, 1, tzinfo=UTC), datetime(moment.year + 1, 1, 1, tzinfo=UTC)
    following = divmod(moment.month, 12)
    return (
        datetime(moment.year, moment.month, 1, tzinfo=UTC),
        datetime(moment.year + following[0], following[1] + 1, 1, tzinfo=UTC),
    )


def ensure(interval: Interval, buckets: Iterable[datetime]) -> None:
    """Make the leaves that these buckets need. Under the engine's lock, so nobody else makes them meanwhile."""
    for start, end in sorted({bounds_of(interval, bucket) for bucket in buckets}):
        name = name_of(interval, start)
        with connection.cursor() as cursor:
            cursor.execute("SELECT to_regclass(%s)", [name])
            if cursor.fetchone()[0] is None:
                _create(name, interval, start, end)


# Attached rather than made in place: that would wait for readers of the interval, and make others wait behind it.
CREATE = (
    "CREATE TABLE {leaf} (LIKE {parent} INCLUDING ALL, CONSTRAINT one_leaf CHECK"
    " (interval = {interval} AND time_bucket >= {start} AND time_bucket < {end}))",
    "ALTER TABLE {parent} ATTACH PARTITION {leaf} FOR VALUES FROM ({start}) TO ({end})",
    "ALTER TABLE {leaf} DROP CONSTRAINT one_leaf",
    "COMMENT ON TABLE {leaf} IS {made}",
)


def _create(name: str, interval: Interval, start: datetime, end: datetime) -> None:
    names = {
        "leaf": sql.Identifier(name),
        "parent": sql.Identifier(f"metric_aggregations_{interval.value}"),
        "interval": sql.Literal(interval.value),
        "start": sql.Literal(start),
        "end": sql.Literal(end),
        "made": sql.Literal(MADE),
    }
    with connection.cursor() as cursor:
        for statement in CREATE:
            cursor.execute(sql.SQL(statement).format(**names).as_string(cursor.connection))
