"""The statements that turn rows into values: one row for each series, with its buckets' places and values as text.

As text, because that is how the values leave: PostgreSQL's digits are the answer's digits, and 36,000 of
them cost less than as many objects.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from metrics.declarations import Aggregation
from metrics.definitions.rules import OTHER_SERIES
from metrics.reads.questions import MAX_SERIES, Question
from metrics.reads.sources import rendered

# {s} restricts a total to the rows of the metric itself, where those of its parts are read along with it.
VALUES = {
    Aggregation.COUNT: "sum(count){s}",
    Aggregation.SUM: "trim_scale(sum(sum){s})",
    Aggregation.AVG: "trim_scale(sum(sum){s} / nullif(sum(count){s}, 0))",
    Aggregation.MIN: "trim_scale(min(min){s})",
    Aggregation.MAX: "trim_scale(max(max){s})",
    # Of a sample; exact up to the one division.
    Aggregation.STDDEV: """CASE WHEN sum(count){s} > 1 THEN trim_scale(sqrt(
        greatest(0, sum(count){s} * sum(sum_squares){s} - sum(sum){s} * sum(sum){s})
        / (sum(count){s} * (sum(count){s} - 1)))) END""",
}
SHARES = {Aggregation.P50: 0.5, Aggregation.P95: 0.95, Aggregation.P99: 0.99}
# What a bucket of several rows has in place of a percentile: their histograms are to be added up.
UNMERGED = "?"

TOTALS = """
SELECT {keys}, string_agg(i::text, ','), string_agg(coalesce(value::text, ''), ','), {part_lists}
FROM (
    SELECT {keys}, i, {value} AS value {part_values} FROM ({placed}) placed GROUP BY {keys}, i) valued
GROUP BY {keys} LIMIT {limit}
"""
# Where a bucket of a series is one row, that row has its percentile.
STORED = "CASE WHEN count(*) = 1 AND (count({column}) = 1 OR count(bins) = 0) THEN max({column})::text ELSE '?' END"
PERCENTILES = """
SELECT {keys}, string_agg(i::text, ','), string_agg(coalesce(value::text, ''), ','), NULL
FROM (
    SELECT {keys}, i, metric_percentile(array_agg(bin), array_agg(n), {share}, min(low), max(high)) AS value
    FROM (
        SELECT {keys}, i, bin, sum(n)::bigint AS n, min(min) AS low, max(max) AS high
        FROM ({placed}) placed CROSS JOIN LATERAL unnest(bins, bin_counts) AS histogram (bin, n)
        WHERE i = ANY(%(places)s::integer[]) GROUP BY {keys}, i, bin) added
    GROUP BY {keys}, i) valued
GROUP BY {keys} LIMIT {limit}
"""
PLACED = """
SELECT {keys}, width_bucket(time_bucket, %(starts)s::timestamptz[]) AS i, metric_name, count,
    sum, sum_squares, min, max, p50, p95, p99, bins, bin_counts
FROM ({{rows}}) r {filters}
"""


def totals(question: Question, rows: str, now: datetime) -> str:
    """The statement that answers a question from these rows."""
    pieces = {"value": _value(question), **_parts(question.metric.parts)}
    return _rendered(TOTALS, question, rows, pieces, {"seconds": _seconds(question, now)})


def percentiles(question: Question, rows: str, places: Sequence[int]) -> str:
    """The same of the percentiles that have to be taken from several rows each, in these buckets."""
    share = SHARES[question.aggregation]
    return _rendered(PERCENTILES, question, rows, {"share": str(share)}, {"places": list(places)})


def _rendered(
    template: str, question: Question, rows: str, pieces: Mapping[str, str], parameters: Mapping[str, Any]
) -> str:
    keys = [f"k{place}" for place in range(len(keys_of(question)))]
    names = [f"dimensions ->> %({key})s AS {key}" for key in keys]
    filters = [f"dimensions ->> %(f{place})s = %(v{place})s" for place in range(len(question.filters))]
    placed = PLACED.format(
        keys=", ".join(names or ["'' AS k"]), filters=f"WHERE {' AND '.join(filters)}" if filters else ""
    )
    text = template.format(keys=", ".join(keys or "k"), placed=placed, limit=MAX_SERIES + 1, **pieces)
    # Last of all: the rows are finished SQL, in which nothing is a placeholder any more.
    return rendered(text, {**_named(question), **parameters}).replace("{rows}", rows)


def _named(question: Question) -> dict[str, Any]:
    return {
        "starts": list(question.buckets.starts),
        "name": question.metric.name,
        **{f"k{place}": name for place, name in enumerate(keys_of(question))},
        **{f"f{place}": name for place, name in enumerate(question.filters)},
        **{f"v{place}": value for place, value in enumerate(question.filters.values())},
        **{f"part{place}": name for place, name in enumerate(question.metric.parts.values())},
    }


def keys_of(question: Question) -> tuple[str, ...]:
    """What tells series apart; what exceeds the limit on series stays apart from those without a dimension."""
    return (*question.group_by, OTHER_SERIES) if question.group_by else ()


def _value(question: Question) -> str:
    own = " FILTER (WHERE metric_name = %(name)s)" if question.metric.parts else ""
    if question.aggregation in SHARES:
        return STORED.format(column=question.aggregation.value)
    if question.aggregation is not Aggregation.RATE:
        return VALUES[question.aggregation].format(s=own)
    total = "sum(count)" if question.metric.value is None else "sum(sum)"
    # A day of 23 hours, or a bucket that is not over, has fewer seconds.
    return f"trim_scale({total}{own}::numeric / (%(seconds)s::float8[])[i]::numeric)"


def _parts(parts: Mapping[str, str]) -> dict[str, str]:
    if not parts:
        return {"part_lists": "NULL", "part_values": ""}
    counts = [f"coalesce(sum(count) FILTER (WHERE metric_name = %(part{n})s), 0) AS part{n}" for n in range(len(parts))]
    lists = ", ".join(f"string_agg(part{n}::text, ',')" for n in range(len(parts)))
    return {"part_lists": f"ARRAY[{lists}]", "part_values": ", " + ", ".join(counts)}


def _seconds(question: Question, now: datetime) -> Sequence[float]:
    """How long each bucket is, as far as it is over."""
    return [_passed(start, end, now) / timedelta(seconds=1) for start, end in question.buckets.bounds()]


def _passed(start: datetime, end: datetime, now: datetime) -> timedelta:
    return max(now - start, timedelta(seconds=1)) if start < now < end else end - start
