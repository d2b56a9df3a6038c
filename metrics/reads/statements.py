"""The statements that turn rows into values: one row for each series, with its buckets' places and values as text.

As text, because that is how the values leave: PostgreSQL's digits are the answer's digits, and 36,000 of
them cost less than as many objects.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from metrics.declarations import Aggregation
from metrics.definitions.rules import OTHER_SERIES
from metrics.reads.questions import MAX_SERIES, Question
from metrics.reads.sources import escaped, rendered

VALUES = {
    Aggregation.COUNT: "sum(count)",
    Aggregation.SUM: "trim_scale(sum(sum))",
    Aggregation.AVG: "trim_scale(sum(sum) / nullif(sum(count), 0))",
    Aggregation.MIN: "trim_scale(min(min))",
    Aggregation.MAX: "trim_scale(max(max))",
    # Of a sample; exact up to the one division.
    Aggregation.STDDEV: """CASE WHEN sum(count) > 1 THEN trim_scale(sqrt(
        greatest(0, sum(count) * sum(sum_squares) - sum(sum) * sum(sum)) / (sum(count) * (sum(count) - 1)))) END""",
}
TOTAL = re.compile(r"\b(?:sum|min|max)\((\w+)\)")
SHARES = {Aggregation.P50: 0.5, Aggregation.P95: 0.95, Aggregation.P99: 0.99}
# What a bucket of several rows has in place of a percentile: their histograms are to be added up.
UNMERGED = "?"

PLACED = """
SELECT {keys}, width_bucket(time_bucket, %(starts)s::timestamptz[]) AS i, metric_name, count,
    sum, sum_squares, min, max, p50, p95, p99, bins, bin_counts
FROM ({rows}) r {filters}
"""
MERGED = "SELECT {keys}, i, ({value})::text AS value {parts} FROM ({placed}) placed GROUP BY {keys}, i"
SINGLE = "SELECT {keys}, i, ({value})::text AS value FROM ({placed}) placed"
# PostgreSQL counts places from one.
LISTED = """
SELECT {keys}, string_agg((i - 1)::text, ','), string_agg(coalesce(value, ''), ','), {parts}
FROM ({valued}) valued GROUP BY {keys} LIMIT {limit}
"""
# Where a bucket of a series is one row, that row has its percentile.
STORED = "CASE WHEN count(*) = 1 AND (count({column}) = 1 OR count(bins) = 0) THEN max({column})::text ELSE '?' END"
ADDED_UP = """
SELECT {keys}, i, metric_percentile(array_agg(bin), array_agg(n), {share}, min(low), max(high))::text AS value
FROM (
    SELECT {keys}, i, bin, sum(n)::bigint AS n, min(min) AS low, max(max) AS high
    FROM ({placed}) placed CROSS JOIN LATERAL unnest(bins, bin_counts) AS histogram (bin, n)
    WHERE i = ANY(%(places)s::integer[]) GROUP BY {keys}, i, bin) added
GROUP BY {keys}, i
"""


def totals(question: Question, single: str, rows: str, now: datetime) -> str:
    """The statement that answers a question from these rows; those in `single` are a bucket of a series each."""
    keys, parts = _keys(question), question.metric.parts
    pieces = []
    if single:
        pieces.append(SINGLE.format(keys=keys, value=_value_of_row(question), placed=_placed(question, single)))
    if rows:
        counts = "".join(f", {_part(place)} AS part{place}" for place in range(len(parts)))
        value, placed = _value_of_rows(question), _placed(question, rows)
        pieces.append(MERGED.format(keys=keys, value=value, placed=placed, parts=counts))
    lists = ", ".join(f"string_agg(part{place}::text, ',')" for place in range(len(parts)))
    return _listed(
        question, " UNION ALL ".join(pieces), f"ARRAY[{lists}]::text[]", {"seconds": _seconds(question, now)}
    )


def percentiles(question: Question, rows: str, places: Sequence[int]) -> str:
    """The same of the percentiles that have to be taken from several rows each, in the buckets at these places."""
    added_up = ADDED_UP.format(keys=_keys(question), share=SHARES[question.aggregation], placed=_placed(question, rows))
    return _listed(question, added_up, "NULL", {"places": [place + 1 for place in places]})


def keys_of(question: Question) -> tuple[str, ...]:
    """What tells series apart; what exceeds the limit on series stays apart from those without a dimension."""
    return (*question.group_by, OTHER_SERIES) if question.group_by else ()


def _keys(question: Question) -> str:
    return ", ".join(f"k{place}" for place in range(len(keys_of(question)))) or "k"


def _placed(question: Question, rows: str) -> str:
    """Rows (finished SQL) with the keys of their series and the place of their bucket."""
    keys = [f"dimensions ->> %(k{place})s AS k{place}" for place in range(len(keys_of(question)))]
    filters = [f"dimensions ->> %(f{place})s = %(v{place})s" for place in range(len(question.filters))]
    where = f"WHERE {' AND '.join(filters)}" if filters else ""
    return PLACED.format(keys=", ".join(keys or ["'' AS k"]), rows=escaped(rows), filters=where)


def _listed(question: Question, valued: str, parts: str, parameters: Mapping[str, Any]) -> str:
    text = LISTED.format(keys=_keys(question), valued=valued, parts=parts, limit=MAX_SERIES + 1)
    named = {
        "starts": list(question.buckets.starts),
        "name": question.metric.name,
        **_numbered("k", keys_of(question)),
        **_numbered("f", question.filters),
        **_numbered("v", question.filters.values()),
        **_numbered("part", question.metric.parts.values()),
    }
    return rendered(text, named | dict(parameters))


def _numbered(prefix: str, values: Iterable[str]) -> dict[str, str]:
    return {f"{prefix}{place}": value for place, value in enumerate(values)}


def _value_of_rows(question: Question) -> str:
    if question.aggregation in SHARES:
        return STORED.format(column=question.aggregation.value)
    value = _formula(question)
    # Rows of the parts are read along with those of the metric itself.
    return TOTAL.sub(r"\g<0> FILTER (WHERE metric_name = %(name)s)", value) if question.metric.parts else value


def _value_of_row(question: Question) -> str:
    if question.aggregation in SHARES:
        return question.aggregation.value
    return TOTAL.sub(r"\1::numeric", _formula(question))


def _formula(question: Question) -> str:
    if question.aggregation is not Aggregation.RATE:
        return VALUES[question.aggregation]
    total = "sum(count)" if question.metric.value is None else "sum(sum)"
    # A day of 23 hours, or a bucket that is not over, has fewer seconds.
    return f"trim_scale({total} / (%(seconds)s::float8[])[i]::numeric)"


def _part(place: int) -> str:
    return f"coalesce(sum(count) FILTER (WHERE metric_name = %(part{place})s), 0)"


def _seconds(question: Question, now: datetime) -> Sequence[float]:
    """How long each bucket is, as far as it is over."""
    return [_passed(start, end, now) / timedelta(seconds=1) for start, end in question.buckets.bounds()]


def _passed(start: datetime, end: datetime, now: datetime) -> timedelta:
    return max(now - start, timedelta(seconds=1)) if start < now < end else end - start
