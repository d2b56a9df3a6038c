"""A second opinion: what the facts come to, put beside the rollups. Shares no statement with the engine, on purpose.

Each statement gives the series that differ: time_bucket, dimensions, stored (JSON), recounted (JSON).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from psycopg import sql

from metrics.declarations import Metric, Product
from metrics.rollups.intervals import Rung

# A percentile comes from a histogram whose bins are good for 1 %; its ends are doubles.
TOLERANCE = 0.0101
MAX_DIMENSION = 200
OTHER = '{"_other": true}'
# Written out by hand: a number, or a decimal in a string of at most 40 digits on each side of the point.
NUMBER = r"""
CASE jsonb_typeof(properties -> {name})
    WHEN 'number' THEN (properties ->> {name})::numeric
    WHEN 'string' THEN substring(properties ->> {name} from
        '^[+-]?[0-9]{{1,40}}(?:[.][0-9]{{1,40}})?(?:[eE][+-]?[0-9]{{1,2}})?$')::numeric
END"""

# Buckets that have a series `other` are compared as a whole: which facts went there depends on what came first.
COMPARISON = r"""
WITH facts AS MATERIALIZED (
    SELECT date_bin(%(length)s, "timestamp", '1970-01-01Z') AS time_bucket, {dimensions} AS dimensions,
        event_type = ANY(%(shares)s) AS shares, {value} AS raw, "timestamp" AS at, id
    FROM events
    WHERE project_id = %(project)s AND "timestamp" >= %(start)s AND "timestamp" < %(end)s
        AND event_type = ANY(%(types)s) {filters}),
rollups AS MATERIALIZED (
    SELECT *, CASE WHEN bin_counts IS NOT NULL
        THEN (SELECT coalesce(sum(n), 0) FROM unnest(bin_counts) AS n) END AS in_bins
    FROM metric_aggregations
    WHERE project_id = %(project)s AND metric_name = %(metric)s AND interval = %(interval)s
        AND time_bucket >= %(start)s AND time_bucket < %(end)s AND time_bucket <> ALL(%(skipped)s)),
folded AS (SELECT time_bucket FROM rollups WHERE dimensions = %(other)s),
numbers AS (
    SELECT time_bucket, at, id, shares,
        CASE WHEN folded.time_bucket IS NULL THEN dimensions ELSE %(other)s END AS dimensions,
        CASE WHEN abs(raw) < 1e-300 THEN 0 WHEN abs(raw) < 1e300 THEN raw END AS v
    FROM facts LEFT JOIN folded USING (time_bucket) WHERE time_bucket <> ALL(%(skipped)s)),
recounted AS (
    SELECT time_bucket, dimensions, {totals} FROM numbers GROUP BY time_bucket, dimensions),
stored AS (
    SELECT time_bucket, dimensions, count, skipped, sum, sum_squares, min, max, first, last, p50, p95, p99,
        in_bins
    FROM rollups WHERE time_bucket NOT IN (SELECT time_bucket FROM folded)
    UNION ALL
    SELECT time_bucket, %(other)s, sum(count), sum(skipped), sum(sum), sum(sum_squares), min(min), max(max), NULL, NULL,
        NULL, NULL, NULL, sum(in_bins)
    FROM rollups JOIN folded USING (time_bucket) GROUP BY time_bucket)
SELECT time_bucket, dimensions, {stored_json}, {recounted_json}
FROM stored s FULL JOIN recounted r USING (time_bucket, dimensions)
WHERE s.count IS NULL OR r.count IS NULL OR {differs}
ORDER BY time_bucket, dimensions LIMIT %(most)s
"""
OF_COUNT = "count(*) AS count, 0 AS skipped, count(*)::numeric AS sum"
OF_SHARE = """count(*) FILTER (WHERE NOT shares) AS count, 0 AS skipped,
        100 * count(*) FILTER (WHERE shares)::numeric AS sum"""
OF_VALUE = """count(v) AS count, count(*) - count(v) AS skipped, coalesce(sum(v), 0) AS sum,
        coalesce(sum(v * v), 0) AS sum_squares, min(v) AS min, max(v) AS max,
        (array_agg(v ORDER BY at, id) FILTER (WHERE v IS NOT NULL))[1] AS first,
        (array_agg(v ORDER BY at DESC, id DESC) FILTER (WHERE v IS NOT NULL))[1] AS last,
        percentile_disc(0.5) WITHIN GROUP (ORDER BY v)::float8 AS p50,
        percentile_disc(0.95) WITHIN GROUP (ORDER BY v)::float8 AS p95,
        percentile_disc(0.99) WITHIN GROUP (ORDER BY v)::float8 AS p99,
        count(v) AS in_bins"""
EXACT = ("count", "skipped", "sum")
EXACT_OF_VALUES = (*EXACT, "sum_squares", "min", "max", "in_bins")
ENDS = ("first", "last")
PERCENTILES = ("p50", "p95", "p99")

USERS = """
WITH facts AS MATERIALIZED (
    SELECT date_bin(%(length)s, "timestamp", '1970-01-01Z') AS time_bucket, count(DISTINCT user_id) AS users
    FROM events
    WHERE project_id = %(project)s AND "timestamp" >= %(start)s AND "timestamp" < %(end)s AND user_id IS NOT NULL
    GROUP BY 1),
