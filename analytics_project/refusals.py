"""What Django itself refuses: JSON for the API, a short page for people, never a stack trace."""

import html
import sys

from django.db import InterfaceError, OperationalError
from django.http import HttpRequest, HttpResponse

from events.api.errors import outage
from events.api.renderers import dumps

PAGE = """<!doctype html><html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<title>{error}</title><style>body{{font:16px/1.5 system-ui,sans-serif;margin:15vh auto;max-width:34rem;padding:0 1rem;
color-scheme:light dark}}</style><h1>{error}</h1><p>{details}</p><p><a href="/">B25 Analytics</a></p></html>"""


def bad_request(request: HttpRequest, exception: Exception) -> HttpResponse:
    return _answer(request, 400, "Bad request", "the request is not well-formed")


def forbidden(request: HttpRequest, exception: Exception) -> HttpResponse:
    return _answer(request, 403, "Insufficient permissions", "not allowed")


def not_found(request: HttpRequest, exception: Exception) -> HttpResponse:
    hint = "; addresses have no slash at the end" if request.path.endswith("/") else ""
    return _answer(request, 404, "Not found", f"nothing is at {request.path[:200]}{hint}")


def server_error(request: HttpRequest) -> HttpResponse:
    error = sys.exc_info()[1]
    if isinstance(error, (OperationalError, InterfaceError)):
        status, body, headers = outage(error)
        response = _answer(request, status, body["error"], body["details"])
        for name, value in headers.items():
            response[name] = value
        return response
    return _answer(request, 500, "Internal error", "our fault; the log has it under this answer's X-Request-ID")


def _answer(request: HttpRequest, status: int, error: str, details: str) -> HttpResponse:
    if "text/html" in request.headers.get("Accept", "") and not request.path.startswith("/api/"):
        page = PAGE.format(error=html.escape(error), details=html.escape(details))
        return HttpResponse(page, status=status)
    return HttpResponse(dumps({"error": error, "details": details}), status=status, content_type="application/json")
