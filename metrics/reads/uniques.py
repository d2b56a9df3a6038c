"""Distinct users of any window: sets of hashes are united, and where one part is a sketch, all become one."""

from collections.abc import Sequence

from django.db import connection

from metrics.reads.buckets import Buckets
from metrics.reads.covering import Segment
from metrics.reads.points import Series
from metrics.reads.questions import Question
from metrics.reads.sources import parts_of, rendered

STORED = """
SELECT width_bucket(time_bucket, %(starts)s::timestamptz[]) AS i, count, hashes, registers FROM unique_users
WHERE project_id = %(project)s AND interval = %(interval)s AND time_bucket >= %(start)s AND time_bucket < %(end)s
"""
FROM_FACTS = """
SELECT width_bucket(m.bucket, %(starts)s::timestamptz[]) AS i, count(*) AS count, array_agg(hash) AS hashes,
    NULL::smallint[] AS registers
FROM unnest(%(buckets)s::timestamptz[], %(froms)s::timestamptz[], %(untils)s::timestamptz[]) AS m (bucket, start, until)
CROSS JOIN LATERAL (
    SELECT DISTINCT hashtextextended(user_id, 0) AS hash FROM events
    WHERE project_id = %(project)s AND user_id IS NOT NULL AND "timestamp" >= m.start AND "timestamp" < m.until) e
GROUP BY m.bucket
"""
GIVEN = """
SELECT 1 AS i, cardinality(%(hashes)s::bigint[]) AS count, %(hashes)s::bigint[] AS hashes, NULL::smallint[] AS registers
"""
# What is a single row has its count. Sets stay exact however many are united.
MERGED = """
WITH parts AS MATERIALIZED ({parts}),
kinds AS (
    SELECT i, count(*) AS parts, max(count) AS count, bool_or(registers IS NOT NULL) AS sketched FROM parts GROUP BY i),
united AS (
    SELECT i, count(DISTINCT hash) AS n FROM kinds JOIN parts USING (i) CROSS JOIN LATERAL unnest(hashes) AS hash
    WHERE kinds.parts > 1 AND NOT sketched GROUP BY i),
highest AS (
    SELECT i, register, max(rank)::smallint AS rank FROM kinds JOIN parts USING (i)
    CROSS JOIN LATERAL unnest(coalesce(registers, users_registers(hashes))) WITH ORDINALITY AS all_ (rank, register)
    WHERE kinds.parts > 1 AND sketched GROUP BY i, register),
estimated AS (
    SELECT i, users_estimate(array_agg(rank ORDER BY register)) AS n FROM highest GROUP BY i)
SELECT i, coalesce(united.n, estimated.n, kinds.count), sketched
FROM kinds LEFT JOIN united USING (i) LEFT JOIN estimated USING (i) ORDER BY i
"""


def read(question: Question, segments: Sequence[Segment]) -> list[Series]:
    found = count(question.project_id, question.buckets, segments)
    if not found:
        return []
    return [
        Series(
            {},
            [place for place, _, _ in found],
            [str(number) for _, number, _ in found],
            {},
            frozenset(place for place, _, sketched in found if sketched),
        )
    ]


def count(project_id: int, buckets: Buckets, segments: Sequence[Segment]) -> list[tuple[int, int, bool]]:
    """(place, distinct users, whether that is an estimate) of each bucket that has users."""
    return _merged([_piece(project_id, buckets, segment) for segment in segments])


def count_with(project_id: int, window: Buckets, segments: Sequence[Segment], hashes: Sequence[int]) -> int:
    """Distinct users of a window that is one bucket: of the rollups in it, and those with these hashes."""
    rollups = [_piece(project_id, window, segment) for segment in segments if segment.rung is not None]
    found = _merged([*rollups, rendered(GIVEN, {"hashes": list(hashes)})])
    return found[0][1]


def _merged(pieces: Sequence[str]) -> list[tuple[int, int, bool]]:
    if not pieces:
        return []
    with connection.cursor() as cursor:
        cursor.execute(MERGED.format(parts=" UNION ALL ".join(pieces)))
        return [(place - 1, number, sketched) for place, number, sketched in cursor.fetchall()]


def _piece(project_id: int, buckets: Buckets, segment: Segment) -> str:
    common = {"project": project_id, "starts": list(buckets.starts)}
    if segment.rung is not None:
        window = {"interval": segment.rung.interval.value, "start": segment.start, "end": segment.end}
        return rendered(STORED, common | window)
    parts = parts_of(segment, buckets)
    columns = {
        "buckets": [part.bucket for part in parts],
        "froms": [part.start for part in parts],
        "untils": [part.end for part in parts],
    }
    return rendered(FROM_FACTS, common | columns)
