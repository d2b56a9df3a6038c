"""Which rows make up a window: the coarsest buckets that are complete, finer ones at its edges, facts for the rest.

A bucket that is still being filled is never read, but put together from the closed ones below it. So
no event is counted twice, however far the intervals are apart at the moment.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from metrics.models import Interval
from metrics.rollups.intervals import Rung

Progress = Mapping[Interval, datetime]


@dataclass(frozen=True)
class Segment:
    """[start, end) from the rows of an interval; without a rung, from the facts."""

    rung: Rung | None
    start: datetime
    end: datetime


def cover(start: datetime, end: datetime, rung: Rung, progress: Progress) -> list[Segment]:
    """The segments of [start, end) in order of time, none of them coarser than `rung`."""
    return _joined(_cover(start, end, rung, progress))


def _cover(start: datetime, end: datetime, rung: Rung | None, progress: Progress) -> list[Segment]:
    if start >= end:
        return []
    if rung is None:
        return [Segment(None, start, end)]
    first, last = _ceil(rung, start), rung.floor(min(end, progress.get(rung.interval, start)))
    if first >= last:
        return _cover(start, end, rung.below, progress)
    return [
        *_cover(start, first, rung.below, progress),
        Segment(rung, first, last),
        *_cover(last, end, rung.below, progress),
    ]


def _ceil(rung: Rung, moment: datetime) -> datetime:
    floor = rung.floor(moment)
    return floor if floor == moment else floor + rung.length


def _joined(segments: Sequence[Segment]) -> list[Segment]:
    """Facts next to facts are one segment."""
    joined: list[Segment] = []
    for segment in segments:
        if joined and joined[-1].rung is segment.rung:
            segment = Segment(segment.rung, joined.pop().start, segment.end)
        joined.append(segment)
    return joined


def tail_of(segments: Sequence[Segment]) -> datetime | None:
    """Where the facts at the end of the window begin."""
    return segments[-1].start if segments and segments[-1].rung is None else None
