"""How the API says no: one body shape for every refusal, and never a stack trace."""

from collections.abc import Mapping
from typing import Any, NamedTuple

from django.core.exceptions import PermissionDenied
from django.db import InterfaceError, OperationalError
from django.http import Http404
from psycopg.errors import QueryCanceled
from rest_framework import exceptions
from rest_framework.response import Response

RETRY_AFTER = "5"
AWAY = {
    "error": "Database unavailable",
    "details": "PostgreSQL cannot be reached; try again: an id is stored only once",
}
TOO_SLOW = {
    "error": "Query took too long",
    "details": "ask for a shorter window (start_time, end_time) or filter by event_type, user_id or session_id",
}
TITLES: Mapping[int, str] = {
    400: "Bad request",
    401: "Authentication required",
    403: "Insufficient permissions",
    404: "Not found",
    405: "Method not allowed",
    406: "Not acceptable",
    413: "Body too large",
    415: "Unsupported content type",
    429: "rate limit exceeded",
}


class Reply(NamedTuple):
    status: int
    body: dict[str, Any]
    headers: dict[str, str]


class ApiError(Exception):
    """A request that cannot be answered; `extra` are further keys of the body."""

    def __init__(self, status: int, error: str, details: str, **extra: object) -> None:
        super().__init__(f"{error}: {details}")
        self.status = status
        self.body = {"error": error, "details": details, **extra}
        self.headers: dict[str, str] = {}


class BadRequest(ApiError):
    def __init__(self, error: str, details: str, **extra: object) -> None:
        super().__init__(400, error, details, **extra)


class TooLarge(ApiError):
    def __init__(self, details: str) -> None:
        super().__init__(413, "Body too large", details)


class UnsupportedEncoding(ApiError):
    def __init__(self, encoding: str) -> None:
        super().__init__(415, "Unsupported content encoding", f"{encoding[:64]!r}; send gzip or no encoding")
        self.headers["Accept-Encoding"] = "gzip, identity"


def handle(error: Exception, context: Mapping[str, Any]) -> Response | None:
    """DRF's exception handler; None leaves an unexpected error to Django's own."""
    reply = reply_to(error)
    return None if reply is None else Response(reply.body, status=reply.status, headers=reply.headers)


def reply_to(error: Exception) -> Reply | None:
    if isinstance(error, ApiError):
        return Reply(error.status, error.body, error.headers)
    if isinstance(error, (OperationalError, InterfaceError)):
        return Reply(*outage(error))
    if isinstance(error, Http404):
        error = exceptions.NotFound()
    elif isinstance(error, PermissionDenied):
        error = exceptions.PermissionDenied()
    if isinstance(error, exceptions.APIException):
        return _from_framework(error)
    return None


def outage(error: Exception) -> tuple[int, dict[str, str], dict[str, str]]:
    """Status, body and headers for a database that does not answer, or not in time."""
    if isinstance(error.__cause__, QueryCanceled):
        return 504, TOO_SLOW, {}
    return 503, AWAY, {"Retry-After": RETRY_AFTER}


def _from_framework(error: exceptions.APIException) -> Reply:
    wait = getattr(error, "wait", None)
    headers = {} if wait is None else {"Retry-After": str(int(wait))}
    body = {"error": TITLES.get(error.status_code, "Request failed"), "details": str(error.detail)}
    return Reply(error.status_code, body, headers)
