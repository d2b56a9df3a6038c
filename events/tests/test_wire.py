from datetime import UTC, datetime
from uuid import uuid4

import msgspec
import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st

from events.records import Record, Stretch
from events.tests.factories import raw
from events.wire import pack, unpack

STRETCH = Stretch("trading.events", 3, uuid4(), 2)
INT64 = st.integers(-(2**63), 2**63 - 1)


@given(st.lists(st.tuples(INT64, INT64, st.none() | st.binary(max_size=50)), max_size=20), INT64, INT64)
def test_a_batch_comes_out_as_it_went_in(rows: list[tuple[int, int, bytes | None]], lo: int, hi: int) -> None:
    offsets, times, values = ([row[i] for row in rows] for i in range(3))

    batch = unpack(pack(STRETCH, lo, hi, offsets, times, values))  # type: ignore[arg-type]

    assert (batch.stretch, batch.lo, batch.hi) == (STRETCH, lo, hi)
    assert batch.records == [Record(value, time, offset) for offset, time, value in rows]


def test_it_is_smaller_than_json() -> None:
    values: list[bytes | None] = [raw() for _ in range(1000)]

    packed = pack(STRETCH, 0, 1000, list(range(1000)), [0] * 1000, values)

    assert len(packed) < sum(len(value or b"") for value in values) / 3


@pytest.mark.parametrize("damaged", [b"", b"x", pack(STRETCH, 0, 1, [0], [0], [b"x"])[:-3]])
def test_damaged_bytes_are_noticed(damaged: bytes) -> None:
    with pytest.raises((zstandard.ZstdError, msgspec.DecodeError)):
        unpack(damaged)


@pytest.mark.parametrize(
    ("time_ms", "time"),
    [
        (1_795_439_100_123, datetime(2026, 11, 23, 13, 5, 0, 123_000, UTC)),
        (-1, datetime(1970, 1, 1, tzinfo=UTC)),
        (-(2**63), datetime(1970, 1, 1, tzinfo=UTC)),
        (2**63 - 1, datetime(9999, 12, 31, 23, 59, 59, 999_000, UTC)),
    ],
)
def test_a_time_that_no_calendar_has_becomes_the_nearest(time_ms: int, time: datetime) -> None:
    batch = unpack(pack(STRETCH, 0, 1, [0], [time_ms], [b"x"]))

    assert batch.records[0].time == time


def test_the_id_of_a_record_is_its_own() -> None:
    places = [
        STRETCH,
        Stretch("market.data", 3, STRETCH.topic_id, 2),
        Stretch("trading.events", 4, STRETCH.topic_id, 2),
        Stretch("trading.events", 3, uuid4(), 2),
        Stretch("trading.events", 3, STRETCH.topic_id, 3),
    ]

    assert len({place.record_id(offset) for place in places for offset in (0, 1)}) == 10
    assert STRETCH.record_id(7) == STRETCH.record_id(7)
