"""Times as producers write them: RFC 3339 with a zone, or integer epoch milliseconds.

On the write path a time is text, `2026-11-23T13:05:07.012000` in UTC, always with six digits
of fraction: such texts sort as their times do, and COPY takes them as they are.
"""

import re
from datetime import UTC, datetime, timedelta
from functools import lru_cache

from events.reasons import Reason
from events.refusal import Refused

RFC_3339 = re.compile(r"\d{4}-\d\d-\d\d[Tt ]\d\d:[0-5]\d:(\d\d)(\.\d+)?([Zz]|[+-]\d\d:[0-5]\d)", re.ASCII)
LEAP_SECOND = re.compile(r":60(\.\d+)?")
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MILLISECOND = timedelta(milliseconds=1)
# 13 digits: 2001 to 2286. Fewer could be seconds, more could be micro- or nanoseconds.
EPOCH_MS = range(10**12, 10**13)
PLAIN_SECOND = re.compile(r"\d{4}-\d\d-\d\dT\d\d:[0-5]\d:[0-5]\d", re.ASCII)


def canonical(moment: datetime) -> str:
    """The text of a moment on the write path."""
    return moment.astimezone(UTC).replace(tzinfo=None).isoformat(timespec="microseconds")


def canonical_timestamp(value: str | int) -> str:
    """`parse_timestamp` as text, without a datetime for what most producers send: `…:07.012Z`."""
    if isinstance(value, str) and value.endswith("Z") and value.isascii() and _is_second(value[:19]):
        fraction = value[20:-1]
        if len(value) == 20 or (value[19] == "." and fraction.isdigit()):
            return f"{value[:19]}.{fraction[:6]:0<6}"
    return canonical(parse_timestamp(value))


@lru_cache(maxsize=4096)
def _is_second(text: str) -> bool:
    """Whether the text is a second of the calendar. Events come in the order of time: few texts, often."""
    if PLAIN_SECOND.fullmatch(text) is None:
        return False
    try:
        datetime.fromisoformat(text)
    except ValueError:
        return False
    return True


def parse_timestamp(value: str | int) -> datetime:
    """The moment in UTC; digits beyond microseconds are cut, a leap second is the end of its minute.

    Raises Refused for anything a reader could take for two different moments: no zone, no
    time, or an integer that may be seconds.
    """
    if isinstance(value, int):
        return from_epoch_ms(value)
    match = RFC_3339.fullmatch(value)
    if match is None:
        raise Refused(Reason.INVALID_TIMESTAMP, f"timestamp {value[:64]!r} is not RFC 3339 with a zone")
    if match[1] == "60":
        value = LEAP_SECOND.sub(":59.999999", value, count=1)
    try:
        moment = datetime.fromisoformat(value.upper())
        return moment if moment.tzinfo is UTC else moment.astimezone(UTC)
    except (ValueError, OverflowError) as error:
        raise Refused(Reason.INVALID_TIMESTAMP, f"timestamp {value[:64]!r}: {error}") from None


def from_epoch_ms(value: int) -> datetime:
    if value not in EPOCH_MS:
        raise Refused(Reason.INVALID_TIMESTAMP, f"timestamp {str(value)[:40]} is not in epoch milliseconds (13 digits)")
    return EPOCH + value * MILLISECOND
