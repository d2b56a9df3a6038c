import pytest
from django.db import connection
from django.test import Client

from events.tests.api import ago, post, store
from metrics.ingestion import go_duration

STATS = "/api/v1/events/stats"
INGESTION = "/api/v1/internal/ingestion-metrics"


@pytest.mark.django_db
def test_events_are_counted_by_type(client: Client) -> None:
    store(client, {"event_type": "b"}, {"event_type": "a"}, {"event_type": "b"})

    answer = client.get(STATS).json()

    assert list(answer) == ["start_time", "end_time", "total_events", "by_type"]
    assert answer["total_events"] == 3
    assert list(answer["by_type"].items()) == [("b", 2), ("a", 1)]


@pytest.mark.django_db
def test_only_events_of_the_window_are_counted(client: Client) -> None:
    start, end = ago(hours=2), ago(hours=1)
    store(
        client,
        *({"event_type": name, "timestamp": at} for name, at in [("in", start), ("out", end), ("out", ago(hours=3))]),
    )

    assert client.get(STATS, {"start_time": start, "end_time": end}).json()["by_type"] == {"in": 1}


@pytest.mark.django_db
def test_events_of_another_project_are_not_counted(client: Client) -> None:
    store(client, {"event_type": "ours"})
    with connection.cursor() as cursor:
        cursor.execute(
            'INSERT INTO events (project_id, id, event_type, "timestamp")'
            " SELECT 2, gen_random_uuid(), 'theirs', now()"
        )

    assert client.get(STATS).json()["by_type"] == {"ours": 1}


@pytest.mark.django_db
def test_nothing_counts_nothing(client: Client) -> None:
    assert client.get(STATS).json()["by_type"] == {}


@pytest.mark.parametrize(
    "parameters",
    [{"start_time": "x"}, {"limit": "1"}, {"start_time": "2026-01-02T00:00:00Z", "end_time": "2026-01-01T00:00:00Z"}],
)
def test_a_wrong_parameter_is_refused(client: Client, parameters: dict[str, str]) -> None:
    assert client.get(STATS, parameters).status_code == 400


@pytest.mark.django_db
def test_ingestion_figures_add_up(client: Client) -> None:
    event = {"event_type": "a", "id": "1", "timestamp": ago(minutes=1)}
    post(client, [event, {"event_type": "b"}, 17], "/api/v1/events/batch")
    post(client, event)

    answer = client.get(INGESTION).json()

    counts = [answer[f"events_{name}"] for name in ("received", "ingested", "duplicate", "failed")]
    assert counts == [4, 2, 1, 1]
    assert answer["batches_processed"] == 2
    assert answer["last_batch_size"] in (1, 3)
    assert answer["last_batch_duration"].endswith("s")


@pytest.mark.django_db
def test_ingestion_figures_begin_at_zero(client: Client) -> None:
    answer = client.get(INGESTION).json()

    assert (answer["events_ingested"], answer["last_batch_size"], answer["total_latency"]) == (0, 0, "0s")


@pytest.mark.parametrize(
    ("milliseconds", "text"),
    [
        (0, "0s"),
        (0.0004, "0s"),
        (0.35, "350µs"),
        (1.2, "1.2ms"),
        (999.9994, "999.999ms"),
        (999.9999, "1s"),
        (1500, "1.5s"),
        (60_000, "1m0s"),
        (123_500, "2m3.5s"),
        (3_600_000, "1h0m0s"),
        (90_061_001, "25h1m1.001s"),
    ],
)
def test_durations_are_written_as_go_writes_them(milliseconds: float, text: str) -> None:
    assert go_duration(milliseconds) == text
