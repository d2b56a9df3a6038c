"""What the write path takes in: raw records, and where they came from."""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import NamedTuple
from uuid import UUID, uuid5

from access.models import DEFAULT_PROJECT_ID


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
        return datetime.fromtimestamp(self.time_ms / 1000, UTC)


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
