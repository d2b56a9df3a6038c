"""Answers kept in Redis for a while. Without Redis they are computed: slower, never wrong.

Keys hold the version of the data that an answer was made from, so nothing is ever deleted: what is
outdated is not asked for any more, and goes by its time.
"""

import hashlib
import heapq
import logging
import threading
import time
from collections import OrderedDict
from dataclasses import dataclass, field
from typing import Any

from django.core.cache import cache
from django_redis import get_redis_connection
from redis.exceptions import RedisError

from events.instruments import CACHE_HITS, CACHE_MISSES

logger = logging.getLogger(__name__)

# After a failure nobody waits for Redis for so long.
AWAY_SECONDS = 5.0
MAX_BODY = 8 * 2**20
# Of one process, at a time: the cache may share its server with the queue, which must not run full.
MAX_KEPT = 64 * 2**20
MAX_NEAR = 24 * 2**20


def key(*parts: object) -> str:
    """Equal for equal parts, whose text says all there is to them."""
    return hashlib.sha256(repr(parts).encode()).hexdigest()


@dataclass
class _Budget:
    """What this process has in Redis at the moment: (until when, bytes) of each body, the soonest first."""

    kept: list[tuple[float, int]] = field(default_factory=list)
    total: int = 0
    lock: threading.Lock = field(default_factory=threading.Lock)

    def take(self, size: int, seconds: float, now: float) -> bool:
        with self.lock:
            while self.kept and self.kept[0][0] <= now:
                self.total -= heapq.heappop(self.kept)[1]
            if self.total + size > MAX_KEPT:
                return False
            heapq.heappush(self.kept, (now + seconds, size))
            self.total += size
            return True


class _Near:
    """Bodies kept in this process, those not used for longest going first: Redis takes milliseconds for large ones."""

    def __init__(self) -> None:
        self.bodies: OrderedDict[str, tuple[float, bytes]] = OrderedDict()
        self.size = 0
        self.lock = threading.Lock()

    def get(self, key: str, now: float) -> bytes | None:
        with self.lock:
            until, body = self.bodies.get(key, (0.0, None))
            if body is None or until <= now:
                return None
            self.bodies.move_to_end(key)
            return body

    def put(self, key: str, body: bytes, until: float) -> None:
        with self.lock:
            self.size += len(body) - len(self.bodies.pop(key, (0.0, b""))[1])
            self.bodies[key] = (until, body)
            while self.size > MAX_NEAR:
                _, (_, gone) = self.bodies.popitem(last=False)
                self.size -= len(gone)

    def clear(self) -> None:
        with self.lock:
            self.bodies.clear()
            self.size = 0


class Shelf:
    """One kind of answers; its hits and misses are counted under its name."""

    _away_until = 0.0
    _budget = _Budget()
    near = _Near()

    def __init__(self, name: str) -> None:
        self.name = name
        self.hits, self.misses = CACHE_HITS.labels(name), CACHE_MISSES.labels(name)

    def get(self, key: str, seconds: float = 0.0) -> bytes | None:
        """`seconds`: how long this process may keep what another one put there."""
        now = time.monotonic()
        found = Shelf.near.get(f"{self.name}:{key}", now)
        if found is None:
            found = self._ask(key)
            if found is not None and seconds:
                Shelf.near.put(f"{self.name}:{key}", found, now + seconds)
        (self.misses if found is None else self.hits).inc()
        return found

    def put(self, key: str, body: bytes, seconds: float) -> None:
        if len(body) <= MAX_BODY:
            Shelf.near.put(f"{self.name}:{key}", body, time.monotonic() + seconds)
        if len(body) > MAX_BODY or self._is_away() or not Shelf._budget.take(len(body), seconds, time.monotonic()):
            return
        try:
            self._redis().set(self._place(key), body, px=round(seconds * 1000))
        except (RedisError, OSError) as error:
            self._gone(error)

    def _ask(self, key: str) -> bytes | None:
        if self._is_away():
            return None
        try:
            found: bytes | None = self._redis().get(self._place(key))
        except (RedisError, OSError) as error:
            self._gone(error)
            return None
        return found

    def _redis(self) -> Any:
        # Bodies are bytes already; Django's own interface would look whether they are numbers, and serialise them.
        return get_redis_connection("default")

    def _place(self, key: str) -> str:
        place: str = cache.make_key(f"{self.name}:{key}")
        return place

    def _is_away(self) -> bool:
        return time.monotonic() < Shelf._away_until

    def _gone(self, error: Exception) -> None:
        Shelf._away_until = time.monotonic() + AWAY_SECONDS
        logger.warning("The cache does not answer, doing without it for %.0f s: %s", AWAY_SECONDS, error)
