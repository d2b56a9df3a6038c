"""Limits on what an event may hold: what PostgreSQL refuses, and what would hurt its readers.

There are three ways to look, each closer and slower than the one before. Nearly all events are
cleared by a few scans over the bytes of a whole batch (`plain`). For the others orjson judges the
text (UTF-8, surrogates, infinities), and scans of the event's own bytes say that it has no NUL
character, no number out of range and no size too large; what they cannot clear is walked.
"""

import json
import re
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from itertools import accumulate
from typing import Any

from django.conf import settings

from events.reasons import Reason
from events.refusal import Refused

MAX_INTEGER = 2**63 - 1
MIN_EXPONENT = -400  # below the smallest double; 1e-16000 would be stored as 16,000 digits

# Digits become 0, E becomes e and { becomes [, so that one search finds any long or far-off
# number and one count all that opens.
_SHAPE = bytes.maketrans(b"123456789E{", b"000000000e[")
_SHORTEST_PAIR = 5  # bytes of a key with its value and a comma: "":0,
_LONG_NUMBER = b"0" * 19
_SMALL_NUMBER = b"0e-000"
# The same in the place of a number, which UUIDs and other strings seldom are.
_ODD_NUMBER = re.compile(rb"[:\[,\s]-?(?:\d{19}|\d[\d.]*[eE]-\d{3})")
_NUL = b"\\u0000"
# The same with one byte for all that is not ASCII.
_PLAIN_SHAPE = bytes.maketrans(b"123456789E" + bytes(range(128, 256)), b"000000000e" + b"\x80" * 128)
# What takes a closer look wherever it stands.
_ODD = (b"\\", b"\x80", _LONG_NUMBER)
# Three digits of exponent and what ends a number: without the latter it is one UUID in five.
_EXPONENT = re.compile(rb"0e[+-]?0{3,}[,}\]\s]")


@dataclass(frozen=True, slots=True)
class Limits:
    """Sizes in bytes as sent; looked up once a batch, since each look-up costs more than a check."""

    event: int
    string: int
    depth: int
    keys: int

    @classmethod
    def configured(cls) -> "Limits":
        ingestion = settings.CONFIG.analytics.ingestion
        return cls(ingestion.max_event_size, ingestion.max_string_size, ingestion.max_depth, ingestion.max_keys)


def plain(values: Sequence[bytes], limits: Limits) -> list[bool]:
    """Which values need no closer look: within all limits, if they are JSON at all, and read alike by all parsers.

    That is ASCII text without escapes or far-off numbers, and without room for what is too deep or too long.
    """
    size, depth, small = limits.string, limits.depth, limits.keys * _SHORTEST_PAIR
    clear = [
        len(value) <= size
        and value.count(b"{") + value.count(b"[") <= depth
        and (len(value) <= small or value.count(b":") <= limits.keys)
        for value in values
    ]
    odd = list(_odd_places(b"\n".join(values).translate(_PLAIN_SHAPE)))
    if odd:
        starts = list(accumulate((len(value) + 1 for value in values), initial=0))
        for place in odd:
            clear[bisect_right(starts, place) - 1] = False
    return clear


def _odd_places(shape: bytes) -> Iterator[int]:
    """At least one place in each line that has something odd."""
    for needle in _ODD:
        at = shape.find(needle)
        while at >= 0:
            yield at
            line_end = shape.find(b"\n", at)
            at = shape.find(needle, line_end) if line_end >= 0 else -1
    for match in _EXPONENT.finditer(shape):
        yield match.start()


def check_limits(raw: bytes, properties: bytes, limits: Limits) -> None:
    """Raise Refused if an event breaks a limit; `properties` is a part of `raw`, the text of the event.

    The fields beside the properties are short names: of them only NUL is to be found.
    """
    shape = properties.translate(_SHAPE)
    if (
        ((_LONG_NUMBER in shape or _SMALL_NUMBER in shape) and _ODD_NUMBER.search(properties))
        or len(properties) > limits.string
        or (len(properties) > limits.keys * _SHORTEST_PAIR and properties.count(b":") > limits.keys)
        or shape.count(b"[") > limits.depth
    ):
        _walk(_parse(properties), limits, depth=1)
    if b"\\" in raw and _NUL in raw:
        _walk(_parse(raw), limits, depth=0)


def _parse(raw: bytes) -> Any:
    try:
        return json.loads(raw, parse_int=_check_integer, parse_float=_check_float)
    except RecursionError:
        raise Refused(Reason.TOO_DEEP, "nested too deep") from None


def _check_integer(text: str) -> int:
    if len(text) > 20 or abs(int(text)) > MAX_INTEGER:
        raise Refused(Reason.NUMBER_OUT_OF_RANGE, f"integer {text[:40]} does not fit into 64 bits")
    return 0


def _check_float(text: str) -> float:
    try:
        tiny = Decimal(text).adjusted() < MIN_EXPONENT
    except InvalidOperation:  # an exponent of twenty digits
        tiny = True
    if tiny:
        raise Refused(Reason.NUMBER_OUT_OF_RANGE, f"number {text[:40]} is too close to zero")
    return 0.0


def _walk(value: Any, limits: Limits, depth: int) -> None:
    if isinstance(value, str):
        _check_string(value, limits.string)
    elif isinstance(value, (dict, list)):
        if depth > limits.depth:
            raise Refused(Reason.TOO_DEEP, f"nested deeper than {limits.depth}")
        if isinstance(value, dict):
            if len(value) > limits.keys:
                raise Refused(Reason.TOO_MANY_KEYS, f"an object with {len(value)} keys; at most {limits.keys}")
            for key in value:
                _check_string(key, limits.string)
        for item in value.values() if isinstance(value, dict) else value:
            _walk(item, limits, depth + 1)


def _check_string(text: str, max_string: int) -> None:
    if "\x00" in text:
        raise Refused(Reason.NUL_CHARACTER, "a string with \\u0000")
    if len(text) > max_string or len(text.encode()) > max_string:
        raise Refused(Reason.STRING_TOO_LONG, f"a string longer than {max_string} bytes")
