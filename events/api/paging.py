"""Opaque cursors over (timestamp, id): a page starts where the one before ended, however many ties.

A cursor carries the window and a hash of the filters, so that it cannot be used to continue
another query than its own, and a default window stays the same from page to page.
"""

import base64
import binascii
import hashlib
import struct
from datetime import UTC, datetime, timedelta
from typing import NamedTuple
from uuid import UUID

VERSION = 1
LAYOUT = struct.Struct(">Bqqq16s8s")
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MICROSECOND = timedelta(microseconds=1)


class BadCursor(ValueError):
    """Not a cursor of ours, or one of another query."""


class Position(NamedTuple):
    """The last row of a page; the next page is what lies before it."""

    timestamp: datetime
    id: UUID


class Cursor(NamedTuple):
    start: datetime
    end: datetime
    after: Position
    filters: bytes


def fingerprint(*filters: object) -> bytes:
    return hashlib.blake2b(repr(filters).encode(), digest_size=8).digest()


def encode(cursor: Cursor) -> str:
    times = (_to_int(moment) for moment in (cursor.start, cursor.end, cursor.after.timestamp))
    packed = LAYOUT.pack(VERSION, *times, cursor.after.id.bytes, cursor.filters)
    return base64.urlsafe_b64encode(packed).decode()


def decode(text: str) -> Cursor:
    try:
        packed = base64.b64decode(text.encode("ascii"), altchars=b"-_", validate=True)
        version, start, end, timestamp, event_id, filters = LAYOUT.unpack(packed)
        times = [_to_time(number) for number in (start, end, timestamp)]
    except (UnicodeEncodeError, binascii.Error, struct.error, OverflowError):
        raise BadCursor("not a cursor of this API") from None
    if version != VERSION:
        raise BadCursor("made by another version of this API")
    return Cursor(times[0], times[1], Position(times[2], UUID(bytes=event_id)), filters)


def _to_int(moment: datetime) -> int:
    return (moment - EPOCH) // MICROSECOND


def _to_time(number: int) -> datetime:
    return EPOCH + number * MICROSECOND
