"""What an event may hold. The table is that of the JSON hazards that PostgreSQL or readers trip over."""

import pytest

from events.envelope import parse
from events.limits import Limits
from events.reasons import Reason
from events.refusal import Refused

LIMITS = Limits(event=65_536, string=100, depth=4, keys=10)


def with_properties(properties: bytes) -> bytes:
    return b'{"event_type":"a","properties":%s}' % properties


def keys(count: int) -> bytes:
    return b"{" + b",".join(b'"k%d":0' % i for i in range(count)) + b"}"


@pytest.mark.parametrize(
    "raw",
    [
        b"{}",
        b'{"a":9223372036854775807}',
        b'{"a":-9223372036854775807}',
        b'{"a":1234567890123456789.5}',
        b'{"a":0.12345678901234567890123456789}',
        b'{"a":"12345678901234567890123456789"}',
        b'{"a":"1e-99999"}',
        b'{"00000000000000000000":"0e-0000"}',
        b'{"a":1e-99}',
        b'{"a":1E+2,"b":-0.0,"c":1.0}',
        b'{"a":5e-324}',
        b'{"a":1e-400}',
        b'{"a":0e-100}',
        b'{"a":"\\\\u0000"}',
        b'{"a":"u0000"}',
        b'{"a":"\\u0001"}',
        b'{"a":"' + b"x" * 100 + b'"}',
        b'{"a":"' + "é".encode() * 50 + b'"}',
        b'{"a":[[[]]]}',
        b'{"a":[[],[],[],[],[],[]]}',
        b'{"a":"[[[[[[[[{{{{{{{{"}',
        keys(10),
        b'{"a":' + keys(10) + b',"b":' + keys(10) + b"}",
        b'{"a":"' + b"::" * 40 + b'"}',
    ],
)
def test_allowed(raw: bytes) -> None:
    assert parse(with_properties(raw), LIMITS).properties == raw


@pytest.mark.parametrize(
    ("raw", "reason"),
    [
        (b'{"a":"\\u0000"}', Reason.NUL_CHARACTER),
        (b'{"\\u0000":1}', Reason.NUL_CHARACTER),
        (b'{"a":[{"b":"x\\u0000y"}]}', Reason.NUL_CHARACTER),
        (b'{"a":"\\\\\\u0000"}', Reason.NUL_CHARACTER),
        (b'{"a":9223372036854775808}', Reason.NUMBER_OUT_OF_RANGE),
        (b'{"a":-9223372036854775808}', Reason.NUMBER_OUT_OF_RANGE),
        (b'{"a":' + b"9" * 40 + b"}", Reason.NUMBER_OUT_OF_RANGE),
        (b'{"a":[1,' + b"9" * 5000 + b"]}", Reason.NUMBER_OUT_OF_RANGE),
        (b'{"a":[' + b"9" * 20 + b"]}", Reason.NUMBER_OUT_OF_RANGE),
        (b'{"a": ' + b"9" * 20 + b"}", Reason.NUMBER_OUT_OF_RANGE),
        (b'{"a":1e-401}', Reason.NUMBER_OUT_OF_RANGE),
        (b'{"a":1E-16000}', Reason.NUMBER_OUT_OF_RANGE),
        (b'{"a":-1.5e-0999}', Reason.NUMBER_OUT_OF_RANGE),
        (b'{"a":0e-16000}', Reason.NUMBER_OUT_OF_RANGE),
        (b'{"a":1e-99999999999999999999}', Reason.NUMBER_OUT_OF_RANGE),
        (b'{"a":' + b"[" * 4 + b"]" * 4 + b"}", Reason.TOO_DEEP),
        (b'{"a":' + b'{"a":' * 4 + b"1" + b"}" * 5, Reason.TOO_DEEP),
        (b'{"a":' + b"[" * 5000 + b"]" * 5000 + b"}", Reason.TOO_DEEP),
        (keys(11), Reason.TOO_MANY_KEYS),
        (b'{"a":[' + keys(11) + b"]}", Reason.TOO_MANY_KEYS),
        (b'{"a":"' + b"x" * 101 + b'"}', Reason.STRING_TOO_LONG),
        (b'{"a":"' + "é".encode() * 51 + b'"}', Reason.STRING_TOO_LONG),
        (b'{"' + b"x" * 101 + b'":1}', Reason.STRING_TOO_LONG),
    ],
)
def test_refused(raw: bytes, reason: Reason) -> None:
    with pytest.raises(Refused) as refused:
        parse(with_properties(raw), LIMITS)

    assert refused.value.reason is reason


@pytest.mark.parametrize("key", ["event_type", "id", "user_id", "session_id", "timestamp", "source", "account_id", "x"])
def test_no_nul_anywhere_in_an_event(key: str) -> None:
    with pytest.raises(Refused) as refused:
        parse(b'{"event_type":"a","%s":"a\\u0000"}' % key.encode(), LIMITS)

    assert refused.value.reason is Reason.NUL_CHARACTER


def test_the_limits_are_those_configured() -> None:
    assert Limits.configured() == Limits(event=65_536, string=8192, depth=32, keys=256)
