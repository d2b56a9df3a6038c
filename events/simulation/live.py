"""Send a simulated stream to Kafka as fast as its clock says, and no faster."""

import logging
import time
from collections.abc import Callable, Iterator

from events.kafka.outbox import Outbox
from events.kafka.outgoing import outgoing
from events.simulation.identity import SECOND
from events.simulation.kernel import Simulated

logger = logging.getLogger(__name__)

# Later than this, a live stream skips the time that it missed instead of sending old events in a burst.
TOLERATED = 2.0
NAP = 0.05
LOOK_EVERY = 1.0
TELL_EVERY = 60.0


class Live:
    """One run. It waits for the clock, for the brokers, and while the broker's memory is full."""

    def __init__(
        self,
        outbox: Outbox,
        *,
        stopping: Callable[[], bool],
        speed: float = 1.0,
        skip: Callable[[int], None] | None = None,
        broker_is_full: Callable[[], bool] = lambda: False,
    ) -> None:
        """`skip` moves the simulated clock ahead, in microseconds; without it the stream is sent as it is."""
        self.outbox = outbox
        self.sent = 0
        self.skipped = 0.0
        self._speed = speed
        self._skip = skip
        self._broker_is_full = broker_is_full
        self._stopping = stopping
        self._looked_at = self._told_at = time.monotonic()

    def run(self, events: Iterator[Simulated], *, start: int) -> None:
        """Send until the stream ends or `stopping` says so. `start` is what its clock says now."""
        began = time.monotonic()
        for event in events:
            self._await(began + (event.at - start) / SECOND / self._speed)
            if self._stopping():
                return
            self.sent += self.outbox.send(outgoing(event.envelope))

    def _await(self, due: float) -> None:
        self._look_around()
        while not self._stopping():
            ahead = due - time.monotonic()
            if ahead < -TOLERATED and self._skip is not None:
                self.skipped -= ahead
                self._skip(int(-ahead * self._speed * SECOND))
                return
            # Shorter naps than a millisecond cost more than being early by one.
            if ahead < 0.001:
                return
            time.sleep(min(ahead, NAP))

    def _look_around(self) -> None:
        """Now and then: tell how it goes, and stop while the embedded broker is full."""
        now = time.monotonic()
        if now - self._told_at >= TELL_EVERY:
            self._told_at = now
            logger.info("%d events sent, %d on their way", self.sent, self.outbox.in_flight)
            if self.skipped > 1:
                logger.warning("%.0f s were skipped so far, the rate could not be kept", self.skipped)
        if now - self._looked_at >= LOOK_EVERY:
            self._looked_at = now
            if self._broker_is_full():
                self._pause()

    def _pause(self) -> None:
        logger.error(
            "PAUSED: the embedded Kafka broker is at its memory limit and never frees any; "
            "`manage.py services recycle` empties it"
        )
        while not self._stopping() and self._broker_is_full():
            time.sleep(10 * NAP)
        if not self._stopping():
            logger.warning("The broker has room again, going on")
