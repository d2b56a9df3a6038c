import base64
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any
from uuid import UUID, uuid4

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from events import partitions
from events.api.paging import Cursor, Position, encode, fingerprint
from events.api.queries import Filters
from events.tests.api import ago, read, store

pytestmark = pytest.mark.django_db


def walk(client: Client, **parameters: Any) -> Iterator[dict[str, Any]]:
    """The events of all pages."""
    cursor = ""
    while True:
        answer = read(client, **parameters, cursor=cursor).json()
        yield from answer["events"]
        cursor = answer["next_cursor"]
        if cursor is None:
            return


def insert(count: int, moment: str, event_type: str = "'tie'", step: str = "0 s") -> None:
    """Many events, past the write path."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT (%s::timestamptz AT TIME ZONE 'UTC')::date", [moment])
        partitions.create(cursor.fetchone()[0])
        cursor.execute(
            'INSERT INTO events ("timestamp", project_id, id, event_type)'
            f" SELECT %s::timestamptz - n * %s::interval, 1, gen_random_uuid(), {event_type}"
            " FROM generate_series(1, %s) n",
            [moment, step, count],
        )


def test_pages_give_every_event_of_one_moment_once(client: Client) -> None:
    insert(2500, ago(minutes=5))

    ids = [event["id"] for event in walk(client, limit=100)]

    assert len(ids) == 2500
    assert len(set(ids)) == 2500


@pytest.mark.parametrize("limit", [1, 2, 3, 4, 5, 6])
def test_pages_of_any_size_join_without_a_seam(client: Client, limit: int) -> None:
    insert(3, ago(minutes=5))
    insert(2, ago(minutes=4), step="1 s")

    paged = [event["id"] for event in walk(client, limit=limit)]

    assert paged == [event["id"] for event in read(client).json()["events"]]
    assert len(paged) == 5


def test_the_last_page_has_no_cursor(client: Client) -> None:
    insert(10, ago(minutes=5))

    assert read(client, limit=10).json()["next_cursor"] is None
    assert read(client, limit=9).json()["next_cursor"] is not None


def test_pages_keep_to_the_filters(client: Client) -> None:
    insert(100, ago(minutes=5), event_type="CASE mod(n, 3) WHEN 0 THEN 'wanted' ELSE 'other' END")

    found = [event["event_type"] for event in walk(client, limit=7, event_type="wanted")]

    assert found == ["wanted"] * 33


def test_events_that_arrive_meanwhile_do_not_disturb(client: Client) -> None:
    insert(10, ago(minutes=5), step="1 s")
    pages = walk(client, limit=5)
    first = [next(pages)["id"] for _ in range(5)]

    store(client, {"event_type": "late arrival", "timestamp": ago(minutes=1)})

    rest = [event["id"] for event in pages]
    assert len(set(first + rest)) == 10


def test_a_default_window_stays_the_same_from_page_to_page(client: Client) -> None:
    insert(3, ago(minutes=5))
    first = read(client, limit=1).json()

    second = read(client, limit=1, cursor=first["next_cursor"]).json()

    assert (second["start_time"], second["end_time"]) == (first["start_time"], first["end_time"])


def test_the_window_of_the_answer_may_be_given_again(client: Client) -> None:
    insert(3, ago(minutes=5))
    first = read(client, limit=1).json()

    again = read(
        client, limit=2, cursor=first["next_cursor"], start_time=first["start_time"], end_time=first["end_time"]
    )

    assert again.json()["count"] == 2


@pytest.mark.parametrize(
    "other",
    [
        {"event_type": "x"},
        {"user_id": "x"},
        {"session_id": "x"},
        {"properties.a": "1"},
        {"start_time": "2020-01-01T00:00:00Z"},
        {"end_time": "2099-01-01T00:00:00Z"},
    ],
)
def test_a_cursor_of_another_query_is_refused(client: Client, other: dict[str, str]) -> None:
    insert(2, ago(minutes=5))
    cursor = read(client, limit=1).json()["next_cursor"]

    response = read(client, limit=1, cursor=cursor, **other)

    assert response.status_code == 400
    assert response.json()["error"] == "Invalid cursor"


@pytest.mark.parametrize(
    "cursor",
    [
        "x",
        "====",
        "ä",
        base64.urlsafe_b64encode(b"short").decode(),
        base64.urlsafe_b64encode(bytes(49)).decode(),
        base64.urlsafe_b64encode(b"\x01" + b"\xff" * 48).decode(),
        base64.urlsafe_b64encode(b"\x01" + b"\x7f" * 48).decode(),
        "A" * 8000,
    ],
)
def test_a_forged_cursor_is_refused(client: Client, cursor: str) -> None:
    response = read(client, cursor=cursor)

    assert response.status_code == 400
    assert response.json()["error"] == "Invalid cursor"


@pytest.mark.parametrize("step", ["0.001 s", "0 s"])
def test_a_late_page_reads_no_more_rows_than_the_first(client: Client, step: str) -> None:
    insert(20_000, ago(minutes=5), step=step)
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE events")
    first = read(client, limit=10).json()
    late = read(client, limit=10_000).json()["next_cursor"]

    assert buffers(client, cursor=late) <= 2 * buffers(client, cursor=first["next_cursor"])


def buffers(client: Client, **parameters: Any) -> int:
    """Pages of the database that a page of ten events reads."""
    with CaptureQueriesContext(connection) as captured:
        assert read(client, limit=10, **parameters).json()["count"] == 10
    [sql] = [query["sql"] for query in captured if "FROM events" in query["sql"]]
    with connection.cursor() as cursor:
        cursor.execute(f"EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) {sql}")
        plan = cursor.fetchone()[0][0]["Plan"]
    return int(plan["Shared Hit Blocks"] + plan["Shared Read Blocks"])


def test_the_smallest_id_of_a_moment_is_no_end(client: Client) -> None:
    newer, older = ago(minutes=1), ago(minutes=2)
    zero = str(UUID(int=0))
    store(client, {"event_type": "first", "id": zero, "timestamp": newer}, {"event_type": "then", "timestamp": older})

    assert [event["event_type"] for event in walk(client, limit=1)] == ["first", "then"]


def test_a_forged_cursor_at_the_edge_of_the_calendar_is_refused(client: Client) -> None:
    first = datetime.min.replace(tzinfo=UTC)
    cursor = Cursor(first, datetime.now(UTC), Position(first, UUID(int=0)), fingerprint(Filters()))

    assert read(client, cursor=encode(cursor)).status_code == 400


def test_the_last_moment_of_the_calendar_has_no_event(client: Client) -> None:
    answer = client.get(f"/api/v1/events/{uuid4()}", {"timestamp": "9999-12-31T23:59:59.999999Z"})

    assert answer.status_code == 404
