"""Single events of concurrent requests share a transaction.

A commit waits for the disk, and most of its other cost does not depend on the number of rows.
The first request to come stores at once; those that come meanwhile are stored together next.
"""

import threading
import time
from dataclasses import dataclass

from django.conf import settings

from events.store import Outcome, store_http

LINGER = 0.0007  # seconds


@dataclass(slots=True, eq=False)
class _Waiting:
    body: bytes
    outcome: Outcome | None = None
    error: BaseException | None = None


class Together:
    """One transaction at a time for each process; as many events in it as wait for one."""

    def __init__(self) -> None:
        self._waiting: list[_Waiting] = []
        self._adding = threading.Lock()
        self._storing = threading.Lock()
        self._crowd = 1

    def store(self, body: bytes) -> Outcome:
        """Store one event and return when it is durable. Raises what made its batch fail."""
        mine = _Waiting(body)
        with self._adding:
            self._waiting.append(mine)
        with self._storing:
            # Whoever held the lock before may have stored it along with its own.
            while mine.outcome is None and mine.error is None:
                self._store_waiting()
        if mine.outcome is None:
            raise mine.error or AssertionError("neither stored nor failed")
        return mine.outcome

    def _store_waiting(self) -> None:
        limit = settings.CONFIG.analytics.ingestion.max_batch_events
        if self._crowd > 1:
            # The others of the last batch are likely on their way again; one that is alone never waits.
            time.sleep(LINGER)
        with self._adding:
            batch, self._waiting = self._waiting[:limit], self._waiting[limit:]
        self._crowd = len(batch)
        try:
            for waiting, outcome in zip(batch, store_http([waiting.body for waiting in batch]), strict=True):
                waiting.outcome = outcome
        except BaseException as error:  # noqa: BLE001 - each request of the batch raises it for itself
            for waiting in batch:
                waiting.error = error


_together = Together()


def store_one(body: bytes) -> Outcome:
    return _together.store(body)
