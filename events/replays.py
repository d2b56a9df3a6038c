"""Give refused records another chance, after the limit, clock or retention that refused them changed."""

import uuid
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import islice

from django.db import transaction
from django.db.models import F
from django.db.models.functions import Now

from events.envelope import ID_NAMESPACE
from events.models import DeadLetter
from events.records import Record, Stretch
from events.store import Outcome, store_replayed

CHUNK = 500


@dataclass
class ReplayResult:
    replayed: int = 0
    still_refused: int = 0


def replay(ids: Iterable[int]) -> ReplayResult:
    """Store these dead letters if they can be stored now; what is refused again stays, with its new reason.

    A letter that was replayed already, or is being replayed, is passed over.
    """
    result = ReplayResult()
    remaining = iter(ids)
    while chunk := list(islice(remaining, CHUNK)):
        with transaction.atomic():
            _replay_chunk(chunk, result)
    return result


def _replay_chunk(ids: list[int], result: ReplayResult) -> None:
    letters = DeadLetter.objects.select_for_update(skip_locked=True).filter(pk__in=ids, replayed_at=None)
    by_project: dict[int, list[DeadLetter]] = {}
    for letter in letters.order_by("pk"):
        by_project.setdefault(letter.project_id, []).append(letter)
    for project_id, group in by_project.items():
        outcomes = store_replayed([_record(letter) for letter in group], project_id=project_id)
        for letter, outcome in zip(group, outcomes, strict=True):
            _settle(letter, outcome, result)


def _settle(letter: DeadLetter, outcome: Outcome, result: ReplayResult) -> None:
    rows = DeadLetter.objects.filter(pk=letter.pk)
    if outcome.status == "refused":
        rows.update(attempts=F("attempts") + 1, reason=outcome.reason, error=outcome.detail)
        result.still_refused += 1
    else:
        rows.update(replayed_at=Now())
        result.replayed += 1


def _record(letter: DeadLetter) -> Record:
    """The record as it first came, so that an event without an id gets the one it would have had."""
    if letter.topic is None or letter.topic_id is None or letter.kafka_offset is None:
        fallback = str(uuid.uuid5(ID_NAMESPACE, f"dead-letter/{letter.pk}"))
    else:
        stretch = Stretch(letter.topic, letter.kafka_partition or 0, letter.topic_id, letter.incarnation or 0)
        fallback = stretch.record_id(letter.kafka_offset)
    time_ms = round(letter.record_timestamp.timestamp() * 1000)
    return Record(bytes(letter.raw), time_ms, id=fallback)