stored AS (
    SELECT * FROM unique_users WHERE project_id = %(project)s AND interval = %(interval)s
        AND time_bucket >= %(start)s AND time_bucket < %(end)s)
SELECT time_bucket, '{}', CASE WHEN s.count IS NOT NULL THEN jsonb_build_object('count', s.count) END,
    CASE WHEN r.users IS NOT NULL THEN jsonb_build_object('count', r.users) END
FROM stored s FULL JOIN facts r USING (time_bucket)
WHERE time_bucket <> ALL(%(skipped)s) AND (s.count IS NULL OR r.users IS NULL
    OR CASE WHEN s.hashes IS NOT NULL THEN s.count <> r.users OR cardinality(s.hashes) <> r.users
        ELSE abs(s.count - r.users) > %(sketch_error)s * r.users END)
ORDER BY time_bucket LIMIT %(most)s
"""
# Four standard errors of a sketch with 4096 registers.
SKETCH_ERROR = 4 * 1.04 / 64


@dataclass(frozen=True)
class Question:
    """Whole buckets [start, end) of a metric in an interval, without those skipped; `types` are its event types."""

    project_id: int
    metric: Metric
    rung: Rung
    start: datetime
    end: datetime
    types: Sequence[str]
    skipped: Sequence[datetime] = ()
    most: int = 100

    def parameters(self) -> dict[str, Any]:
        return {
            "project": self.project_id,
            "metric": self.metric.name,
            "interval": self.rung.interval.value,
            "length": self.rung.length,
            "start": self.start,
            "end": self.end,
            "types": list(self.types),
            "shares": list(self.metric.shares),
            "skipped": list(self.skipped),
            "most": self.most,
            "other": OTHER,
            "sketch_error": SKETCH_ERROR,
            **{f"filter{place}": value for place, value in enumerate(self.metric.filters.values())},
        }


def comparison(metric: Metric) -> sql.Composed:
    """The statement for all but unique users, which have `USERS`."""
    columns = EXACT
    parts: dict[str, sql.Composable] = {
        "dimensions": _dimensions(metric.dimensions),
        "filters": _filters(metric.filters),
        "value": sql.SQL("NULL::numeric"),
        "totals": sql.SQL(OF_SHARE if metric.shares else OF_COUNT),
    }
    differs = [f"s.{name} IS DISTINCT FROM r.{name}" for name in EXACT]
    if metric.value is not None:
        columns = (*EXACT_OF_VALUES, *(ENDS if metric.ends else ()), *PERCENTILES)
        parts |= {"value": _value(metric), "totals": sql.SQL(OF_VALUE)}
        differs = [f"s.{name} IS DISTINCT FROM r.{name}" for name in EXACT_OF_VALUES]
        if metric.ends:
            differs += [f"(dimensions <> %(other)s AND s.{name} IS DISTINCT FROM r.{name})" for name in ENDS]
        differs += [f"(dimensions <> %(other)s AND {_far(name)})" for name in PERCENTILES]
    return sql.SQL(COMPARISON).format(
        stored_json=_json("s", columns),
        recounted_json=_json("r", columns),
        differs=sql.SQL("(" + " OR ".join(differs) + ")"),
        **parts,
    )


def _far(name: str) -> str:
    return (
        f"(s.{name} IS NULL) <> (r.{name} IS NULL) OR abs(s.{name} - r.{name}) > {TOLERANCE} * abs(r.{name}) + 1e-300"
    )


def _json(table: str, columns: Sequence[str]) -> sql.SQL:
    pairs = ", ".join(f"'{name}', {table}.{name}::text" for name in columns)
    return sql.SQL(f"CASE WHEN {table}.count IS NOT NULL THEN jsonb_build_object({pairs}) END")


def _dimensions(names: Sequence[str]) -> sql.Composable:
    if not names:
        return sql.SQL("'{}'::jsonb")
    pairs = [
        sql.SQL("{name}, substr(properties ->> {name}, 1, {length})").format(
            name=sql.Literal(name), length=sql.Literal(MAX_DIMENSION)
        )
        for name in names
    ]
    return sql.SQL("jsonb_strip_nulls(jsonb_build_object({}))").format(sql.SQL(", ").join(pairs))


def _filters(filters: Mapping[str, str]) -> sql.Composable:
    conditions = [
        sql.SQL(" AND properties ->> {} = {}").format(sql.Literal(name), sql.Placeholder(f"filter{place}"))
        for place, name in enumerate(filters)
    ]
    return sql.SQL("").join(conditions)


def _value(metric: Metric) -> sql.Composable:
    if metric.value is None or metric.value.special:
        return sql.SQL("""extract(epoch FROM created_at) - extract(epoch FROM "timestamp")""")
    return sql.SQL("coalesce({})").format(sql.SQL(", ").join(map(_product, metric.value.products)))


def _product(product: Product) -> sql.Composable:
    factors = [sql.SQL(NUMBER).format(name=sql.Literal(name)) for name in product.properties]
    number = sql.SQL(" * ").join(factors)
    if not product.of:
        return sql.SQL("({})").format(number)
    return sql.SQL("CASE event_type WHEN {} THEN {} END").format(sql.Literal(product.of), number)
