"""Each request has an id: the caller's, if it is a sane one, else a new one; answers carry it back."""

import re
import uuid
from collections.abc import Callable

from django.http import HttpRequest, HttpResponse

from analytics_project.lib.logs import context_id

SANE_ID = re.compile(r"[\x21-\x7e]{1,128}")


class RequestIdMiddleware:
    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        given = request.headers.get("X-Request-ID", "")
        request_id = given if SANE_ID.fullmatch(given) else str(uuid.uuid4())
        token = context_id.set(request_id)
        try:
            response = self.get_response(request)
        finally:
            context_id.reset(token)
        response["X-Request-ID"] = request_id
        return response
