"""Names and times of simulated things: computed from the clock and the seed, never from the machine."""

from datetime import UTC, datetime
from functools import lru_cache
from random import Random

SECOND = 1_000_000  # The clock counts microseconds since 1970, as an integer.
MILLISECOND = 1_000


def microseconds(moment: datetime) -> int:
    """The clock's reading at a moment; exact, unlike `timestamp()`."""
    since = moment - datetime(1970, 1, 1, tzinfo=UTC)
    return (since.days * 86_400 + since.seconds) * SECOND + since.microseconds


def rfc3339(at: int) -> str:
    """`2026-11-23T13:34:45.000120Z`."""
    return f"{_second(at // SECOND)}.{at % SECOND:06d}Z"


@lru_cache(maxsize=256)
def _second(epoch: int) -> str:
    return datetime.fromtimestamp(epoch, tz=UTC).strftime("%Y-%m-%dT%H:%M:%S")


def uuid7(at: int, random: Random) -> str:
    """A UUIDv7 whose sub-millisecond bits carry the microseconds (RFC 9562, method 3): ids sort by time."""
    milliseconds, rest = divmod(at, MILLISECOND)
    head = milliseconds << 16 | 0x7000 | rest * 4096 // 1000
    tail = 0x8000_0000_0000_0000 | random.getrandbits(62)
    text = f"{head:016x}{tail:016x}"
    return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"


def token(random: Random, bits: int = 64) -> str:
    """A random name in hexadecimal, for sessions, orders and such."""
    return f"{random.getrandbits(bits):0{bits // 4}x}"
