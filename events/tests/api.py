"""Short ways to speak to the API in tests."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any

from django.test import Client

EVENTS = "/api/v1/events"
BATCH = "/api/v1/events/batch"


def post(client: Client, body: Any, path: str = EVENTS, content_type: str = "application/json", **extra: Any) -> Any:
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    # Django's client leaves the type out of a request without a body.
    return client.post(path, raw, content_type=content_type, CONTENT_TYPE=content_type, **extra)


def store(client: Client, *events: dict[str, Any]) -> list[dict[str, Any]]:
    """Store events, all of which must be accepted; answers the results."""
    response = post(client, list(events), BATCH)
    answer = response.json()
    assert answer["stored"] == len(events), answer
    results: list[dict[str, Any]] = answer["results"]
    return results


def read(client: Client, **parameters: Any) -> Any:
    return client.get(EVENTS, parameters)


def ago(**length: float) -> str:
    """A time that long ago, as RFC 3339."""
    return (datetime.now(UTC) - timedelta(**length)).isoformat().replace("+00:00", "Z")
