"""Query parameters into typed questions; whatever is wrong with them is said here."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from uuid import UUID

from django.conf import settings
from django.http import QueryDict

from events.api import paging
from events.api.errors import BadRequest
from events.api.paging import BadCursor, Position
from events.api.queries import Filters, PropertyFilter, Window
from events.envelope import normalise_id
from events.refusal import Refused
from events.timestamps import parse_timestamp

PREFIX = "properties."
ALLOWED = ("start_time", "end_time", "event_type", "user_id", "session_id", "limit", "cursor")
MAX_VALUE = 8192
MAX_PROPERTY_FILTERS = 10
MAX_PATH = 32
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)  # no event is stored that is older


@dataclass(frozen=True)
class Question:
    """What GET /events asks for."""

    window: Window
    filters: Filters
    limit: int
    after: Position | None

    def cursor(self, last: Position) -> str:
        fingerprint = paging.fingerprint(self.filters)
        return paging.encode(paging.Cursor(self.window.start, self.window.end, last, fingerprint))


def read_question(query: QueryDict) -> Question:
    given = read_given(query, ALLOWED, PREFIX)
    filters = Filters(
        event_type=given.get("event_type"),
        user_id=given.get("user_id"),
        session_id=given.get("session_id"),
        properties=_properties(given),
    )
    limit = _limit(given.get("limit"))
    if "cursor" not in given:
        return Question(read_window(given), filters, limit, None)
    cursor = _cursor(given["cursor"], filters)
    window = Window(cursor.start, cursor.end)
    for name, bound in (("start_time", window.start), ("end_time", window.end)):
        if name in given and read_time(name, given[name]) != bound:
            raise BadRequest("Invalid cursor", f"it belongs to a query with another {name}")
    return Question(window, filters, limit, cursor.after)


def read_given(query: QueryDict, allowed: Collection[str], prefix: str | None = None) -> dict[str, str]:
    """The parameters that have a value, each once; anything else than `allowed` is refused by name."""
    given: dict[str, str] = {}
    for name, values in query.lists():
        if name not in allowed and not (prefix and name.startswith(prefix)):
            names = ", ".join([*allowed, *([f"{prefix}<path>"] if prefix else [])])
            raise BadRequest("Unknown parameter", f"{name[:64]!r}; allowed: {names or 'none'}")
        if len(values) > 1:
            raise BadRequest("Invalid parameter", f"{name[:64]} is given {len(values)} times")
        if "\x00" in values[0] or len(values[0]) > MAX_VALUE:
            raise BadRequest("Invalid parameter", f"{name[:64]} holds a NUL character or is too long")
        if values[0]:
            given[name] = values[0]
    return given


def read_window(given: Mapping[str, str]) -> Window:
    """[start_time, end_time): by default the last 24 hours, or as long before a given end."""
    default = settings.CONFIG.analytics.query.default_window
    end = read_time("end_time", given["end_time"]) if "end_time" in given else datetime.now(UTC)
    start = read_time("start_time", given["start_time"]) if "start_time" in given else _before(end, default)
    if start > end:
        raise BadRequest("Invalid time window", "start_time is after end_time")
    return Window(start, end)


def read_time(name: str, value: str) -> datetime:
    # An unescaped + of a zone arrives as a space.
    if value[-6:-5] == " ":
        value = f"{value[:-6]}+{value[-5:]}"
    try:
        return parse_timestamp(value)
    except Refused as refused:
        raise BadRequest(f"Invalid {name} format", f"{refused.error}; example: 2026-01-31T12:00:00Z") from None


def read_id(value: str, source: str | None) -> UUID:
    """The id as events are stored under it: producers may use ids that are not UUIDs."""
    try:
        return UUID(normalise_id(value, source))
    except Refused as refused:
        raise BadRequest("Invalid id", refused.error) from None


def _before(end: datetime, length: timedelta) -> datetime:
    try:
        return end - length
    except OverflowError:
        return datetime.min.replace(tzinfo=UTC)


def _limit(value: str | None) -> int:
    query = settings.CONFIG.analytics.query
    if value is None:
        return int(query.default_limit)
    if not (value.isascii() and value.isdecimal() and len(value) < 10 and 1 <= int(value) <= query.max_limit):
        raise BadRequest("Invalid limit parameter", f"must be a whole number from 1 to {query.max_limit}")
    return int(value)


def _properties(given: Mapping[str, str]) -> tuple[PropertyFilter, ...]:
    filters = []
    for name, value in sorted(given.items()):
        if not name.startswith(PREFIX):
            continue
        path = tuple(name.removeprefix(PREFIX).split("."))
        if not all(path) or len(path) > MAX_PATH or "\x00" in name or len(name) > MAX_VALUE:
            raise BadRequest("Invalid property filter", f"{name[:64]!r}; write properties.<name>.<name>=value")
        filters.append(PropertyFilter(path, value))
    if len(filters) > MAX_PROPERTY_FILTERS:
        raise BadRequest("Invalid property filter", f"{len(filters)} of them; at most {MAX_PROPERTY_FILTERS}")
    return tuple(filters)


def _cursor(text: str, filters: Filters) -> paging.Cursor:
    try:
        cursor = paging.decode(text)
    except BadCursor as error:
        raise BadRequest("Invalid cursor", f"{error}") from None
    if not max(cursor.start, EPOCH) <= cursor.after.timestamp < cursor.end:
        raise BadRequest("Invalid cursor", "not a cursor of this API")
    if cursor.filters != paging.fingerprint(filters):
        raise BadRequest("Invalid cursor", "it belongs to a query with other filters")
    return cursor
