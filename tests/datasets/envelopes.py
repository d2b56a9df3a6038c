"""What the readers share: envelopes with ids that follow from the data, and exact times."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, tzinfo
from pathlib import Path
from typing import Any
from uuid import UUID, uuid5

from tests.datasets import folder_of

NAMESPACE = UUID("5b0c8a52-0d43-5d0e-9a39-0b25b25b25b2")
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

Envelope = dict[str, Any]


@dataclass(frozen=True)
class Dataset:
    """A folder of files and how to read them; reading twice gives the same events, ids included."""

    name: str
    read: Callable[[Path], Iterator[Envelope]]
    # The two properties whose products add up to a figure that shows every digit arrived.
    factors: tuple[str, str] | None = None

    def events(self) -> Iterator[Envelope]:
        return self.read(folder_of(self.name))


def envelope(
    source: str, key: str, event_type: str, moment: datetime, properties: dict[str, Any], **more: str
) -> Envelope:
    """`key` names the thing within its source: sent twice, it is a duplicate."""
    return {
        "id": str(uuid5(NAMESPACE, f"{source}/{key}")),
        "event_type": event_type,
        "source": source,
        **more,
        "timestamp": moment.astimezone(UTC).isoformat().replace("+00:00", "Z"),
        "properties": properties,
    }


def from_ms(milliseconds: str | int) -> datetime:
    return EPOCH + timedelta(milliseconds=int(milliseconds))


def from_us(microseconds: str | int) -> datetime:
    return EPOCH + timedelta(microseconds=int(microseconds))


def time_of_day(day: str, milliseconds: str, zone: tzinfo = UTC) -> datetime:
    """Milliseconds after midnight of a day (YYYYMMDD) in its zone."""
    midnight = datetime.strptime(day, "%Y%m%d").replace(tzinfo=zone)
    return midnight.astimezone(UTC) + timedelta(milliseconds=int(milliseconds))
