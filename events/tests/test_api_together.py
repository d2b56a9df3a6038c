import threading
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

import pytest

from events.api import together
from events.api.together import Together
from events.store import Outcome


class SlowStore:
    """Takes its time, as a disk does, and remembers what came together."""

    def __init__(self) -> None:
        self.batches: list[list[bytes]] = []
        self.broken = threading.Event()

    def __call__(self, bodies: Sequence[bytes]) -> list[Outcome]:
        self.batches.append(list(bodies))
        time.sleep(0.02)
        if self.broken.is_set():
            raise ZeroDivisionError
        return [Outcome("stored", event_id=body.decode()) for body in bodies]


@pytest.fixture
def store(monkeypatch: pytest.MonkeyPatch) -> SlowStore:
    slow = SlowStore()
    monkeypatch.setattr(together, "store_http", slow)
    return slow


def test_each_request_gets_the_outcome_of_its_own_event(store: SlowStore) -> None:
    bodies = [str(number).encode() for number in range(40)]

    with ThreadPoolExecutor(8) as pool:
        outcomes = list(pool.map(Together().store, bodies))

    assert [outcome.event_id for outcome in outcomes] == [body.decode() for body in bodies]
    assert sorted(body for batch in store.batches for body in batch) == sorted(bodies)


def test_requests_that_wait_are_stored_together(store: SlowStore) -> None:
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(Together().store, [b"x"] * 8))

    assert len(store.batches) <= 4


def test_a_stored_request_does_not_wait_for_the_next_batch(monkeypatch: pytest.MonkeyPatch) -> None:
    first, second = threading.Event(), threading.Event()

    def store(bodies: Sequence[bytes]) -> list[Outcome]:
        (second if b"late" in bodies else first).wait(5)
        return [Outcome("stored")] * len(bodies)

    monkeypatch.setattr(together, "store_http", store)
    shared = Together()
    with ThreadPoolExecutor(2) as pool:
        early = pool.submit(shared.store, b"early")
        time.sleep(0.05)
        late = pool.submit(shared.store, b"late")
        time.sleep(0.05)
        first.set()

        assert early.result(1).status == "stored"
        assert not late.done()
        second.set()


def test_a_lone_request_does_not_wait(store: SlowStore) -> None:
    single = Together()
    single.store(b"x")

    single.store(b"y")

    assert store.batches == [[b"x"], [b"y"]]


def test_a_failed_batch_fails_each_of_its_requests_and_no_later_one(store: SlowStore) -> None:
    shared = Together()
    store.broken.set()
    with ThreadPoolExecutor(8) as pool:
        failures = [pool.submit(shared.store, b"x") for _ in range(8)]
    assert all(isinstance(failure.exception(5), ZeroDivisionError) for failure in failures)

    store.broken.clear()

    assert shared.store(b"later").status == "stored"
