from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from events.reasons import Reason
from events.refusal import Refused
from events.timestamps import canonical, canonical_timestamp, parse_timestamp


@pytest.mark.parametrize(
    ("value", "moment"),
    [
        ("2026-11-23T13:05:00Z", "2026-11-23T13:05:00+00:00"),
        ("2026-11-23t13:05:00z", "2026-11-23T13:05:00+00:00"),
        ("2026-11-23 13:05:00+00:00", "2026-11-23T13:05:00+00:00"),
        ("2026-11-23T13:05:00-00:00", "2026-11-23T13:05:00+00:00"),
        ("2026-11-23T13:05:00.1Z", "2026-11-23T13:05:00.100000+00:00"),
        ("2026-11-23T13:05:00.123456Z", "2026-11-23T13:05:00.123456+00:00"),
        # Cut, not rounded: a rounded last nanosecond of a day would fall into the next.
        ("2026-11-23T23:59:59.999999999Z", "2026-11-23T23:59:59.999999+00:00"),
        ("2026-11-23T01:05:00+05:45", "2026-11-22T19:20:00+00:00"),
        ("2026-11-23T23:30:00-05:00", "2026-11-24T04:30:00+00:00"),
        ("2016-12-31T23:59:60Z", "2016-12-31T23:59:59.999999+00:00"),
        ("2016-12-31T23:59:60.5Z", "2016-12-31T23:59:59.999999+00:00"),
        ("2024-02-29T00:00:00Z", "2024-02-29T00:00:00+00:00"),
        (1_795_439_100_000, "2026-11-23T13:05:00+00:00"),
        (1_795_439_100_123, "2026-11-23T13:05:00.123000+00:00"),
        (10**12, "2001-09-09T01:46:40+00:00"),
        (10**13 - 1, "2286-11-20T17:46:39.999000+00:00"),
    ],
)
def test_understood(value: str | int, moment: str) -> None:
    parsed = parse_timestamp(value)

    assert parsed == datetime.fromisoformat(moment)
    assert parsed.tzinfo is UTC
    assert canonical_timestamp(value) == canonical(parsed)


@pytest.mark.parametrize(
    "value",
    [
        "",
        "now",
        "infinity",
        "2026-11-23",
        "2026-11-23T13:05Z",
        "2026-11-23T13:05:00",
        "20261123T130500Z",
        "2026-W01-1",
        "2026-W01-1T00:00:00Z",
        "2026-11-23T24:00:00Z",
        "2026-11-23T13:60:00Z",
        "2026-11-23T00:60:60Z",
        "2026-11-23T13:05:61Z",
        "2026-11-23T13:05:00+24:00",
        "2026-11-23T13:05:00+00:60",
        "2026-11-23T13:05:00+0100",
        "2026-11-23T13:05:00,5Z",
        "2026-11-23T13:05:00.Z",
        "2026-02-30T00:00:00Z",
        "2026-00-01T00:00:00Z",
        "0000-01-01T00:00:00Z",
        "0001-01-01T00:00:00+05:00",
        "9999-12-31T23:59:59-05:00",
        "10000-01-01T00:00:00Z",
        " 2026-11-23T13:05:00Z",
        "2026-11-23T13:05:00Z\n",
        "\uff12\uff10\uff12\uff16-11-23T13:05:00Z",
        "2026-11-23T13:05:00Z" + "0" * 10_000,
        0,
        -1,
        1_795_439_100,
        10**12 - 1,
        10**13,
        1_795_439_100_000_000,
        10**40,
    ],
)
def test_refused(value: str | int) -> None:
    with pytest.raises(Refused) as refused:
        parse_timestamp(value)

    assert refused.value.reason is Reason.INVALID_TIMESTAMP
    assert len(refused.value.error) < 250
    with pytest.raises(Refused):
        canonical_timestamp(value)


ZONES = st.integers(-14 * 60, 14 * 60).map(lambda minutes: timezone(timedelta(minutes=minutes)))
MOMENTS = st.datetimes(datetime(1970, 1, 2), datetime(2199, 12, 30), timezones=ZONES)  # noqa: DTZ001


@given(MOMENTS)
def test_every_spelling_of_a_moment_is_understood(moment: datetime) -> None:
    utc = moment.astimezone(UTC)
    spellings = [moment.isoformat(), utc.isoformat(), utc.isoformat().replace("+00:00", "Z")]

    assert {parse_timestamp(spelling) for spelling in spellings} == {utc}
    assert {canonical_timestamp(spelling) for spelling in spellings} == {canonical(utc)}


@given(MOMENTS, MOMENTS)
def test_the_texts_of_moments_sort_as_they_do(one: datetime, other: datetime) -> None:
    assert (canonical(one) < canonical(other)) == (one < other)


@given(st.text("0123456789-T:.Z+ ", max_size=30) | st.integers() | st.text(max_size=10))
def test_anything_is_understood_in_one_way_or_refused(value: str | int) -> None:
    try:
        moment = canonical(parse_timestamp(value))
    except Refused:
        moment = ""
    try:
        assert canonical_timestamp(value) == moment
    except Refused:
        assert moment == ""
