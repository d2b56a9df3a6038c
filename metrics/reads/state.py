"""How far the rollups are: what a question needs to know before it reads rows, and what its cache key holds."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime

from django.db import connection, transaction

from events.api.queries import timeout_ms
from metrics.declarations import Metric
from metrics.models import Interval
from metrics.reads.covering import Progress, Segment
from metrics.rollups.intervals import LADDER

PROGRESS = """
SELECT interval, complete_until, NULL, NULL FROM rollup_progress WHERE complete_until IS NOT NULL
UNION ALL SELECT interval, NULL, metric_name, version FROM rollup_versions
WHERE project_id = %s AND metric_name = ANY(%s)
"""
TOUCHED = """
SELECT event_type, min(bucket) FROM touched_buckets
WHERE project_id = %s AND bucket >= %s AND bucket < %s GROUP BY event_type
"""
# A mark of an interval puts all rows in doubt that come from it: its own, and the coarser ones.
MARKED = """
SELECT min(m.time_bucket) FROM unnest(%s::text[], %s::timestamptz[], %s::timestamptz[]) AS s (interval, start, until)
JOIN rollup_marks m ON m.interval = s.interval AND m.time_bucket >= s.start AND m.time_bucket < s.until
WHERE m.project_id = %s AND m.metric_name = ANY(%s)
"""


@dataclass(frozen=True)
class State:
    """`versions` by (metric, interval) count their changes."""

    progress: Progress
    versions: Mapping[tuple[str, Interval], int]

    @property
    def complete_until(self) -> datetime | None:
        """All facts before it are in minutes, but for those that are marked."""
        return self.progress.get(Interval.MINUTE)

    def version(self, names: Sequence[str]) -> int:
        """Grows with each change of these metrics, in whichever interval."""
        return sum(version for (name, _), version in self.versions.items() if name in names)


@contextmanager
def snapshot() -> Iterator[None]:
    """All statements inside see the same moment, so that rows and progress agree; each has the time limit."""
    outermost = not connection.in_atomic_block
    with transaction.atomic(), connection.cursor() as cursor:
        if outermost:
            cursor.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
        # An answer of many series is grouped in memory.
        cursor.execute("SET LOCAL statement_timeout = %s; SET LOCAL work_mem = '32MB'", [timeout_ms()])
        yield


def look(project_id: int, names: Sequence[str]) -> State:
    progress: dict[Interval, datetime] = {}
    versions: dict[tuple[str, Interval], int] = {}
    with connection.cursor() as cursor:
        cursor.execute(PROGRESS, [project_id, sorted(set(names))])
        for interval, complete_until, name, version in cursor.fetchall():
            if name is None:
                progress[Interval(interval)] = complete_until
            else:
                versions[name, Interval(interval)] = version
    return State(progress, versions)


def earliest_mark(project_id: int, metrics: Sequence[Metric], segments: Sequence[Segment]) -> datetime | None:
    """Where the rows that make up a window begin to be in doubt: facts came late and are not added up yet."""
    rows = [segment for segment in segments if segment.rung is not None]
    if not rows:
        return None
    with connection.cursor() as cursor:
        cursor.execute(TOUCHED, [project_id, rows[0].start, rows[-1].end])
        found = [bucket for type_, bucket in cursor.fetchall() if any(metric.takes(type_) for metric in metrics)]
        places = list(_doubtful(rows))
        columns = [[place[column] for place in places] for column in range(3)]
        cursor.execute(MARKED, [*columns, project_id, [metric.name for metric in metrics]])
        found += [bucket for (bucket,) in cursor.fetchall() if bucket]
    return min(found, default=None)


def _doubtful(rows: Sequence[Segment]) -> Iterator[tuple[str, datetime, datetime]]:
    for segment in rows:
        for rung in LADDER[: LADDER.index(segment.rung) + 1] if segment.rung else ():
            yield rung.interval.value, segment.start, segment.end
