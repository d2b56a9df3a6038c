"""Realistic events of any number: the simulator's, with new ids and times.

A pool of simulated events is made once; taking from it costs little, so that the benchmark
measures the pipeline and not its source.
"""

import random
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from functools import cached_property
from itertools import islice
from typing import NamedTuple

import orjson

from events.simulation import World
from events.simulation.identity import SECOND, microseconds, rfc3339, uuid7

SIZE = 40_000
RATE = 2_000.0


class Sample(NamedTuple):
    """The parts of an event that repeat; `stored` are its properties as the table has them."""

    event_type: str
    user_id: str | None
    session_id: str | None
    rest: bytes
    stored: bytes


def yesterday() -> datetime:
    """A day that is over: no run meets its midnight, and no event lies in the future."""
    today = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    return today - timedelta(days=1)


class Pool:
    """Events in order of time; each taking goes on where the last one ended."""

    def __init__(self, seed: int = 25, start: datetime | None = None, per_second: float = 50_000.0) -> None:
        self.random = random.Random(seed)
        self.now = microseconds(start or yesterday())
        self.step = SECOND / per_second
        self.taken = 0

    @cached_property
    def samples(self) -> list[Sample]:
        world = World(seed=25, start=microseconds(yesterday()), rate=RATE)
        return [_sample(item.envelope) for item in islice(world.events(), SIZE)]

    def take(self, count: int) -> Iterator[tuple[str, str, Sample]]:
        """Ids, times and samples, from which events are made."""
        samples, step = self.samples, self.step
        for _ in range(count):
            self.now += max(1, round(self.random.expovariate(1 / step)))
            yield uuid7(self.now, self.random), rfc3339(self.now), samples[self.taken % SIZE]
            self.taken += 1

    def envelopes(self, count: int) -> list[bytes]:
        """As they are in Kafka or in the body of a request."""
        return [
            b'{"id":"%s","timestamp":"%s",%s' % (id_.encode(), time.encode(), sample.rest)
            for id_, time, sample in self.take(count)
        ]

    def copy_lines(self, count: int) -> list[bytes]:
        """As COPY takes them (see `raw_copy.STATEMENT`): what storing `envelopes` comes to."""
        return [
            b"%s\t1\t%s\t%s\t%s\t%s\t%s"
            % (
                *(time.encode(), id_.encode(), sample.event_type.encode()),
                *(_field(sample.user_id), _field(sample.session_id), sample.stored),
            )
            for id_, time, sample in self.take(count)
        ]


def _sample(envelope: dict[str, object]) -> Sample:
    rest = {name: value for name, value in envelope.items() if name not in ("id", "timestamp")}
    stored = {**envelope["properties"], "source": envelope["source"]}  # type: ignore[dict-item]
    return Sample(
        str(envelope["event_type"]),
        envelope.get("user_id"),  # type: ignore[arg-type]
        envelope.get("session_id"),  # type: ignore[arg-type]
        orjson.dumps(rest)[1:],
        orjson.dumps(stored).replace(b"\\", b"\\\\"),
    )


def _field(value: str | None) -> bytes:
    return b"\\N" if value is None else value.encode()
