"""Bytes of a record -> Envelope or Refused, and never anything else."""

import json
import uuid
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from events.envelope import ID_NAMESPACE, Envelope, normalise_id, parse
from events.limits import Limits
from events.reasons import Reason
from events.refusal import Refused
from events.tests.factories import event, raw

ID = "6f2d6a0e-5d0c-4e0b-9d7e-b25a7a1e7c50"


def parsed(value: bytes | None) -> Envelope:
    return parse(value, Limits(event=65_536, string=8192, depth=32, keys=256))


def reason_of(value: bytes | None) -> Reason:
    with pytest.raises(Refused) as refused:
        parsed(value)
    assert refused.value.error
    return refused.value.reason


def test_a_whole_event() -> None:
    envelope = parsed(
        b'{"id":"%s","event_type":"order.placed","user_id":"u","session_id":"s",'
        b'"timestamp":"2026-11-23T13:05:00Z","properties":{"price":1.50}}' % ID.encode()
    )

    assert envelope == Envelope(
        timestamp="2026-11-23T13:05:00.000000",
        id=ID,
        event_type="order.placed",
        user_id="u",
        session_id="s",
        properties=b'{"price":1.50}',
    )


@pytest.mark.parametrize(
    "rest", [b"", b',"id":null,"user_id":null,"session_id":null,"timestamp":null,"properties":null']
)
def test_only_the_type_is_needed(rest: bytes) -> None:
    assert parsed(b'{"event_type":"a"%s}' % rest) == Envelope(None, None, "a", None, None, b"{}")


def test_other_keys_are_not_kept() -> None:
    assert parsed(b'{"event_type":"a","topic":{"x":[1,2]},"":0}') == parsed(b'{"event_type":"a"}')


def test_of_a_repeated_key_the_last_counts() -> None:
    assert parsed(b'{"event_type":"a","event_type":"b"}').event_type == "b"


def test_properties_are_kept_as_they_were_written() -> None:
    properties = b'{ "price" : 50000.123456789012345678901234567890,"e":1.0E+2 }'

    assert parsed(b'{"event_type":"a","properties":%s}' % properties).properties == properties


@pytest.mark.parametrize(
    ("properties", "kept"),
    [
        (b"{}", {"source": "gw", "account_id": 7, "schema_version": "1"}),
        (b"{ }", {"source": "gw", "account_id": 7, "schema_version": "1"}),
        (b'{"a":1}', {"source": "gw", "account_id": 7, "schema_version": "1", "a": 1}),
        (b'{"source":"own","account_id":null}', {"source": "own", "account_id": None, "schema_version": "1"}),
        (b'{"sourc\\u0065":"own"}', {"source": "own", "account_id": 7, "schema_version": "1"}),
        (b'{"a":"\\"source\\""}', {"source": "gw", "account_id": 7, "schema_version": "1", "a": '"source"'}),
        (b'{"a":{"source":"own"}}', {"source": "gw", "account_id": 7, "schema_version": "1", "a": {"source": "own"}}),
        (
            b'{"source":1,"account_id":2,"schema_version":3}',
            {"source": 1, "account_id": 2, "schema_version": 3},
        ),
    ],
)
def test_source_account_and_version_become_properties(properties: bytes, kept: dict[str, Any]) -> None:
    envelope = parsed(
        b'{"event_type":"a","source":"gw","account_id":7,"schema_version":"1","properties":%s}' % properties
    )

    assert json.loads(envelope.properties) == kept


@pytest.mark.parametrize("value", [7, -7, 0, 2**63 - 1])
def test_a_number_may_name_a_user(value: int) -> None:
    envelope = parsed(b'{"event_type":"a","user_id":%d,"session_id":%d}' % (value, value))

    assert (envelope.user_id, envelope.session_id) == (str(value), str(value))


@pytest.mark.parametrize(
    "spelling", [ID, ID.upper(), ID.replace("-", ""), ID.replace("-", "").upper(), ID[:18].upper() + ID[18:]]
)
def test_a_uuid_has_one_spelling(spelling: str) -> None:
    assert normalise_id(spelling, "gw") == ID


@pytest.mark.parametrize(
    "other",
    [
        "order-17",
        "{" + ID + "}",
        "urn:uuid:" + ID,
        ID + "\n",
        ID[:-1],
        "0x" + "1" * 30,
        "1_1" + "1" * 29,
        "\u0660" * 32,
        17,
    ],
)
def test_another_id_becomes_a_uuid_of_its_source_and_itself(other: str | int) -> None:
    assert normalise_id(other, "gw") == str(uuid.uuid5(ID_NAMESPACE, f"gw/{other}"))
    assert normalise_id(other) != normalise_id(other, "gw")


