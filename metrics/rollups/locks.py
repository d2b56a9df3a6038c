"""One lock per interval: two refreshes of one bucket, of which the older one commits last, would be wrong for good."""

from events import marks
from metrics.models import Interval

# The minutes' lock is the one that compaction of the marks takes: both delete marks, and could deadlock.
ROLLUP_LOCKS = {
    Interval.MINUTE: marks.LOCK,
    Interval.FIVE_MINUTES: 0xB25_0101,
    Interval.QUARTER: 0xB25_0102,
    Interval.HOUR: 0xB25_0103,
    Interval.DAY: 0xB25_0104,
}
