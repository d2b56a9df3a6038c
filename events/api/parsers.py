"""Request bodies into raw events. Each stays the bytes that were sent, so decimals stay exact."""

import re
from typing import Any

import msgspec
from django.conf import settings
from rest_framework.parsers import BaseParser

from events.api.errors import BadRequest, TooLarge

_split = msgspec.json.Decoder(list[msgspec.Raw]).decode
_TOKENS = re.compile(rb'"(?:[^"\\]|\\.)*"|[\[\]{},]', re.DOTALL)


class EventParser(BaseParser):
    """One event; the write path judges its bytes.

    The views call `split` with a body that was read under limits; DRF's own `parse`, behind
    `request.data`, would read without them.
    """

    media_type = "application/json"

    def split(self, raw: bytes) -> list[bytes]:
        return [raw]


class ArrayParser(EventParser):
    """A JSON array of events."""

    def split(self, raw: bytes) -> list[bytes]:
        return _at_most([bytes(item) for item in split_array(raw)])


class LinesParser(EventParser):
    """NDJSON: an event a line; empty lines do not count."""

    media_type = "application/x-ndjson"

    def split(self, raw: bytes) -> list[bytes]:
        return _at_most([line for line in raw.split(b"\n") if line.strip()])


class PlainLinesParser(LinesParser):
    media_type = "application/ndjson"


class JSONLinesParser(LinesParser):
    media_type = "application/jsonl"


BATCH_PARSERS = [ArrayParser, LinesParser, PlainLinesParser, JSONLinesParser]


def split_array(raw: bytes) -> list[Any]:
    """The elements of a JSON array as they were sent."""
    try:
        return _split(raw)
    except RecursionError:
        # Valid brackets, only too deep in one event: its neighbours must not suffer.
        return _split_by_brackets(raw)
    except msgspec.DecodeError as error:
        hint = "send a JSON array of events, or one event a line as application/x-ndjson"
        raise BadRequest("Invalid request body", f"{error}; {hint}", reason="invalid_json") from None


def _split_by_brackets(raw: bytes) -> list[bytes]:
    """Cut at the commas of the outermost array. What lies between is judged by the write path."""
    depth = 0
    cuts: list[int] = []
    for token in _TOKENS.finditer(raw):
        sign = token[0]
        if sign in b"[{":
            depth += 1
        elif sign in b"]}":
            depth -= 1
        if (sign == b"[" and depth == 1 and not cuts) or (sign == b"," and depth == 1):
            cuts.append(token.end())
        if depth == 0:
            return [raw[start : end - 1].strip() for start, end in zip(cuts, [*cuts[1:], token.end()], strict=True)]
    raise BadRequest("Invalid request body", "the array has no end", reason="invalid_json")


def _at_most(bodies: list[bytes]) -> list[bytes]:
    limit: int = settings.CONFIG.analytics.ingestion.max_batch_events
    if len(bodies) > limit:
        raise TooLarge(f"{len(bodies)} events; at most {limit} in one batch")
    return bodies