def test_ids_that_differ_stay_different() -> None:
    ids = ["0" * 32, "0x" + "0" * 30, "0_" + "0" * 30, "\u0660" * 32, "+" + "0" * 31, " " + "0" * 31, "0" * 31]

    assert len({normalise_id(id_) for id_ in ids}) == len(ids)


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        (None, Reason.EMPTY),
        (b"", Reason.EMPTY),
        (b"{", Reason.INVALID_JSON),
        (b" ", Reason.INVALID_JSON),
        (b"\x00", Reason.INVALID_JSON),
        (b"\xff\xfe{\x00}\x00", Reason.INVALID_JSON),
        (b'\xef\xbb\xbf{"event_type":"a"}', Reason.INVALID_JSON),
        (b'{"event_type":"\xff"}', Reason.INVALID_JSON),
        (b'{"event_type":"\\ud800"}', Reason.INVALID_JSON),
        (b'{"event_type":"a","properties":{"\\udc00":1}}', Reason.INVALID_JSON),
        (b'{"event_type":"a","properties":{"x":NaN}}', Reason.INVALID_JSON),
        (b'{"event_type":"a","properties":{"x":-Infinity}}', Reason.INVALID_JSON),
        (b'{"event_type":"a","properties":{"x":1e400}}', Reason.NUMBER_OUT_OF_RANGE),
        (b'{"event_type":"a","properties":{"x":1e200000}}', Reason.NUMBER_OUT_OF_RANGE),
        (b'{"event_type":"a","properties":{"x":"\n"}}', Reason.INVALID_JSON),
        (b'{"event_type":"a"}{}', Reason.INVALID_JSON),
        (b'{"event_type":"a","x":' + b"[" * 2000 + b"]" * 2000 + b"}", Reason.TOO_DEEP),
        (b'{"event_type":"a","properties":{"x":' + b"[" * 900 + b"]" * 900 + b"}}", Reason.TOO_DEEP),
        (b"[" * 30_000, Reason.TOO_DEEP),
        (b'[{"event_type":"a"}]', Reason.NOT_AN_OBJECT),
        (b'"a"', Reason.NOT_AN_OBJECT),
        (b"null", Reason.NOT_AN_OBJECT),
        (b"5", Reason.NOT_AN_OBJECT),
        (b"{}", Reason.MISSING_EVENT_TYPE),
        (b'{"event_type":null}', Reason.MISSING_EVENT_TYPE),
        (b'{"Event_Type":"a"}', Reason.MISSING_EVENT_TYPE),
        (b'{"event_type":""}', Reason.INVALID_FIELD),
        (b'{"event_type":5}', Reason.INVALID_FIELD),
        (b'{"event_type":"%s"}' % (b"x" * 256), Reason.INVALID_FIELD),
        (b'{"event_type":"a","user_id":"%s"}' % (b"x" * 256), Reason.INVALID_FIELD),
        (b'{"event_type":"a","session_id":"%s"}' % (b"x" * 256), Reason.INVALID_FIELD),
        (b'{"event_type":"a","user_id":1.5}', Reason.INVALID_FIELD),
        (b'{"event_type":"a","user_id":true}', Reason.INVALID_FIELD),
        (b'{"event_type":"a","user_id":{}}', Reason.INVALID_FIELD),
        (b'{"event_type":"a","id":[]}', Reason.INVALID_FIELD),
        (b'{"event_type":"a","id":"%s"}' % (b"x" * 256), Reason.INVALID_FIELD),
        (b'{"event_type":"a","source":5}', Reason.INVALID_FIELD),
        (b'{"event_type":"a","timestamp":1.5}', Reason.INVALID_FIELD),
        (b'{"event_type":"a","properties":[]}', Reason.INVALID_FIELD),
        (b'{"event_type":"a","properties":"{}"}', Reason.INVALID_FIELD),
        (b'{"event_type":"a","properties":false}', Reason.INVALID_FIELD),
        (b'{"event_type":"a","timestamp":""}', Reason.INVALID_TIMESTAMP),
        (b'{"event_type":"a","timestamp":0}', Reason.INVALID_TIMESTAMP),
        (b'{"event_type":"a\\u0000"}', Reason.NUL_CHARACTER),
        (b'{"event_type":"a","user_id":"\\u0000"}', Reason.NUL_CHARACTER),
        (b'{"event_type":"a","id":"\\u0000"}', Reason.NUL_CHARACTER),
        (b'{"event_type":"a","properties":{"x":%s}}' % (b"9" * 40), Reason.NUMBER_OUT_OF_RANGE),
        (b'{"event_type":"a","properties":{"x":"%s"}}' % (b"x" * 8193), Reason.STRING_TOO_LONG),
        (b'{"event_type":"a","properties":{"x":"%s"}}' % (b"x" * 65_536), Reason.TOO_LARGE),
    ],
)
def test_refused(value: bytes | None, reason: Reason) -> None:
    assert reason_of(value) is reason


def test_names_may_be_255_characters_of_any_script() -> None:
    name = "💩" * 255

    assert parsed(raw(event_type=name, user_id=name, session_id=name)).user_id == name


@given(st.binary(max_size=200))
def test_any_bytes_are_parsed_or_refused(value: bytes) -> None:
    parsed_or_refused(value)


SCALARS = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20)
JSON = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=10), inner, max_size=4),
    max_leaves=12,
)
FIELDS = st.sampled_from([*event(), "source", "account_id", "schema_version", "other"])


@given(st.dictionaries(FIELDS, JSON, max_size=6), st.booleans())
def test_any_object_is_parsed_or_refused(fields: dict[str, Any], escaped: bool) -> None:
    text = json.dumps({"event_type": "a", **fields}, ensure_ascii=escaped)
    parsed_or_refused(text.encode("utf-8", "surrogatepass"))


@given(st.binary(max_size=8), st.integers(0, 300), st.integers(0, 20))
def test_a_damaged_event_is_parsed_or_refused(damage: bytes, at: int, length: int) -> None:
    whole = raw(id=ID, timestamp="2026-11-23T13:05:00Z")

    parsed_or_refused(whole[:at] + damage + whole[at + length :])


@given(st.from_regex(rb"-?(0|[1-9][0-9]{0,25})(\.[0-9]{1,25})?([eE][+-]?[0-9]{1,25})?", fullmatch=True))
def test_any_number_is_parsed_or_refused(number: bytes) -> None:
    parsed_or_refused(b'{"event_type":"a","properties":{"x":%s}}' % number)


def parsed_or_refused(value: bytes) -> None:
    """Any other end, an exception of another kind above all, would cost a whole batch."""
    with suppress(Refused):
        parsed(value)
