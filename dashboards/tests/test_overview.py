import re
from datetime import UTC, datetime, timedelta

import pytest
from django.contrib.staticfiles import finders
from django.test import Client

from dashboards import overview
from events.tests.api import ago, post, store

pytestmark = pytest.mark.django_db

# The step that an event is stored in is over then.
SOON = timedelta(seconds=overview.STEP)


def test_the_page_is_there_without_the_database(client: Client, django_assert_num_queries: object) -> None:
    with django_assert_num_queries(0):  # type: ignore[operator]
        page = client.get("/").content.decode()

    assert "B25 Analytics" in page
    assert 'data-overview="/api/v1/internal/overview"' in page


def test_everything_the_page_loads_is_our_own_and_there(client: Client) -> None:
    page = client.get("/").content.decode()

    assets = re.findall(r'(?:src|href)="(/static/[^"]+)"', page)
    assert len(set(assets)) == 3
    assert all(finders.find(asset.removeprefix("/static/")) for asset in assets)
    assert not re.findall(r'(?:src|href)="https?://', page)


def test_every_element_the_script_writes_to_is_on_the_page(client: Client) -> None:
    page = client.get("/").content.decode()
    script = open(str(finders.find("dashboards/home.js")), encoding="utf-8").read()  # noqa: SIM115, PTH123

    wanted = set(re.findall(r'(?:byId|show|fill)\("([a-z-]+)"', script)) | {
        f"part-{name}" for name in re.findall(r'part\("(\w+)"', script)
    }
    assert len(wanted) > 15
    assert wanted <= set(re.findall(r'id="([a-z-]+)"', page))


def test_received_is_stored_and_duplicates_and_refused(client: Client) -> None:
    event = {"event_type": "a", "id": "1", "timestamp": ago(minutes=1)}
    post(client, [event, event, {"event_type": "b"}, 17], "/api/v1/events/batch")

    ingestion = overview.look(datetime.now(UTC) + SOON)["ingestion"]

    assert [ingestion[name] for name in ("received", "stored", "duplicates", "refused")] == [4, 2, 1, 1]
    assert sum(ingestion["stored_per_second"]) * overview.STEP == 2
    assert len(ingestion["stored_per_second"]) == 60


def test_the_latest_and_the_busiest_are_shown(client: Client) -> None:
    store(client, {"event_type": "rare"}, *({"event_type": "busy"} for _ in range(30)))

    seen = overview.look(datetime.now(UTC))

    assert len(seen["latest"]) == overview.LATEST
    assert list(seen["busiest"]) == ["busy", "rare"]


def test_the_last_price_of_each_symbol_is_shown(client: Client) -> None:
    trades = [("BTCUSDT", 1.5, 30), ("BTCUSDT", 2.50, 20), ("ETHUSDT", 7, 10), ("SOLUSDT", 9, 120)]
    store(
        client,
        *(
            {
                "event_type": "market.trade",
                "timestamp": ago(seconds=age),
                "properties": {"symbol": symbol, "price": price},
            }
            for symbol, price, age in trades
        ),
    )

    assert overview.look(datetime.now(UTC))["prices"] == {"BTCUSDT": "2.5", "ETHUSDT": "7"}


def test_dead_letters_are_counted_by_reason(client: Client) -> None:
    post(client, b"{}")
    post(client, b"[]")
    post(client, b"{}")

    assert overview.look(datetime.now(UTC))["dead_letters"] == {"missing_event_type": 2, "not_an_object": 1}


def test_the_route_answers_what_the_page_reads(client: Client) -> None:
    response = client.get("/api/v1/internal/overview")

    assert response.status_code == 200
    assert response["Cache-Control"] == "no-store"
    keys = {"health", "ingestion", "topics", "dead_letters", "busiest", "prices", "events_estimate", "latest"}
    assert set(response.json()) == keys


def test_viewers_share_one_look(client: Client) -> None:
    shared = overview.Shared()

    assert shared.get() is shared.get()
