"""A metric over the facts: from events to rows as `metric_aggregations` has them, by one statement.

The engine asks it for minutes, readers for the open tail; so both mean the same. OFFSET 0 keeps the
planner from joining the parts with all that is stored: each part is one look into an index.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from psycopg import sql

from metrics.declarations import COUNT_PREFIX, Metric, Product, Value

COLUMNS = (
    "metric_name, time_bucket, dimensions, count, skipped, sum, sum_squares, min, max, first, last, bins, bin_counts"
)
# Longer texts are cut: a dimension is a name, and an index entry has its limit.
MAX_DIMENSION = 200


@dataclass(frozen=True)
class Part:
    """Where to look: events of a project in [start, end), which belong to the bucket that begins at `bucket`."""

    bucket: datetime
    start: datetime
    end: datetime


@dataclass(frozen=True)
class Statement:
    """SQL with its parameters."""

    text: sql.Composable
    parameters: dict[str, Any]


def statement(metric: Metric, project_id: int, types: Sequence[str] | None, parts: Sequence[Part]) -> Statement:
    """The rows (COLUMNS) of a metric in these parts.

    `types` are those of its event types that exist, which an index serves; without them its patterns decide.
    """
    if metric.value is not None:
        text = _value(metric, metric.value, types is None)
    else:
        text = (_share if metric.shares else _count)(metric, types is None)
    return Statement(
        text,
        {
            "project": project_id,
            "metric": metric.name,
            "types": None if types is None else list(types),
            "patterns": [_like(pattern) for pattern in metric.event_types],
            "shares": list(metric.shares),
            "buckets": [part.bucket for part in parts],
            "starts": [part.start for part in parts],
            "ends": [part.end for part in parts],
            **{f"filter{place}": value for place, value in enumerate(metric.filters.values())},
        },
    )


def counts(project_id: int, dimensions: Sequence[str], parts: Sequence[tuple[str, Part]]) -> Statement:
    """The rows of `events.count.{event_type}` for many types at once; each part is of one type."""
    text = sql.SQL("""
SELECT %(prefix)s || m.event_type, m.bucket, {dimensions}, count(*), 0, count(*)::numeric, {nothing}
FROM unnest(%(types)s::text[], %(buckets)s::timestamptz[], %(starts)s::timestamptz[], %(ends)s::timestamptz[])
    AS m (event_type, bucket, start, until)
CROSS JOIN LATERAL (
    SELECT {columns} FROM events WHERE project_id = %(project)s AND event_type = m.event_type
    AND "timestamp" >= m.start AND "timestamp" < m.until OFFSET 0) e
GROUP BY m.event_type, m.bucket, {keys}
""").format(nothing=_NOTHING, **_dimensions(dimensions))
    return Statement(
        text,
        {
            "prefix": COUNT_PREFIX,
            "project": project_id,
            "types": [event_type for event_type, _ in parts],
            "buckets": [part.bucket for _, part in parts],
            "starts": [part.start for _, part in parts],
            "ends": [part.end for _, part in parts],
        },
    )


# What a metric has that only counts: no squares, ends, or histogram.
_NOTHING = sql.SQL(
    "NULL::numeric, NULL::numeric, NULL::numeric, NULL::numeric, NULL::numeric, NULL::integer[], NULL::bigint[]"
)
_PARTS = sql.SQL(
    "unnest(%(buckets)s::timestamptz[], %(starts)s::timestamptz[], %(ends)s::timestamptz[]) AS m (bucket, start, until)"
)


def _count(metric: Metric, every_type: bool) -> sql.Composed:
    return sql.SQL("""
SELECT %(metric)s, m.bucket, {dimensions}, count(*), 0, count(*)::numeric, {nothing}
FROM {parts} CROSS JOIN LATERAL (SELECT {columns} FROM events WHERE {where} OFFSET 0) e
GROUP BY m.bucket, {keys}
""").format(nothing=_NOTHING, parts=_PARTS, where=_where(metric, every_type), **_dimensions(metric.dimensions))


def _share(metric: Metric, every_type: bool) -> sql.Composed:
    return sql.SQL("""
SELECT %(metric)s, m.bucket, {dimensions}, count(*) FILTER (WHERE NOT shares), 0,
    100 * count(*) FILTER (WHERE shares)::numeric, {nothing}
FROM {parts} CROSS JOIN LATERAL (
    SELECT event_type = ANY(%(shares)s) AS shares, {columns} FROM events WHERE {where} OFFSET 0) e
GROUP BY m.bucket, {keys}
""").format(nothing=_NOTHING, parts=_PARTS, where=_where(metric, every_type), **_dimensions(metric.dimensions))


def _value(metric: Metric, value: Value, every_type: bool) -> sql.Composed:
    """First by bin, then the bins together: one pass over the events makes totals and histogram.

    The inner OFFSET 0 keeps the formula of the number from being computed wherever the number is used.
    """
    ends = _ENDS if metric.ends else {name: sql.SQL("NULL::numeric") for name in _ENDS}
    return sql.SQL("""
