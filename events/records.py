"""What the write path takes in: raw records, and where they came from."""

from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple
from uuid import UUID, uuid5

from access.models import DEFAULT_PROJECT_ID
from events.timestamps import EPOCH, MILLISECOND

LAST_MS = 253_402_300_799_999  # the end of the year 9999


class Record(NamedTuple):
    """Bytes as they came. `time_ms` is Kafka's record time or when the request came, in epoch ms.

    `id` is for an event that has none of its own; where it is None, the offset gives one.
    """

    value: bytes | None
    time_ms: int
    offset: int = -1
    id: str | None = None

    @property
    def time(self) -> datetime:
        """Kafka takes any 64-bit number as a time; one that no calendar has becomes the nearest."""
        return EPOCH + min(max(self.time_ms, 0), LAST_MS) * MILLISECOND


@dataclass(frozen=True, slots=True)
class Stretch:
    """One reading of a Kafka partition: a topic (by its id) and the fresh start it belongs to."""

    topic: str
    partition: int
    topic_id: UUID
    incarnation: int = 0

    def record_id(self, offset: int) -> str:
        """The id of an event that has none: the same for each delivery of the record, and for no other."""
        return str(uuid5(self.topic_id, f"{self.topic}/{self.partition}/{self.incarnation}/{offset}"))


@dataclass(frozen=True, slots=True)
class KafkaBatch:
    """Records of one stretch that cover the offsets [lo, hi), gaps left by Kafka included."""

    stretch: Stretch
    lo: int
    hi: int
    records: list[Record]
    project_id: int = DEFAULT_PROJECT_ID
