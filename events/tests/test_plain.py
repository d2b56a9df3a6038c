"""What a few scans of a batch may clear: nothing that a close look would see otherwise."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from events.envelope import Envelope, parse
from events.limits import Limits, plain
from events.reasons import Reason
from events.refusal import Refused
from tests.datasets.hostile import JsonCase, json_cases

LIMITS = Limits(event=65_536, string=100, depth=6, keys=10)
SEEDS = [
    b'{"event_type":"a","id":"0198c0de-1e123-7e-1234-8e99","properties":{"price":1.5e3,"n":[1,-2,{"x":null}]}}',
    b'{"event_type":"a","timestamp":"2026-11-23T13:05:07.012Z","user_id":7,"x":[true,false],"properties":{}}',
    b'{"event_type":"a",\n "properties":\t{"n": 9223372036854775807, "e": 1e-99, "E": 1E+30}}\r\n',
    b'{"event_type":"a","source":"s","properties":{"text":"some words, 1e400 and 12345678901234567890"}}',
]
TOKENS = b'{}[]",:0123456789eE+-. \t\n\r\x00\x1f\x7f\\\x80\xc3\xa9tfn'
EDIT = st.tuples(st.integers(0, 10**6), st.sampled_from(TOKENS), st.sampled_from(["put", "replace", "drop"]))


def edited(value: bytes, edits: list[tuple[int, int, str]]) -> bytes:
    text = bytearray(value)
    for place, byte, how in edits:
        at = place % (len(text) + 1)
        text[at : at + (how != "put")] = b"" if how == "drop" else bytes([byte])
    return bytes(text)


def outcome(value: bytes, is_plain: bool) -> Envelope | Reason:
    try:
        return parse(value, LIMITS, is_plain=is_plain)
    except Refused as refused:
        return refused.reason


def assert_cleared_rightly(values: list[bytes]) -> None:
    for value, is_plain in zip(values, plain(values, LIMITS), strict=True):
        assert outcome(value, is_plain) == outcome(value, is_plain=False), value


@settings(max_examples=300)
@given(st.lists(st.tuples(st.sampled_from(SEEDS), st.lists(EDIT, max_size=4)), max_size=8))
def test_whatever_is_written_comes_out_as_after_a_close_look(
    batch: list[tuple[bytes, list[tuple[int, int, str]]]],
) -> None:
    assert_cleared_rightly([edited(seed, edits) for seed, edits in batch])


@pytest.fixture
def parsing_suite() -> list[JsonCase]:
    return list(json_cases())


def test_the_parsing_suite_comes_out_as_after_a_close_look(parsing_suite: list[JsonCase]) -> None:
    bodies = [case.body for case in parsing_suite]

    for template in (b"%s", b'{"event_type":"a","properties":%s}', b'{"event_type":"a","x":[%s]}'):
        assert_cleared_rightly([template % body for body in bodies])


@pytest.mark.parametrize(
    "odd",
    [
        *(b'"\\u0000"', "é".encode(), b"\xff"),
        *(b"1e309", b"[1e309,1]", b"1E-999", b"1e+0400", b"9" * 19),
        *(b"[" * 7, b"{" * 7, b'"' + b"x" * 101 + b'"', b'"":0,' * 11),
    ],
)
def test_an_odd_value_is_found_wherever_it_stands_and_costs_no_neighbour(odd: bytes) -> None:
    ordinary = b'{"event_type":"a",\n"properties":{"n":1}}'
    strange = b'{"event_type":"a","properties":{"n":%s}}' % odd

    for place in range(3):
        values = [ordinary] * 3
        values[place] = strange
        assert plain(values, LIMITS) == [value is ordinary for value in values]


def test_what_looks_like_an_exponent_in_an_id_is_plain() -> None:
    assert (
        plain([b'{"id":"01a2008d-7e00-724d-bda9-b1048327575b","n":"1e999"}', b'{"id":"x1e-000-1"}'], LIMITS)
        == [True] * 2
    )


def test_no_values_and_empty_values() -> None:
    assert plain([], LIMITS) == []
    assert plain([b"", b"\\", b""], LIMITS) == [True, False, True]
