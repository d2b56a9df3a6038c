"""Events in and out over HTTP."""

from typing import Any

from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from rest_framework import status
from rest_framework.decorators import action
from rest_framework.exceptions import UnsupportedMediaType
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.utils.mediatypes import media_type_matches
from rest_framework.viewsets import ViewSet

from access.models import DEFAULT_PROJECT_ID
from events import store
from events.api import answers, parameters, queries
from events.api.bodies import read_body
from events.api.errors import ApiError, Reply, reply_to
from events.api.paging import Position
from events.api.parsers import BATCH_PARSERS, EventParser
from events.api.renderers import JSONRenderer, dumps
from events.api.together import store_one
from events.instruments import QUERY_DURATION


class EventViewSet(ViewSet):
    """Store events, one or many; read them back, newest first."""

    # Producers name events as they like: whatever is no slash.
    lookup_value_regex = "[^/]+"

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        """Through DRF, except for single events: what it does around one costs as much CPU as storing it."""
        if self._is_single(request) and not self._asks_who():
            return store_single(request)
        return super().dispatch(request, *args, **kwargs)

    def _is_single(self, request: HttpRequest) -> bool:
        is_create = request.method == "POST" and self.action_map.get("post") == "create"
        return is_create and request.content_type == EventParser.media_type and is_utf_8(request)

    def _asks_who(self) -> bool:
        """Whether DRF has a say in who may do this, and how often."""
        return bool(self.authentication_classes or self.permission_classes or self.throttle_classes)

    def create(self, request: Request) -> Response:
        [body] = read_events(request)
        return Response(answers.single(store_one(body)), status=status.HTTP_201_CREATED)

    @action(detail=False, methods=["post"], parser_classes=BATCH_PARSERS)
    def batch(self, request: Request) -> Response:
        bodies = read_events(request)
        return Response(answers.batch(store.store_http(bodies) if bodies else []))

    def list(self, request: Request) -> Response:
        question = parameters.read_question(request.query_params)
        with QUERY_DURATION.labels("events").time():
            # One more than asked for tells whether there is another page.
            rows = queries.newest(
                DEFAULT_PROJECT_ID,
                question.window,
                question.filters,
                limit=question.limit + 1,
                after=question.after,
            )
        page = rows[: question.limit]
        more = len(rows) > len(page)
        return Response(
            {
                "events": [answers.event(row) for row in page],
                "count": len(page),
                "start_time": question.window.start,
                "end_time": question.window.end,
                "next_cursor": question.cursor(Position(page[-1][5], page[-1][0])) if more else None,
            }
        )

    def retrieve(self, request: Request, pk: str) -> Response:
        given = parameters.read_given(request.query_params, ("timestamp", "source"))
        timestamp = parameters.read_time("timestamp", given["timestamp"]) if "timestamp" in given else None
        event_id = parameters.read_id(pk, given.get("source"))
        with QUERY_DURATION.labels("event").time():
            row = queries.find(DEFAULT_PROJECT_ID, event_id, timestamp)
        if row is None:
            raise ApiError(404, "Event not found", f"no event has the id {pk[:64]!r}, or not at that time")
        return Response(answers.event(row))


def store_single(request: HttpRequest) -> HttpResponse:
    """As `create`, with the answers that DRF would give."""
    try:
        reply = Reply(status.HTTP_201_CREATED, answers.single(store_one(read_body(request))), {})
    except Exception as error:
        refusal = reply_to(error)
        if refusal is None:
            raise
        reply = refusal
    return HttpResponse(dumps(reply.body), JSONRenderer.media_type, reply.status, headers=reply.headers)


def read_events(request: Request) -> list[bytes]:
    """The raw events of the body. DRF's own way would not see a body without Content-Length."""
    parsers = [parser for parser in request.parsers or () if isinstance(parser, EventParser)]
    for parser in parsers:
        if media_type_matches(parser.media_type, request.content_type) and is_utf_8(request._request):
            return parser.split(read_body(request._request))
    allowed = ", ".join(parser.media_type for parser in parsers)
    raise UnsupportedMediaType(request.content_type, f"send {allowed} in UTF-8")


def is_utf_8(request: HttpRequest) -> bool:
    return (request.content_params or {}).get("charset", "utf-8").lower() in ("utf-8", "utf8")
