"""The figures of this process's HTTP requests: count, errors, latency, how many are in progress."""

import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

from django.http import HttpRequest, HttpResponse

from events.instruments import ACTIVE_CONNECTIONS

REMEMBERED = 4096
# Probes and the live page ask every second: they would drown what users see.
UNCOUNTED = ("/health", "/ready", "/static/", "/api/v1/internal/overview")


@dataclass(frozen=True)
class RequestFigures:
    """Of the last some thousand requests: share of 5xx answers, and latencies in milliseconds."""

    count: int
    error_rate: float
    p50: float
    p95: float
    p99: float


class RequestLog:
    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._count = 0
        self._recent: deque[tuple[float, bool]] = deque(maxlen=REMEMBERED)

    def add(self, seconds: float, *, failed: bool) -> None:
        with self._lock:
            self._count += 1
            self._recent.append((seconds, failed))

    def figures(self) -> RequestFigures:
        with self._lock:
            count, recent = self._count, list(self._recent)
        if not recent:
            return RequestFigures(count, 0.0, 0.0, 0.0, 0.0)
        failed = sum(failed for _, failed in recent)
        latencies = sorted(seconds for seconds, _ in recent)
        ranks = [round(1000 * latencies[int(share * (len(latencies) - 1))], 3) for share in (0.5, 0.95, 0.99)]
        return RequestFigures(count, round(failed / len(recent), 6), *ranks)


log = RequestLog()


class RequestFiguresMiddleware:
    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        if request.path.startswith(UNCOUNTED):
            return self.get_response(request)
        started = time.perf_counter()
        with ACTIVE_CONNECTIONS.track_inprogress():
            response = self.get_response(request)
        log.add(time.perf_counter() - started, failed=response.status_code >= 500)
        return response
