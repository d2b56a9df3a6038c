"""Records -> rows to store, and refusals: all that can be done before the transaction."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime

from django.conf import settings

from events.copying import Row
from events.envelope import Envelope, parse
from events.limits import Limits, plain
from events.reasons import Reason
from events.records import Record, Stretch
from events.refusal import Refused
from events.timestamps import canonical


@dataclass(frozen=True)
class Window:
    """The times that events may have: [oldest, newest)."""

    oldest: str
    newest: str

    @classmethod
    def now(cls) -> "Window":
        now = datetime.now(UTC)
        analytics = settings.CONFIG.analytics
        return cls(
            oldest=canonical(now - analytics.retention.raw_events),
            newest=canonical(now + analytics.ingestion.max_clock_skew),
        )

    def check(self, timestamp: str) -> None:
        if timestamp < self.oldest:
            raise Refused(Reason.TOO_OLD, f"{timestamp}Z is before {self.oldest}Z")
        if timestamp >= self.newest:
            raise Refused(Reason.IN_FUTURE, f"{timestamp}Z is after {self.newest}Z")


@dataclass
class Prepared:
    """A batch decoded: rows sorted by key, refusals by index, and the events that need a time."""

    rows: list[Row] = field(default_factory=list)
    refusals: dict[int, Refused] = field(default_factory=dict)
    # Events with an id and no timestamp: the time of the first delivery is theirs for good.
    untimed: list[tuple[int, Envelope, str]] = field(default_factory=list)

    def days(self) -> set[date]:
        days = {row.time[:10] for row in self.rows} | {received[:10] for _, _, received in self.untimed}
        return {date.fromisoformat(day) for day in days}

    def touched(self) -> set[tuple[str, str]]:
        """The (event_type, minute) of each row."""
        return {(row.envelope.event_type, row.time[:16]) for row in self.rows}


def prepare(records: Sequence[Record], stretch: Stretch | None = None) -> Prepared:
    """Decode and check each record on its own; one bad record costs no other."""
    window, limits = Window.now(), Limits.configured()
    prepared = Prepared()
    rows, refusals = prepared.rows, prepared.refusals
    are_plain = plain([record.value or b"" for record in records], limits)
    for index, (record, is_plain) in enumerate(zip(records, are_plain, strict=True)):
        try:
            envelope = parse(record.value, limits, is_plain=is_plain)
            timestamp = envelope.timestamp
            if timestamp is None:
                timestamp = canonical(record.time)
                if envelope.id is not None:
                    # Checked already here: a time that is refused must not be remembered.
                    window.check(timestamp)
                    prepared.untimed.append((index, envelope, timestamp))
                    continue
            window.check(timestamp)
            rows.append(row_of(index, envelope, timestamp, record, stretch))
        except Refused as refused:
            refusals[index] = refused
    rows.sort()
    return prepared


def row_of(index: int, envelope: Envelope, timestamp: str, record: Record, stretch: Stretch | None) -> Row:
    id_ = envelope.id or record.id or (stretch.record_id(record.offset) if stretch else None)
    if id_ is None:
        raise ValueError("a record without an offset must bring an id")
    return Row(timestamp, id_, index, envelope)
