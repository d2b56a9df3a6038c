"""How far the rollups are, as health and Prometheus tell it."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from django.db import connection

BEHIND = timedelta(minutes=5)
PROGRESS = "SELECT interval, complete_until FROM rollup_progress WHERE complete_until IS NOT NULL"
# Minutes that are over; the newest ones are not due yet. There can be very many, and then their number is no matter.
MARKS = """
SELECT '1m', count(*) FROM (SELECT FROM touched_buckets WHERE bucket < %(closed)s LIMIT %(most)s) touched
UNION ALL SELECT interval, count(*) FROM (SELECT interval FROM rollup_marks LIMIT %(most)s) marked GROUP BY interval
"""
MOST = 100_000


@dataclass(frozen=True)
class RollupState:
    """Seconds since all was added up, and marks that wait, by interval. Never added up: not in `behind`."""

    behind: dict[str, float]
    marks: dict[str, int]

    @property
    def problems(self) -> list[str]:
        late = [interval for interval, seconds in self.behind.items() if seconds > BEHIND.total_seconds()]
        if not late:
            return []
        seconds = max(self.behind[interval] for interval in late)
        return [f"rollups are {seconds:.0f} s behind ({', '.join(late)}): is beat running, and the maintenance worker?"]


def look() -> RollupState:
    now = datetime.now(UTC)
    with connection.cursor() as cursor:
        cursor.execute(PROGRESS)
        behind = {interval: max(0.0, (now - until).total_seconds()) for interval, until in cursor.fetchall()}
        cursor.execute(MARKS, {"closed": now - timedelta(minutes=2), "most": MOST})
        marks: dict[str, int] = {}
        for interval, count in cursor.fetchall():
            marks[interval] = marks.get(interval, 0) + count
    return RollupState(behind, marks)
