"""The intervals of rollups and their buckets. UTC only; other zones are put together when read."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from metrics.models import Interval

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True)
class Rung:
    """One interval on the ladder 1m -> 5m -> 15m -> 1h -> 1d, each computed from the one below; 1m from the facts."""

    interval: Interval
    length: timedelta

    def floor(self, moment: datetime) -> datetime:
        """The start of the bucket that holds the moment."""
        return moment - (moment - EPOCH) % self.length

    @property
    def below(self) -> "Rung | None":
        place = LADDER.index(self)
        return LADDER[place - 1] if place else None

    @property
    def above(self) -> "Rung | None":
        return next(iter(LADDER[LADDER.index(self) + 1 :]), None)


LADDER = (
    Rung(Interval.MINUTE, timedelta(minutes=1)),
    Rung(Interval.FIVE_MINUTES, timedelta(minutes=5)),
    Rung(Interval.QUARTER, timedelta(minutes=15)),
    Rung(Interval.HOUR, timedelta(hours=1)),
    Rung(Interval.DAY, timedelta(days=1)),
)
MINUTE = LADDER[0]
RUNGS = {rung.interval: rung for rung in LADDER}
