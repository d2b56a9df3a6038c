"""The rollup engine: takes marks away and computes what they name, interval after interval, in bounded pieces.

Each piece is one transaction under the interval's lock: claim, compute, replace, mark above. A killed
worker leaves its piece undone and marked. Beat only wakes it: what is due stands in the database.
"""

import logging
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from django.conf import settings
from django.db import connection

from analytics_project.lib.locks import try_lock
from metrics.models import Interval
from metrics.rollups import claims, ladder, minutes
from metrics.rollups.claims import Claim
from metrics.rollups.intervals import LADDER, MINUTE, Rung
from metrics.rollups.locks import ROLLUP_LOCKS

logger = logging.getLogger(__name__)

# Of marks, in one transaction: well below a second of work, and of memory.
PIECE = 2000
# A run that healed so far back may call the rest complete but for marked buckets.
RECENT = timedelta(minutes=2)
COMPLETE_UNTIL = "SELECT complete_until FROM rollup_progress WHERE interval = %s"
PROCEED = """
INSERT INTO rollup_progress (interval, complete_until) VALUES (%s, %s)
ON CONFLICT (interval) DO UPDATE SET complete_until = greatest(EXCLUDED.complete_until, rollup_progress.complete_until)
"""


@dataclass
class Report:
    """How many buckets a run computed, by interval. `finished`: nothing was left that it could have done."""

    buckets: dict[Interval, int] = field(default_factory=dict)
    finished: bool = True


def roll_up(now: datetime | None = None, *, seconds: float = 20.0) -> Report:
    """Compute what is marked, for so many seconds at most; an interval that another worker is at is left to it."""
    deadline = time.monotonic() + seconds
    moment = (now or datetime.now(UTC)) - settings.CONFIG.analytics.aggregation.settle
    report = Report()
    for rung in LADDER:
        piece = _minutes if rung is MINUTE else _rung
        while (done := _locked(rung, piece, MINUTE.floor(moment))) is not None:
            report.buckets[rung.interval] = report.buckets.get(rung.interval, 0) + done.computed
            if done.exhausted:
                break
            if time.monotonic() > deadline:
                report.finished = False
                break
        else:
            report.finished = False
    return report


@dataclass(frozen=True)
class Done:
    computed: int
    exhausted: bool


def _locked(rung: Rung, piece: Callable[[Rung, datetime], Done], until: datetime) -> Done | None:
    """One piece of work, in one transaction, whose first statement takes the lock; None where it is taken."""
    with try_lock(ROLLUP_LOCKS[rung.interval]) as locked:
        return piece(rung, until) if locked else None


def _minutes(rung: Rung, until: datetime) -> Done:
    touched = claims.take_touched(until, PIECE)
    marked = claims.take_marked(rung.interval, until, PIECE)
    computed = minutes.compute(touched, marked)
    exhausted = len(touched) < PIECE and len(marked) < PIECE
    if len(touched) < PIECE or _reaches_back(touched, until - RECENT):
        _proceed(rung, until)
    return Done(computed, exhausted)


def _rung(rung: Rung, until: datetime) -> Done:
    # First how far the interval below is, then the marks: those that belong to that are seen so.
    below = _complete_until(rung.below or MINUTE)
    taken = claims.take_marked(rung.interval, until, PIECE)
    computed = ladder.compute(rung, taken)
    if below and (len(taken) < PIECE or _reaches_back(taken, rung.floor(below - RECENT))):
        _proceed(rung, below)
    return Done(computed, len(taken) < PIECE)


def _reaches_back(taken: list[Claim], bucket: datetime) -> bool:
    return min(claim.bucket for claim in taken) < bucket


def _complete_until(rung: Rung) -> datetime | None:
    with connection.cursor() as cursor:
        cursor.execute(COMPLETE_UNTIL, [rung.interval.value])
        row = cursor.fetchone()
    return row[0] if row else None


def _proceed(rung: Rung, until: datetime) -> None:
    with connection.cursor() as cursor:
        cursor.execute(PROCEED, [rung.interval.value, until])
