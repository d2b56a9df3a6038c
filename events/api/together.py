"""Single events of concurrent requests share a transaction.

A commit waits for the disk, and most of its other cost does not depend on the number of rows.
The first request to come stores at once; those that come meanwhile are stored together next.
"""

import threading
from dataclasses import dataclass, field

from django.conf import settings

from events.store import Outcome, store_http

# Seconds, at most; no more than a transaction takes, which is what waiting for one more request saves.
LINGER = 0.002


@dataclass(slots=True, eq=False)
class _Waiting:
    """One request. `news` is set once: when its event is stored or failed, or it is its turn to store."""

    body: bytes
    news: threading.Event = field(default_factory=threading.Event)
    outcome: Outcome | None = None
    error: BaseException | None = None


class Together:
    """One transaction at a time for each process; as many events in it as wait for one."""

    def __init__(self) -> None:
        self._waiting: list[_Waiting] = []
        self._arrival = threading.Condition()
        self._storing = False
        self._crowd = 1  # how many requests there were lately

    def store(self, body: bytes) -> Outcome:
        """Store one event and return when it is durable. Raises what made its batch fail."""
        mine = _Waiting(body)
        with self._arrival:
            self._waiting.append(mine)
            self._arrival.notify()
            first, self._storing = not self._storing, True
        if not first:
            # Each waits for itself: behind one lock, those already stored would wait for the next batch, too.
            mine.news.wait()
        if mine.outcome is None and mine.error is None:
            self._store_waiting()
        if mine.outcome is None:
            raise mine.error or AssertionError("neither stored nor failed")
        return mine.outcome

    def _store_waiting(self) -> None:
        limit = settings.CONFIG.analytics.ingestion.max_batch_events
        with self._arrival:
            # Those of the last batch are likely on their way again; one that is alone never waits.
            self._arrival.wait_for(lambda: len(self._waiting) >= self._crowd, LINGER)
            batch, self._waiting = self._waiting[:limit], self._waiting[limit:]
        try:
            for waiting, outcome in zip(batch, store_http([waiting.body for waiting in batch]), strict=True):
                waiting.outcome = outcome
        except BaseException as error:  # noqa: BLE001 - each request of the batch raises it for itself
            for waiting in batch:
                waiting.error = error
        with self._arrival:
            self._crowd = min(limit, len(batch) + len(self._waiting))
            self._storing = bool(self._waiting)
            next_to_store = self._waiting[:1]
        for waiting in next_to_store + batch:
            waiting.news.set()


_together = Together()


def store_one(body: bytes) -> Outcome:
    return _together.store(body)
