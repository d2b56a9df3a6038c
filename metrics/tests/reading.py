"""Facts, rollups of them, and questions, for the tests of reading."""

from datetime import UTC, datetime, timedelta
from typing import Any

from django.test import Client

from events.tests.api import store
from metrics.rollups import engine

METRICS = "/api/v1/metrics"


def hour(back: int) -> datetime:
    """The start of an hour that is over."""
    return datetime.now(UTC).replace(minute=0, second=0, microsecond=0) - timedelta(hours=back)


def iso(moment: datetime) -> str:
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def put(client: Client, event_type: str, at: datetime, user_id: str | None = None, **properties: Any) -> None:
    """Store one event by the API."""
    more = {} if user_id is None else {"user_id": user_id}
    store(client, {"event_type": event_type, "timestamp": at.isoformat(), "properties": properties, **more})


def fill(client: Client, at: datetime, price: float, quantity: float = 1, **properties: Any) -> None:
    put(client, "order.filled", at, last_fill_price=price, last_fill_quantity=quantity, **properties)


def roll_up(now: datetime | None = None) -> None:
    while not engine.roll_up(now).finished:
        pass


def ask(client: Client, metric_name: str, **parameters: Any) -> Any:
    """The result of a question that must be answered."""
    response = client.get(METRICS, {"metric_name": metric_name, **_texts(parameters)})
    assert response.status_code == 200, response.content
    return response.json()["result"]


def values(client: Client, metric_name: str, **parameters: Any) -> list[Any]:
    return [point["value"] for point in ask(client, metric_name, **parameters)["data_points"]]


def refusal(client: Client, **parameters: Any) -> tuple[int, Any]:
    response = client.get(METRICS, _texts(parameters))
    return response.status_code, response.json()


def _texts(parameters: dict[str, Any]) -> dict[str, Any]:
    return {name: iso(value) if isinstance(value, datetime) else value for name, value in parameters.items()}
