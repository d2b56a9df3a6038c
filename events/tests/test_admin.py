import uuid
from datetime import UTC, datetime
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from events.admin import lists
from events.models import DeadLetter, Event
from events.tests.api import ago, post, store

pytestmark = pytest.mark.django_db

EVENTS = "/admin/events/event/"
LETTERS = "/admin/events/deadletter/"


def text(response: Any) -> str:
    assert response.status_code == 200, response.content[:500]
    return str(response.content.decode())


def test_the_event_list_shows_the_last_day(admin_client: Client) -> None:
    store(admin_client, {"event_type": "fresh"}, {"event_type": "stale", "timestamp": ago(days=2)})

    page = text(admin_client.get(EVENTS))

    assert "fresh" in page
    assert "stale" not in page
    assert "stale" in text(admin_client.get(EVENTS, {"within": "week"}))


def test_the_event_list_costs_a_bounded_number_of_queries(admin_client: Client) -> None:
    store(admin_client, *({"event_type": "a"} for _ in range(120)))

    with CaptureQueriesContext(
        connection,
    ) as captured:
        text(admin_client.get(EVENTS))

    reads = [query["sql"] for query in captured if '"events"' in query["sql"]]
    assert len(reads) == 2  # the bounded count and the page
    assert all(
        "LIMIT" in sql and '"events"."timestamp" >=' in sql and '"events"."project_id" = 1' in sql for sql in reads
    )


def test_the_event_list_is_read_from_the_key_in_order(admin_client: Client) -> None:
    store(admin_client, *({"event_type": "a", "timestamp": ago(seconds=i)} for i in range(300)))
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE events")
    with CaptureQueriesContext(connection) as captured:
        text(admin_client.get(EVENTS))

    plan = "\n".join(
        explain(next(query["sql"] for query in captured if "ORDER BY" in query["sql"] and '"events"' in query["sql"]))
    )

    assert "Sort" not in plan
    assert "_pkey" in plan


def test_only_time_can_be_sorted_by(admin_client: Client) -> None:
    store(admin_client, {"event_type": "a"})

    page = text(admin_client.get(EVENTS))

    assert page.count('class="sortable') + page.count(" sortable") == 1


@pytest.mark.parametrize("analyzed", [True, False])
def test_a_long_list_is_estimated_and_never_shown_whole(
    admin_client: Client, monkeypatch: pytest.MonkeyPatch, analyzed: bool
) -> None:
    monkeypatch.setattr(lists, "COUNTED", 60)
    store(admin_client, *({"event_type": "a"} for _ in range(100)))
    if analyzed:
        with connection.cursor() as cursor:
            cursor.execute("ANALYZE events")

    page = text(admin_client.get(EVENTS, {"within": "any"}))

    assert page.count('class="field-event_type"') == 50
    assert ("100 events" if analyzed else "61 events") in page


def test_no_later_page_than_the_hundredth_is_offered(admin_client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lists, "PAGES", 2)
    store(admin_client, *({"event_type": "a"} for _ in range(150)))

    assert "p=2" in text(admin_client.get(EVENTS))
    assert "p=3" not in text(admin_client.get(EVENTS))


@pytest.mark.parametrize("table", ["deadletter", "ingestbatch"])
def test_a_table_without_partitions_is_estimated_too(admin_client: Client, table: str) -> None:
    for _ in range(3):
        post(admin_client, b"{}")
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE dead_letters, ingest_batches")

    assert lists.estimate({"deadletter": "dead_letters", "ingestbatch": "ingest_batches"}[table]) == 3


@pytest.mark.parametrize("field", ["event_type", "user_id", "session_id"])
def test_events_are_found_by_an_exact_value(admin_client: Client, field: str) -> None:
    store(admin_client, {"event_type": "a", field: "needle"}, {"event_type": "other", "user_id": "hay"})

    page = text(admin_client.get(EVENTS, {"q": "needle"}))

    assert "1 event\n" in page
    assert "hay" not in page


def test_an_event_is_found_by_its_id_whatever_its_age(admin_client: Client) -> None:
    event_id = str(uuid.uuid4())
    store(admin_client, {"event_type": "old", "id": event_id, "timestamp": ago(days=40)})

    assert "old" in text(admin_client.get(EVENTS, {"q": event_id}))


@pytest.mark.parametrize("search", ["nothing", str(uuid.uuid4()), "'; --", "\x00", " "])
def test_a_search_for_nothing_finds_nothing(admin_client: Client, search: str) -> None:
    text(admin_client.get(EVENTS, {"q": search}))


def test_the_page_of_an_event_reads_its_partition_only(admin_client: Client) -> None:
    [result] = store(admin_client, {"event_type": "a", "properties": {"note": "<script>alert(1)</script>"}})
    address = f"{EVENTS}{result['event_id']}/change/"

    with CaptureQueriesContext(connection) as captured:
        page = text(admin_client.get(address, {"timestamp": result["timestamp"]}))

    assert "&lt;script&gt;" in page
    assert "<script>alert(1)" not in page
    reads = [query["sql"] for query in captured if "events" in query["sql"] and "timestamp" in query["sql"]]
    assert all("Append" not in "\n".join(explain(sql)) for sql in reads if sql.startswith("SELECT"))
    assert "note" in text(admin_client.get(address))


