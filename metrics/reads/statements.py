"""The statements that turn rows into values: one row for each series, with its buckets' places and values as text.

As text, because that is how the values leave: PostgreSQL's digits are the answer's digits, and 36,000 of
them cost less than as many objects.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta

from metrics.declarations import Aggregation, Metric
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
BUCKET = "width_bucket(time_bucket, %(starts)s::timestamptz[])"

TOTALS = """
SELECT series, string_agg(i::text, ','), string_agg(coalesce(value::text, ''), ','), {part_lists}
FROM (
    SELECT {series} AS series, i, {value} AS value {part_values}
    FROM (SELECT {bucket} AS i, r.* FROM ({{rows}}) r {filters}) placed
    GROUP BY 1, 2) valued
GROUP BY series LIMIT {limit}
"""
# Where a bucket of a series is one row, the row has its percentile; else histograms are added bin by bin.
PERCENTILES = """
WITH placed AS MATERIALIZED (
    SELECT {bucket} AS i, {series} AS series, {column} AS p, min, max, bins, bin_counts
    FROM ({{rows}}) r {filters}),
totals AS (
    SELECT series, i, min(min) AS low, max(max) AS high, max(p) AS p, count(*) = count(p) AND count(*) = 1 AS ready
    FROM placed GROUP BY 1, 2),
added AS (
    SELECT series, i, array_agg(bin) AS bins, array_agg(n) AS counts FROM (
        SELECT p.series, p.i, bin, sum(n)::bigint AS n
        FROM totals t JOIN placed p ON p.series = t.series AND p.i = t.i
        CROSS JOIN LATERAL unnest(p.bins, p.bin_counts) AS histogram (bin, n)
        WHERE NOT t.ready GROUP BY 1, 2, 3) summed
    GROUP BY 1, 2)
SELECT series, string_agg(i::text, ','), string_agg(coalesce(value::text, ''), ','), NULL
FROM (
    SELECT series, i, CASE WHEN ready THEN p ELSE metric_percentile(a.bins, a.counts, {share}, low, high) END AS value
    FROM totals LEFT JOIN added a USING (series, i)) valued
GROUP BY series LIMIT {limit}
"""


def of(question: Question, rows: str, now: datetime) -> str:
    """The statement that answers a question from these rows."""
    template = PERCENTILES if question.aggregation in SHARES else TOTALS
    filters = " AND ".join(f"dimensions ->> %(k{n})s = %(v{n})s" for n in range(len(question.filters)))
    pieces = {
        "bucket": BUCKET,
        "series": _series(question),
        "filters": f"WHERE {filters}" if filters else "",
        "limit": MAX_SERIES + 1,
    }
    if question.aggregation in SHARES:
        pieces |= {"column": question.aggregation.value, "share": SHARES[question.aggregation]}
    else:
        pieces |= {"value": _value(question), **_parts(question.metric.parts)}
    parameters = {
        "starts": list(question.buckets.starts),
        "seconds": _seconds(question, now),
        "name": question.metric.name,
        **{f"k{n}": key for n, key in enumerate(question.filters)},
        **{f"v{n}": value for n, value in enumerate(question.filters.values())},
        **{f"group{n}": name for n, name in enumerate(question.group_by)},
        **{f"part{n}": name for n, name in enumerate(question.metric.parts.values())},
    }
    # Last of all: the rows are finished SQL, in which nothing is a placeholder any more.
    return rendered(template.format(**pieces), parameters).replace("{rows}", rows)


def _series(question: Question) -> str:
    """What tells series apart; what exceeds the limit on series stays apart from those without the dimension."""
    if not question.group_by:
        return "'{}'::jsonb"
    if set(question.group_by) == set(question.metric.dimensions):
        return "dimensions"
    pairs = ", ".join(f"%(group{n})s, dimensions -> %(group{n})s" for n in range(len(question.group_by)))
    return f"jsonb_strip_nulls(jsonb_build_object({pairs}, '_other', dimensions -> '_other'))"


def _value(question: Question) -> str:
    own = " FILTER (WHERE metric_name = %(name)s)" if question.metric.parts else ""
    if question.aggregation is not Aggregation.RATE:
        return VALUES[question.aggregation].format(s=own)
    total = _summed(question.metric)
    # A day of 23 hours, or a bucket that is not over, has fewer seconds.
    return f"trim_scale({total}{own}::numeric / (%(seconds)s::float8[])[i]::numeric)"


def _summed(metric: Metric) -> str:
    """What a rate is a rate of: a sum where there are values."""
    return "sum(count)" if metric.value is None else "sum(sum)"


def _parts(parts: Mapping[str, str]) -> dict[str, str]:
    if not parts:
        return {"part_lists": "NULL", "part_values": ""}
    values = [f"coalesce(sum(count) FILTER (WHERE metric_name = %(part{n})s), 0) AS part{n}" for n in range(len(parts))]
    lists = ", ".join(f"string_agg(part{n}::text, ',')" for n in range(len(parts)))
    return {"part_lists": f"ARRAY[{lists}]", "part_values": ", " + ", ".join(values)}


def _seconds(question: Question, now: datetime) -> Sequence[float]:
    """How long each bucket is, as far as it is over."""
    return [_passed(start, end, now) / timedelta(seconds=1) for start, end in question.buckets.bounds()]


def _passed(start: datetime, end: datetime, now: datetime) -> timedelta:
    return max(now - start, timedelta(seconds=1)) if start < now < end else end - start
