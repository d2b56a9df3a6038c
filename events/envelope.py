"""Bytes of one record -> Envelope, or Refused with a reason. Pure: no clock, no database."""

import re
import uuid
from functools import lru_cache
from typing import NamedTuple

import msgspec
import orjson

from events.limits import Limits, check_limits
from events.reasons import Reason
from events.refusal import Refused
from events.timestamps import canonical_timestamp

ID_NAMESPACE = uuid.UUID("6f2d6a0e-5d0c-5e0b-9d7e-b25a7a1e7c50")
CANONICAL_UUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")
# uuid.UUID() itself also takes what int() takes: `0x` in front, underscores, digits of other scripts.
ANY_UUID = re.compile(r"[0-9a-f]{32}|" + CANONICAL_UUID.pattern, re.IGNORECASE | re.ASCII)
MAX_NAME = 255


class Envelope(NamedTuple):
    """A record that passed all checks. `properties` is its JSON text as sent, so decimals stay exact.

    `timestamp` is None when the producer gave none: the store then decides, since a retry of
    the same id must get the same time.
    """

    timestamp: str | None
    id: str | None
    event_type: str
    user_id: str | None
    session_id: str | None
    properties: bytes


class _Wire(msgspec.Struct):
    event_type: str | None = None
    id: str | int | None = None
    user_id: str | int | None = None
    session_id: str | int | None = None
    timestamp: str | int | None = None
    source: str | None = None
    account_id: str | int | None = None
    schema_version: str | int | None = None
    properties: msgspec.Raw = msgspec.Raw(b"{}")


_decode = msgspec.json.Decoder(_Wire).decode


def parse(value: bytes | None, limits: Limits, *, is_plain: bool = False) -> Envelope:
    """Check one record completely, so that storing it cannot fail on its content.

    Other top-level keys than those of the envelope are not kept; `source`, `account_id` and
    `schema_version` become properties unless the event has properties of these names.
    `is_plain` is what `limits.plain` says of the value; it only makes this twice as fast.
    """
    if not value:
        raise Refused(Reason.EMPTY, "the record has no value")
    if len(value) > limits.event:
        raise Refused(Reason.TOO_LARGE, f"{len(value)} bytes; at most {limits.event}")
    wire = _decode_wire(value, is_plain)
    properties = bytes(wire.properties)
    if not is_plain:
        check_limits(value, properties, limits)
    if wire.event_type is None:
        raise Refused(Reason.MISSING_EVENT_TYPE, "event_type is missing")
    if not 1 <= len(wire.event_type) <= MAX_NAME:
        raise Refused(Reason.INVALID_FIELD, f"event_type must have 1 to {MAX_NAME} characters")
    if not properties.startswith(b"{"):
        properties = _without_object(properties)
    if wire.source is not None or wire.account_id is not None or wire.schema_version is not None:
        properties = _with_extras(properties, _extras(wire.source, wire.account_id, wire.schema_version))
    return Envelope(
        None if wire.timestamp is None else canonical_timestamp(wire.timestamp),
        None if wire.id is None else normalise_id(wire.id, wire.source),
        wire.event_type,
        None if wire.user_id is None else _name("user_id", wire.user_id),
        None if wire.session_id is None else _name("session_id", wire.session_id),
        properties,
    )


def normalise_id(value: str | int, source: str | None = None) -> str:
    """A UUID in its canonical form; any other id becomes the uuid5 of its source and itself."""
    text = str(value)
    if CANONICAL_UUID.fullmatch(text):
        return text
    if not 1 <= len(text) <= MAX_NAME:
        raise Refused(Reason.INVALID_FIELD, f"id must have 1 to {MAX_NAME} characters")
    if ANY_UUID.fullmatch(text):
        return str(uuid.UUID(text))
    return str(uuid.uuid5(ID_NAMESPACE, f"{source or ''}/{text}"))


def _decode_wire(value: bytes, is_plain: bool) -> _Wire:
    if is_plain:
        try:
            return _decode(value)
        except (msgspec.DecodeError, RecursionError):
            # orjson has the clearer words for what is wrong with it.
            return _decode_wire(value, is_plain=False)
    try:
        # orjson is the strict judge (UTF-8, surrogates, infinities); msgspec gives the raw properties.
        parsed = orjson.loads(value)
        if not isinstance(parsed, dict):
            raise Refused(Reason.NOT_AN_OBJECT, f"expected a JSON object, got {type(parsed).__name__}")
        return _decode(value)
    except orjson.JSONDecodeError as error:
        raise Refused(_reason_of(str(error)), str(error)) from None
    except msgspec.ValidationError as error:
        raise Refused(Reason.INVALID_FIELD, str(error)) from None
    except (msgspec.DecodeError, RecursionError) as error:
        raise Refused(Reason.INVALID_JSON, str(error)) from None


def _reason_of(error: str) -> Reason:
    """Two of what orjson does not take are legal JSON all the same."""
    if error.startswith("depth limit"):
        return Reason.TOO_DEEP
    return Reason.NUMBER_OUT_OF_RANGE if error.startswith("number is infinity") else Reason.INVALID_JSON


def _name(field: str, value: str | int) -> str:
    text = str(value)
    if len(text) > MAX_NAME:
        raise Refused(Reason.INVALID_FIELD, f"{field} must have at most {MAX_NAME} characters")
    return text


def _without_object(properties: bytes) -> bytes:
    if properties == b"null":
        return b"{}"
    raise Refused(Reason.INVALID_FIELD, "properties must be an object")


def _with_extras(properties: bytes, extras: bytes) -> bytes:
    """Put the envelope's extras before the event's own properties.

    Where a key is there twice, jsonb keeps the last: the event's own.
    """
    rest = properties[1:]
    return extras + rest if rest.lstrip().startswith(b"}") else extras + b"," + rest


@lru_cache(maxsize=5000)
def _extras(source: str | None, account_id: str | int | None, schema_version: str | int | None) -> bytes:
    """The beginning of a JSON object that has those that are given."""
    named = (("source", source), ("account_id", account_id), ("schema_version", schema_version))
    given = {name: value for name, value in named if value is not None and _name(name, value)}
    return msgspec.json.encode(given)[:-1]
