"""Dead letters get another chance after what refused them was changed."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from events.accounting import report
from events.models import DeadLetter, Event
from events.records import Stretch
from events.replays import ReplayResult, replay
from events.store import store_http, store_kafka
from events.tests.factories import batch, raw, record

pytestmark = pytest.mark.django_db

Configure = Callable[[str, Any], None]
LIMIT = "analytics.ingestion.max_keys"
MANY = {"a": 1, "b": 2, "c": 3}


@pytest.fixture
def too_strict(configure: Configure) -> None:
    configure(LIMIT, 2)


def replay_all() -> ReplayResult:
    return replay(DeadLetter.objects.order_by("pk").values_list("pk", flat=True))


def test_a_record_that_was_refused_is_stored_after_the_limit_changed(
    stretch: Stretch, too_strict: None, configure: Configure
) -> None:
    value = raw(properties=MANY)
    store_kafka(batch(stretch, [record(0, value), record(1, properties={})]))
    configure(LIMIT, 3)

    assert replay_all() == ReplayResult(replayed=1)

    assert Event.objects.filter(properties=MANY).count() == 1
    letter = DeadLetter.objects.get()
    assert letter.replayed_at
    assert (letter.attempts, letter.reason) == (0, "too_many_keys")


def test_a_body_that_was_refused_is_stored_after_the_limit_changed(too_strict: None, configure: Configure) -> None:
    store_http([raw(properties=MANY, id=None, timestamp=None)], project_id=3)
    configure(LIMIT, 3)

    assert replay_all() == ReplayResult(replayed=1)

    stored = Event.objects.get()
    assert stored.project_id == 3
    assert stored.timestamp == DeadLetter.objects.get().record_timestamp.replace(
        microsecond=stored.timestamp.microsecond
    )


def test_what_is_refused_again_says_why_now(too_strict: None, configure: Configure) -> None:
    store_http([raw(properties=MANY)])
    configure(LIMIT, 3)
    configure("analytics.ingestion.max_event_size", 10)

    results = [replay_all(), replay_all()]

    assert results == [ReplayResult(still_refused=1)] * 2
    letter = DeadLetter.objects.get()
    assert (letter.reason, letter.attempts, letter.replayed_at) == ("too_large", 2, None)
    assert letter.error.endswith("at most 10")


def test_a_letter_is_replayed_once(too_strict: None, configure: Configure) -> None:
    store_http([raw(properties=MANY)])
    configure(LIMIT, 3)
    replay_all()
    replayed_at = DeadLetter.objects.get().replayed_at

    assert replay_all() == ReplayResult()

    assert DeadLetter.objects.get().replayed_at == replayed_at
    assert Event.objects.count() == 1


def test_a_record_without_id_and_time_gets_those_it_would_have_had(
    stretch: Stretch, too_strict: None, configure: Configure
) -> None:
    refused = record(7, raw(id=None, timestamp=None, properties=MANY))
    store_kafka(batch(stretch, [refused]))
    configure(LIMIT, 3)

    replay_all()

    stored = Event.objects.get()
    assert str(stored.id) == stretch.record_id(7)
    assert stored.timestamp == refused.time


def test_a_body_without_an_id_gets_the_same_in_each_replay(too_strict: None, configure: Configure) -> None:
    store_http([raw(id=None, properties=MANY)])
    configure(LIMIT, 3)
    replay_all()
    DeadLetter.objects.update(replayed_at=None)

    assert replay_all() == ReplayResult(replayed=1)

    assert Event.objects.count() == 1


def test_an_event_that_came_again_meanwhile_is_not_doubled(too_strict: None, configure: Configure) -> None:
    body = raw(properties=MANY)
    store_http([body])
    configure(LIMIT, 3)
    store_http([body])

    assert replay_all() == ReplayResult(replayed=1)

    assert Event.objects.count() == 1


def test_a_conflict_stays_a_conflict() -> None:
    first = raw(id="one", timestamp=None, properties={"n": 1})
    store_http([first, raw(id="one", timestamp=None, properties={"n": 2})])

    assert replay_all() == ReplayResult(still_refused=1)

    assert Event.objects.get().properties == {"n": 1}
    assert DeadLetter.objects.get().reason == "conflict"


def test_refused_again_makes_no_other_dead_letter(too_strict: None) -> None:
    store_http([b"broken", raw(properties=MANY), b""])

    assert replay_all() == ReplayResult(still_refused=3)

    assert DeadLetter.objects.count() == 3


def test_many_letters_of_several_projects(too_strict: None, configure: Configure) -> None:
    for project in (1, 2):
        store_http([raw(properties=MANY) for _ in range(400)] + [b"broken"], project_id=project)
    configure(LIMIT, 3)

    assert replay_all() == ReplayResult(replayed=800, still_refused=2)

    assert Event.objects.filter(project_id=1).count() == Event.objects.filter(project_id=2).count() == 400


def test_unknown_ids_are_passed_over() -> None:
    assert replay([1, 2, 3]) == ReplayResult()
    assert replay([]) == ReplayResult()


def test_a_replay_is_accounted_for(too_strict: None, configure: Configure) -> None:
    store_http([raw(properties=MANY), b"broken"])
    configure(LIMIT, 3)
    replay_all()

    now = DeadLetter.objects.latest("pk").created_at
    lines = {line.source: line for line in report(now - timedelta(hours=1), now + timedelta(hours=1))}
    assert (lines["http"].received, lines["http"].refused) == (2, 2)
    assert (lines["replay"].received, lines["replay"].stored, lines["replay"].refused) == (2, 1, 1)
    assert all(line.balanced for line in lines.values())
