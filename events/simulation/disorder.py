"""Make a clean stream look as it arrives in real life: some twice, some late, some out of order."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from heapq import heappop, heappush
from itertools import count, islice
from random import Random

from events.simulation.identity import SECOND
from events.simulation.kernel import Simulated

REPEATED_WITHIN = 30 * SECOND
LATE_FROM, LATE_TO = 5 * SECOND, 300 * SECOND
SHUFFLED_TOGETHER = 200


@dataclass(frozen=True)
class Disorder:
    """Fractions of all events; timestamps and ids stay as they are."""

    duplicates: float = 0.0
    late: float = 0.0
    shuffle: bool = False
    seed: int = 0

    def applied(self, events: Iterable[Simulated]) -> Iterator[Simulated]:
        """The same events, each due when it is sent; what is held back at the end follows at once."""
        if self.duplicates or self.late:
            events = self._delayed(events, Random(self.seed))
        return self._shuffled(events, Random(self.seed)) if self.shuffle else iter(events)

    def _delayed(self, events: Iterable[Simulated], random: Random) -> Iterator[Simulated]:
        held: list[tuple[int, int, Simulated]] = []
        sequence = count()
        last = 0
        for event in events:
            last = event.at
            while held and held[0][0] <= event.at:
                at, _, earlier = heappop(held)
                yield Simulated(at, earlier.envelope)
            if random.random() < self.duplicates:
                heappush(held, (event.at + random.randrange(REPEATED_WITHIN), next(sequence), event))
            if random.random() < self.late:
                heappush(held, (event.at + random.randrange(LATE_FROM, LATE_TO), next(sequence), event))
            else:
                yield event
        while held:
            yield Simulated(last, heappop(held)[2].envelope)

    def _shuffled(self, events: Iterable[Simulated], random: Random) -> Iterator[Simulated]:
        events = iter(events)
        while together := list(islice(events, SHUFFLED_TOGETHER)):
            mixed = random.sample(together, len(together))
            # The whole group is sent when the last of it is due, so that none is sent before it happened.
            yield from (Simulated(together[-1].at, event.envelope) for event in mixed)
