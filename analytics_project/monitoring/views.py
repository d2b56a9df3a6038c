"""/health, /healthz and /ready, on the API's port and on the health port alike."""

from collections.abc import Callable

from django.http import HttpRequest, HttpResponse

from analytics_project.monitoring import health
from analytics_project.monitoring.requests import RequestFigures, log
from events.api.renderers import dumps

# Status and body, given this process's own figures of requests.
Reply = Callable[[RequestFigures | None], tuple[int, bytes]]


def health_reply(requests: RequestFigures | None) -> tuple[int, bytes]:
    """200 while events can be stored and read, even with something else missing; else 503."""
    verdict = health.verdict()
    return 200 if verdict.ready else 503, dumps(verdict.body(requests=requests))


def liveness_reply(requests: RequestFigures | None) -> tuple[int, bytes]:
    """200 while the process answers at all: restarting it does not mend a database."""
    return 200, dumps(health.verdict_at_once().body(requests=requests))


REPLIES: dict[str, Reply] = {
    "/health": health_reply,
    "/ready": health_reply,
    "/healthz": liveness_reply,
}


def show(request: HttpRequest) -> HttpResponse:
    status, body = REPLIES[request.path](log.figures())
    return HttpResponse(body, status=status, content_type="application/json", headers={"Cache-Control": "no-store"})
