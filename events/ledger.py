"""The offset ledger: which offsets of a Kafka partition are done, kept with the facts themselves.

A batch claims its offsets under a row lock, which serialises one Kafka partition, and adds
them to `done` in the transaction that stores its events. A range that is done is skipped and
one that is partly done is cut, so a batch may be delivered any number of times, in any cut.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from uuid import UUID

from django.db import connection
from psycopg.types.multirange import Int8Multirange

from events.records import Stretch

KEY = "topic = %s AND kafka_partition = %s AND topic_id = %s AND incarnation = %s"
# Everything below it is done. Without a range at `base` nothing is.
WATERMARK = "coalesce((SELECT upper(r) FROM unnest(done) r WHERE r @> base), base)"


class UnknownStretch(LookupError):
    """No ledger entry: the database is not the one that the batch was read for."""


@dataclass(frozen=True)
class Progress:
    """Where a stretch stands: `watermark` is the offset below which all is done."""

    stretch: Stretch
    watermark: int
    stopped_reason: str
    end_offset: int | None
    # The end of all that is done, beyond gaps, too: Kafka had every offset below it once.
    highest: int


def _key(stretch: Stretch) -> tuple[str, int, UUID, int]:
    return stretch.topic, stretch.partition, stretch.topic_id, stretch.incarnation


def claim(stretch: Stretch, lo: int, hi: int) -> Int8Multirange:
    """Lock the entry and answer which offsets of [lo, hi) are not done. In a transaction only."""
    with connection.cursor() as cursor:
        cursor.execute(
            f"SELECT int8multirange(int8range(%s, %s)) - done FROM kafka_ledger WHERE {KEY} FOR UPDATE",
            [lo, hi, *_key(stretch)],
        )
        row = cursor.fetchone()
    if row is None:
        raise UnknownStretch(str(stretch))
    todo: Int8Multirange = row[0]
    return todo


def complete(stretch: Stretch, lo: int, hi: int) -> None:
    """Add [lo, hi) to what is done, in the transaction that claimed it."""
    with connection.cursor() as cursor:
        cursor.execute(
            f"UPDATE kafka_ledger SET done = done + int8multirange(int8range(%s, %s)), updated_at = now() WHERE {KEY}",
            [lo, hi, *_key(stretch)],
        )


def open_entry(stretch: Stretch, base: int) -> None:
    """Begin a stretch at `base`; an entry that is there already stays as it is."""
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO kafka_ledger (topic, kafka_partition, topic_id, incarnation, base)"
            " VALUES (%s, %s, %s, %s, %s) ON CONFLICT DO NOTHING",
            [*_key(stretch), base],
        )


def current(topic: str, partition: int) -> Progress | None:
    """The newest stretch of a Kafka partition, or None if it was never read."""
    return next(iter(_progress("WHERE topic = %s AND kafka_partition = %s", [topic, partition])), None)


def all_progress() -> list[Progress]:
    """The newest stretch of every Kafka partition that was ever read, by topic and partition."""
    return sorted(_newest(_progress("", [])), key=lambda row: (row.stretch.topic, row.stretch.partition))


def _newest(rows: Iterable[Progress]) -> list[Progress]:
    """The first row of each Kafka partition, which is its newest."""
    newest: dict[tuple[str, int], Progress] = {}
    for row in rows:
        newest.setdefault((row.stretch.topic, row.stretch.partition), row)
    return list(newest.values())


def watermarks(stretches: Iterable[Stretch]) -> dict[Stretch, int]:
    """Where each stretch stands; one that is not the newest of its Kafka partition (any more) is left out."""
    wanted = set(stretches)
    if not wanted:
        return {}
    rows = _newest(_progress("WHERE topic = ANY(%s)", [[stretch.topic for stretch in wanted]]))
    return {row.stretch: row.watermark for row in rows if row.stretch in wanted}


def _progress(where: str, parameters: Sequence[str | int | list[str]]) -> list[Progress]:
    with connection.cursor() as cursor:
        cursor.execute(
            f"SELECT topic, kafka_partition, topic_id, incarnation, {WATERMARK}, stopped_reason, end_offset,"
            " coalesce(upper(done), base)"
            f" FROM kafka_ledger {where} ORDER BY id DESC",
            parameters,
        )
        return [Progress(Stretch(*row[:4]), *row[4:]) for row in cursor.fetchall()]


def note_ends(ends: dict[Stretch, int]) -> None:
    """Write down how far each Kafka partition reaches, for lag displays only.

    An entry that a batch has locked right now is passed over: the consumer must not wait for it.
    """
    with connection.cursor() as cursor:
        cursor.executemany(
            "UPDATE kafka_ledger SET end_offset = %s, updated_at = now() WHERE id IN"
            f" (SELECT id FROM kafka_ledger WHERE {KEY} FOR UPDATE SKIP LOCKED)",
            [[end, *_key(stretch)] for stretch, end in ends.items()],
        )
