"""Events that carry a number, so that each can be found again, lost ones and doubles too."""

import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from types import TracebackType
from uuid import uuid4

from django.db import connection

from tests.pipeline import Pipeline

PAUSE = 0.05
BACKLOG = 20_000


def numbered(number: int) -> bytes:
    event = {
        "id": str(uuid4()),
        "event_type": "e2e.numbered",
        "user_id": f"user-{number % 97}",
        "timestamp": datetime.now(UTC).isoformat(),
        "properties": {"number": number, "price": "61800.30", "note": "as long as real events are, about" * 2},
    }
    return json.dumps(event).encode()


def stored_numbers() -> tuple[int, int]:
    """How many numbered events are stored, and how many different numbers they have."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*), count(DISTINCT properties -> 'number') FROM events")
        rows, numbers = cursor.fetchone()
        return rows, numbers


def received_and_stored(pipeline: Pipeline) -> tuple[int, int]:
    """What the figures of the committed batches say of the pipeline's topics."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT coalesce(sum(received), 0), coalesce(sum(stored), 0) FROM ingest_batches WHERE topic = ANY(%s)",
            [pipeline.topics],
        )
        received, stored = cursor.fetchone()
        return int(received), int(stored)


def assert_each_once(pipeline: Pipeline, count: int) -> None:
    """Nothing lost, nothing doubled, and the figures say the same."""
    assert stored_numbers() == (count, count)
    assert received_and_stored(pipeline) == (count, count)


class Load:
    """Numbered events at a steady rate, sent by a thread for as long as the block lasts."""

    def __init__(self, pipeline: Pipeline, *, rate: int = 2000) -> None:
        self.pipeline = pipeline
        self.each = round(rate * PAUSE)
        self.sent = 0
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="load")
        self._error: Exception | None = None

    def send(self, count: int) -> None:
        self.pipeline.send(numbered(self.sent + number) for number in range(count))
        self.sent += count

    def wait_for_more(self, count: int) -> None:
        """Until so many more events were sent."""
        goal = self.sent + count
        self.pipeline.wait(lambda: self.sent >= goal or self._error, f"{goal} events sent")

    def _run(self) -> None:
        try:
            while not self._stop.is_set():
                began = time.monotonic()
                self.send(self.each)
                self._stop.wait(max(0.0, PAUSE - (time.monotonic() - began)))
        except Exception as error:  # noqa: BLE001 - told by the test's own thread
            self._error = error

    def __enter__(self) -> "Load":
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stop.set()
        self._thread.join()
        if self._error and error is None:
            raise self._error


@contextmanager
def under_load(pipeline: Pipeline) -> Iterator[Load]:
    """A backlog is worked off while events keep coming; after the block each must be stored once."""
    load = Load(pipeline)
    load.send(BACKLOG)
    with load:
        yield load
    pipeline.wait_until_done()
    assert_each_once(pipeline, load.sent)