@pytest.mark.parametrize("address", ["nonsense", str(uuid.uuid4()), "__fk__"])
def test_an_event_that_is_not_there_leads_back(admin_client: Client, address: str) -> None:
    assert admin_client.get(f"{EVENTS}{address}/change/").status_code == 302


@pytest.mark.parametrize("table", ["event", "deadletter", "ledgerentry", "ingestgap", "ingestbatch"])
def test_nothing_can_be_added_changed_or_deleted(admin_client: Client, table: str) -> None:
    [result] = store(admin_client, {"event_type": "a"})

    assert admin_client.get(f"/admin/events/{table}/add/").status_code == 403
    assert admin_client.post(f"{EVENTS}{result['event_id']}/change/", {"event_type": "b"}).status_code == 403
    assert admin_client.post(f"{EVENTS}{result['event_id']}/delete/", {"post": "yes"}).status_code == 403
    assert Event.objects.get().event_type == "a"


@pytest.mark.parametrize("table", ["ledgerentry", "ingestgap", "ingestbatch"])
def test_the_bookkeeping_can_be_looked_at(admin_client: Client, table: str) -> None:
    fill_bookkeeping()

    page = text(admin_client.get(f"/admin/events/{table}/"))

    assert "1 " in page
    assert "trading.events" in page


def test_the_lag_of_a_ledger_entry_is_shown(admin_client: Client) -> None:
    fill_bookkeeping()

    page = text(admin_client.get("/admin/events/ledgerentry/"))

    assert '<td class="field-watermark">40</td><td class="field-lag">60</td>' in page


def test_dead_letters_show_the_open_ones_first(admin_client: Client) -> None:
    post(admin_client, b'{"no":"type"}')
    DeadLetter.objects.create(
        project_id=1, reason="empty", error="gone", source="http", record_timestamp=datetime.now(UTC),
        raw=b"", replayed_at=datetime.now(UTC),
    )  # fmt: skip

    assert "event_type is missing" in text(admin_client.get(LETTERS))
    assert "gone" not in text(admin_client.get(LETTERS))
    assert "gone" in text(admin_client.get(LETTERS, {"state": "replayed"}))
    assert "event_type is missing" not in text(admin_client.get(LETTERS, {"reason": "empty"}))


@pytest.mark.parametrize(
    ("raw", "shown"),
    [
        (b'{"x": "<b>\xc3\xa4"}', "{&quot;x&quot;: &quot;&lt;b&gt;\u00e4&quot;}"),
        (b"a\x00b\x1b[31m", "a\\u0000b\\u001b[31m"),
        ("\u202eabc".encode(), "\\u202eabc"),
        (b"\xff\xfe<\x00", "00000000  ff fe 3c 00                                      ..&lt;."),
        (b"x" * 70_000, "and 4464 bytes more"),
        ("\u00e4".encode() * 40_000, "and 14464 bytes more"),
    ],
)
def test_the_payload_of_a_dead_letter_is_shown_safely(admin_client: Client, raw: bytes, shown: str) -> None:
    letter = DeadLetter.objects.create(
        project_id=1, reason="invalid_json", error="no", source="http", record_timestamp=datetime.now(UTC), raw=raw
    )

    assert shown in text(admin_client.get(f"{LETTERS}{letter.pk}/change/"))


def test_selected_dead_letters_are_replayed(admin_client: Client) -> None:
    post(admin_client, b'{"no":"type"}')
    now = datetime.now(UTC)
    DeadLetter.objects.create(
        project_id=1,
        reason="too_old",
        error="was too old",
        source="http",
        record_timestamp=now,
        raw=b'{"event_type":"second chance"}',
    )
    selected = [str(pk) for pk in DeadLetter.objects.values_list("pk", flat=True)]

    page = text(admin_client.post(LETTERS, {"action": "replay_selected", "_selected_action": selected}, follow=True))

    assert "1 stored, 1 refused again." in page
    assert Event.objects.get().event_type == "second chance"
    assert DeadLetter.objects.get(replayed_at=None).attempts == 1


def test_replaying_needs_the_permission(client: Client, django_user_model: Any) -> None:
    viewer = django_user_model.objects.create_user("viewer", is_staff=True)
    viewer.user_permissions.add(*permissions("view_deadletter"))
    client.force_login(viewer)
    post(client, b'{"no":"type"}')

    page = text(client.get(LETTERS))

    assert "event_type is missing" in page
    assert "replay_selected" not in page


def permissions(*names: str) -> Any:
    from django.contrib.auth.models import Permission

    return Permission.objects.filter(codename__in=names)


def fill_bookkeeping() -> None:
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO kafka_ledger (topic, kafka_partition, topic_id, incarnation, base, done, end_offset)"
            " VALUES ('trading.events', 0, gen_random_uuid(), 0, 10, '{[10,40),[50,60)}', 100) RETURNING id"
        )
        [entry] = cursor.fetchone()
        cursor.execute(
            "INSERT INTO ingest_gaps (ledger_entry_id, kind, lo, hi) VALUES (%s, 'retention', 0, 10)", [entry]
        )
        cursor.execute(
            "INSERT INTO ingest_batches (project_id, source, topic, kafka_partition, received, stored, duplicates,"
            " refused, redelivered, duration_ms) VALUES (1, 'kafka', 'trading.events', 0, 30, 28, 1, 1, 0, 12.5)"
        )


def explain(sql: str) -> list[str]:
    with connection.cursor() as cursor:
        cursor.execute(f"EXPLAIN {sql}")
        return [line for (line,) in cursor.fetchall()]
