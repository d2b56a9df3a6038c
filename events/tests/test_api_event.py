import uuid

import pytest
import uuid_utils
from django.test import Client

from events.api.queries import time_of
from events.tests.api import EVENTS, ago, read, store

pytestmark = pytest.mark.django_db


def uuid7() -> str:
    return str(uuid_utils.uuid7())


@pytest.mark.parametrize("age", [{"minutes": 0}, {"minutes": 30}, {"days": 40}])
@pytest.mark.parametrize("make_id", [uuid7, lambda: str(uuid.uuid4())])
def test_an_event_is_found_by_its_id(client: Client, make_id: object, age: dict[str, float]) -> None:
    event_id = make_id()  # type: ignore[operator]
    store(client, {"event_type": "wanted", "id": event_id, "timestamp": ago(**age)}, {"event_type": "other"})

    response = client.get(f"{EVENTS}/{event_id}")

    assert response.status_code == 200
    assert response.json()["event_type"] == "wanted"


def test_it_is_the_same_as_in_the_list(client: Client) -> None:
    [result] = store(client, {"event_type": "a", "user_id": "u", "properties": {"x": [1, {"y": "z"}]}})

    assert client.get(f"{EVENTS}/{result['event_id']}").json() == read(client).json()["events"][0]


def test_a_timestamp_picks_one_of_several_events_with_an_id(client: Client) -> None:
    event_id, older, newer = uuid7(), ago(minutes=2), ago(minutes=1)
    store(client, {"event_type": "older", "id": event_id, "timestamp": older})
    store(client, {"event_type": "newer", "id": event_id, "timestamp": newer})

    assert client.get(f"{EVENTS}/{event_id}").json()["event_type"] == "newer"
    assert client.get(f"{EVENTS}/{event_id}", {"timestamp": older}).json()["event_type"] == "older"
    assert client.get(f"{EVENTS}/{event_id}", {"timestamp": ago(minutes=3)}).status_code == 404


@pytest.mark.parametrize("given", ["ord-1", "a.b", "17", "ünï code", "x" * 255])
def test_an_id_that_is_no_uuid_is_found_as_it_was_sent(client: Client, given: str) -> None:
    store(client, {"event_type": "a", "id": given})

    response = client.get(f"{EVENTS}/{given}")

    assert response.status_code == 200


def test_ids_of_two_sources_are_two_events(client: Client) -> None:
    store(client, {"event_type": "a", "id": "1", "source": "x"}, {"event_type": "b", "id": "1", "source": "y"})

    assert client.get(f"{EVENTS}/1", {"source": "y"}).json()["event_type"] == "b"
    assert client.get(f"{EVENTS}/1").status_code == 404


@pytest.mark.parametrize(
    "event_id", [str(uuid.uuid4()), uuid7(), "ffffffff-ffff-7fff-bfff-ffffffffffff", "nothing", str(uuid.UUID(int=0))]
)
def test_an_unknown_id_is_not_found(client: Client, event_id: str) -> None:
    response = client.get(f"{EVENTS}/{event_id}")

    assert response.status_code == 404
    assert response.json()["error"] == "Event not found"


@pytest.mark.parametrize(
    ("parameters", "error"),
    [
        ({"timestamp": "noon"}, "Invalid timestamp format"),
        ({"limit": "1"}, "Unknown parameter"),
        ({"source": "\0"}, "Invalid parameter"),
    ],
)
def test_a_wrong_parameter_is_refused(client: Client, parameters: dict[str, str], error: str) -> None:
    response = client.get(f"{EVENTS}/{uuid7()}", parameters)

    assert response.status_code == 400
    assert response.json()["error"] == error


def test_an_id_that_is_too_long_is_refused(client: Client) -> None:
    assert client.get(f"{EVENTS}/{'x' * 256}").json()["error"] == "Invalid id"


def test_only_a_uuid7_tells_a_time() -> None:
    moment = time_of(uuid.UUID("01941f29-7c00-7000-8000-000000000000"))

    assert moment is not None
    assert moment.isoformat() == "2025-01-01T00:00:00+00:00"
    assert time_of(uuid.uuid4()) is None
    assert time_of(uuid.UUID("ffffffff-ffff-7fff-bfff-ffffffffffff")) is None