SELECT %(metric)s, bucket, {dimensions}, sum(n)::bigint, sum(skipped)::bigint,
    coalesce(sum(s), 0), coalesce(sum(s2), 0), min(low), max(high), {first_of_firsts}, {last_of_lasts},
    coalesce(array_agg(bin ORDER BY bin) FILTER (WHERE bin IS NOT NULL), '{{}}'),
    coalesce(array_agg(n ORDER BY bin) FILTER (WHERE bin IS NOT NULL), '{{}}')
FROM (
    SELECT bucket, {keys}, metric_bin(v) AS bin, count(v) AS n, count(*) - count(v) AS skipped,
        sum(v) AS s, sum(v * v) AS s2, min(v) AS low, max(v) AS high, {inner_ends}
    FROM (
        SELECT m.bucket, {keys}, metric_finite(number) AS v, at, id
        FROM {parts} CROSS JOIN LATERAL (
            SELECT {columns}, {number} AS number, "timestamp" AS at, id FROM events WHERE {where} OFFSET 0) e
        OFFSET 0) numbers
    GROUP BY bucket, {keys}, metric_bin(v)) bins
GROUP BY bucket, {keys}
""").format(
        parts=_PARTS,
        number=_number(value),
        where=_where(metric, every_type),
        inner_ends=_INNER_ENDS if metric.ends else sql.SQL("NULL"),
        **ends,
        **_dimensions(metric.dimensions),
    )


_INNER_ENDS = sql.SQL("""
        (array_agg(v ORDER BY at, id))[1] AS first_value, min(at) AS first_at,
        (array_agg(id ORDER BY at, id))[1] AS first_id,
        (array_agg(v ORDER BY at DESC, id DESC))[1] AS last_value, max(at) AS last_at,
        (array_agg(id ORDER BY at DESC, id DESC))[1] AS last_id""")
_ENDS = {
    "first_of_firsts": sql.SQL(
        "(array_agg(first_value ORDER BY first_at, first_id) FILTER (WHERE bin IS NOT NULL))[1]"
    ),
    "last_of_lasts": sql.SQL(
        "(array_agg(last_value ORDER BY last_at DESC, last_id DESC) FILTER (WHERE bin IS NOT NULL))[1]"
    ),
}


def _dimensions(names: Sequence[str]) -> dict[str, sql.Composable]:
    """The parts of a statement that are about dimensions; with none there is one series, `{}`."""
    if not names:
        return {"dimensions": sql.SQL("'{}'::jsonb"), "columns": sql.SQL("0 AS d0"), "keys": sql.SQL("d0")}
    keys = [sql.Identifier(f"d{place}") for place in range(len(names))]
    pairs = [sql.SQL("{}, {}").format(sql.Literal(name), key) for name, key in zip(names, keys, strict=True)]
    return {
        "dimensions": sql.SQL("jsonb_strip_nulls(jsonb_build_object({}))").format(sql.SQL(", ").join(pairs)),
        "columns": sql.SQL(", ").join(
            sql.SQL("left(properties ->> {}, {}) AS {}").format(sql.Literal(name), sql.Literal(MAX_DIMENSION), key)
            for name, key in zip(names, keys, strict=True)
        ),
        "keys": sql.SQL(", ").join(keys),
    }


def _where(metric: Metric, every_type: bool) -> sql.Composed:
    conditions: list[sql.Composable] = [sql.SQL("project_id = %(project)s")]
    if not every_type:
        conditions.append(sql.SQL("event_type = ANY(%(types)s::text[])"))
    elif "*" not in metric.event_types:
        conditions.append(sql.SQL("event_type LIKE ANY(%(patterns)s::text[])"))
    conditions += [
        sql.SQL("properties ->> {} = {}").format(sql.Literal(name), sql.Placeholder(f"filter{place}"))
        for place, name in enumerate(metric.filters)
    ]
    conditions.append(sql.SQL('"timestamp" >= m.start AND "timestamp" < m.until'))
    return sql.SQL(" AND ").join(conditions)


def _like(pattern: str) -> str:
    escaped = pattern.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
    return escaped.replace("*", "%")


def _number(value: Value) -> sql.Composable:
    if value.special == "lag":
        return sql.SQL('extract(epoch FROM created_at - "timestamp")')
    return sql.SQL("coalesce({})").format(sql.SQL(", ").join(map(_product, value.products)))


def _product(product: Product) -> sql.Composable:
    factors = [sql.SQL("metric_number(properties -> {})").format(sql.Literal(name)) for name in product.properties]
    result = sql.SQL(" * ").join(factors)
    if not product.of:
        return result
    return sql.SQL("CASE WHEN event_type = {} THEN {} END").format(sql.Literal(product.of), result)
