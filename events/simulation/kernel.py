"""The clock of the simulation: who acts when, and how often.

Everything that lives is a process: a generator that acts, then yields the microseconds it sleeps.
"""

from collections.abc import Callable, Generator, Iterator
from heapq import heappop, heappush
from itertools import count
from random import Random
from typing import Any, NamedTuple

from events.simulation.identity import SECOND, rfc3339, uuid7

Process = Generator[int, None, None]
Properties = dict[str, Any]

SOURCES = {
    "order": "order-execution",
    "strategy": "strategy-engine",
    "signal": "strategy-engine",
    "market": "market-data",
    "risk": "risk-manager",
    "alert": "risk-manager",
    "config": "configuration",
    "user": "auth",
    "page": "web-ui",
    "button": "web-ui",
    "web": "web-ui",
}
# Positions, balances and profits are all watched by one service.
OTHER_SOURCE = "account-monitor"


class Simulated(NamedTuple):
    """An envelope and the moment of the simulated clock at which it is due."""

    at: int
    envelope: dict[str, Any]


class Kernel:
    """One clock, one source of chance, one way out for events."""

    def __init__(self, *, seed: int, start: int, rate: float) -> None:
        self.random = Random(seed)
        self.start_time = start
        self.now = start
        self.rate = rate
        self.emitted = 0
        # Added to the timestamps when a live run had to skip time.
        self.skipped = 0
        self._sequence = count()
        self._sleeping: list[tuple[int, int, Process]] = []
        self._ready: list[Simulated] = []

    def emit(
        self,
        event_type: str,
        properties: Properties,
        *,
        user_id: str | None = None,
        session_id: str | None = None,
    ) -> None:
        at = self.now + self.skipped
        envelope: dict[str, Any] = {
            "id": uuid7(at, self.random),
            "event_type": event_type,
            "source": SOURCES.get(event_type.partition(".")[0], OTHER_SOURCE),
        }
        if user_id is not None:
            envelope["user_id"] = user_id
        if session_id is not None:
            envelope["session_id"] = session_id
        envelope["timestamp"] = rfc3339(at)
        envelope["properties"] = properties
        self.emitted += 1
        self._ready.append(Simulated(at, envelope))

    def start(self, process: Process, after: int = 0) -> None:
        heappush(self._sleeping, (self.now + after, next(self._sequence), process))

    def gap(self, share: float) -> int:
        """How long until the next action of a kind that makes up `share` of all events."""
        return int(self.random.expovariate(self._tempo() * share) * SECOND)

    def steady_gap(self, share: float) -> int:
        """The same, never longer than one and a half times its mean."""
        return int(self.random.uniform(0.5, 1.5) / (self._tempo() * share) * SECOND)

    def repeat(self, action: Callable[[], None], share: float, *, steady: bool = False) -> None:
        """Start a process that does one thing over and over."""
        self.start(self._repeating(action, share, self.steady_gap if steady else self.gap))

    def _repeating(self, action: Callable[[], None], share: float, gap: Callable[[float], int]) -> Process:
        while True:
            yield gap(share)
            action()

    def _tempo(self) -> float:
        """Events a second at present: the rate, faster or slower until the count is where it should be."""
        missing = self.rate * (self.now - self.start_time) / SECOND - self.emitted
        horizon = max(self.rate / 2, 20.0)
        return self.rate * min(4.0, max(0.25, 1 + missing / horizon))

    def run(self) -> Iterator[Simulated]:
        """Every event in order of time, without end."""
        sleeping = self._sleeping
        while sleeping:
            self.now, _, process = heappop(sleeping)
            pause = next(process, None)
            if pause is not None:
                heappush(sleeping, (self.now + pause, next(self._sequence), process))
            yield from self._ready
            self._ready.clear()
