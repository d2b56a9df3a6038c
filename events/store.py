"""The one write path: raw records in, stored exactly once, everything about a batch in one transaction.

Events, dead letters, marks of touched buckets, the batch's figures and the offsets that are
done become visible together or not at all. Kafka, HTTP and replays all come through here.
"""

import logging
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial

import uuid_utils
from django.db import DatabaseError, connection, transaction
from psycopg.types.multirange import Int8Multirange

from access.models import DEFAULT_PROJECT_ID
from events import accounting, assigned, copying, dead_letters, few, ledger, marks, partitions
from events.accounting import Figures
from events.copying import MissingPartition, Row, Written
from events.models import Source
from events.preparing import Prepared, Window, prepare, row_of
from events.records import KafkaBatch, Record, Stretch
from events.refusal import Refused

logger = logging.getLogger(__name__)
Write = Callable[[Sequence[Row], int], Written]


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one record. `reason` and `detail` say why it was refused."""

    status: str
    event_id: str | None = None
    timestamp: str | None = None
    reason: str | None = None
    detail: str | None = None


@dataclass(frozen=True, slots=True)
class Origin:
    """Where records come from, as dead letters and the figures tell it."""

    source: Source
    project_id: int
    stretch: Stretch | None = None
    # A replay is refused into the dead letter it came from, not into another one.
    keeps_refused: bool = True


@dataclass(frozen=True, slots=True)
class Stored:
    """A prepared batch after its transaction."""

    prepared: Prepared
    written: Written
    figures: Figures

    def outcomes(self, count: int) -> list[Outcome]:
        """One outcome for each of the `count` records, in their order."""
        outcomes: list[Outcome] = [Outcome("refused")] * count
        for row in self.prepared.rows:
            status = "duplicate" if row.place in self.written.duplicates else "stored"
            outcomes[row.place] = Outcome(status, row.id, f"{row.time}Z")
        for index, refused in self.written.refusals.items():
            outcomes[index] = Outcome("refused", reason=refused.reason.value, detail=refused.error)
        return outcomes


def store_kafka(batch: KafkaBatch) -> Figures:
    """Store a batch of one Kafka partition; safe to repeat, in whole or in part.

    Raises UnknownStretch when the ledger has no entry for it, and database errors, which leave
    no trace: the offsets stay undone and are read again.
    """
    origin = Origin(Source.KAFKA, batch.project_id, batch.stretch)
    return _store(batch.records, origin, batch=batch).figures


def store_http(bodies: Sequence[bytes], *, project_id: int = DEFAULT_PROJECT_ID) -> list[Outcome]:
    """Store raw JSON objects in one transaction; the answer means durable."""
    now = time.time_ns() // 1_000_000
    records = [Record(body, now, id=str(uuid_utils.uuid7())) for body in bodies]
    return _store(records, Origin(Source.HTTP, project_id)).outcomes(len(records))


def store_replayed(records: Sequence[Record], *, project_id: int) -> list[Outcome]:
    """Store records out of dead letters; what is refused again makes no new dead letter."""
    origin = Origin(Source.REPLAY, project_id, keeps_refused=False)
    return _store(records, origin).outcomes(len(records))


def _store(records: Sequence[Record], origin: Origin, batch: KafkaBatch | None = None) -> Stored:
    started = time.perf_counter()
    prepared = prepare(records, origin.stretch)
    partitions.ensure(prepared.days())
    commit = partial(_commit, records, prepared, origin, batch, started)
    try:
        # Nearly always all is well: no savepoint, no look at what is there.
        stored = _store_few(prepared, origin, started) if _are_few(prepared, batch) else commit(copying.write_all)
    except DatabaseError as error:
        if not isinstance(error.__cause__, copying.ROW_ERRORS):
            raise
        stored = _commit_carefully(commit, prepared)
    accounting.observe(stored.figures, stored.written.refusals.values(), origin.source)
    return stored


def _are_few(prepared: Prepared, batch: KafkaBatch | None) -> bool:
    """Whether nothing but a few rows is to be written."""
    return batch is None and not prepared.refusals and not prepared.untimed and 0 < len(prepared.rows) <= few.MOST


def _store_few(prepared: Prepared, origin: Origin, started: float) -> Stored:
    with connection.wrap_database_errors:
        few.store(prepared.rows, origin.project_id, origin.source, time.perf_counter() - started)
    seconds = time.perf_counter() - started
    figures = Figures(received=len(prepared.rows), duplicates=0, refused=0, redelivered=0, seconds=seconds)
    return Stored(prepared, Written(), figures)


def _commit_carefully(commit: Callable[[Write], Stored], prepared: Prepared) -> Stored:
    try:
        return commit(copying.write)
    except MissingPartition:
        # Dropped since this process last looked.
        partitions.forget()
        partitions.ensure(prepared.days())
        return commit(copying.write)


def _commit(
    records: Sequence[Record],
    prepared: Prepared,
    origin: Origin,
    batch: KafkaBatch | None,
    started: float,
    write: Write,
) -> Stored:
    with connection.wrap_database_errors, transaction.atomic():
        redelivered = 0
        if batch is not None:
            todo = ledger.claim(batch.stretch, batch.lo, batch.hi)
            prepared, redelivered = _only(prepared, records, todo)
        prepared = _give_times(prepared, records, origin)
        written = write(prepared.rows, origin.project_id)
        written.refusals |= prepared.refusals
        if origin.keeps_refused:
            dead = [dead_letters.DeadRecord(records[i], r) for i, r in sorted(written.refusals.items())]
            dead_letters.write(dead, project_id=origin.project_id, source=origin.source, stretch=origin.stretch)
        figures = Figures(
            received=len(records) - redelivered,
            duplicates=len(written.duplicates),
            refused=len(written.refusals),
            redelivered=redelivered,
            seconds=time.perf_counter() - started,
        )
        # Three statements, one round trip.
        with connection.connection.pipeline():
            marks.mark(prepared.touched(), origin.project_id)
            accounting.record(figures, origin.source, origin.project_id, origin.stretch)
            if batch is not None:
                ledger.complete(batch.stretch, batch.lo, batch.hi)
    return Stored(prepared, written, figures)


def _only(prepared: Prepared, records: Sequence[Record], todo: Int8Multirange) -> tuple[Prepared, int]:
    """The part of a batch whose offsets are still to do, and how many records that leaves out."""
    if records and len(todo) == 1 and all(record.offset in todo[0] for record in (records[0], records[-1])):
        return prepared, 0
    keep = {i for i, record in enumerate(records) if any(record.offset in part for part in todo)}
    cut = Prepared(
        rows=[row for row in prepared.rows if row.place in keep],
        refusals={index: refused for index, refused in prepared.refusals.items() if index in keep},
        untimed=[item for item in prepared.untimed if item[0] in keep],
    )
    return cut, len(records) - len(keep)


def _give_times(prepared: Prepared, records: Sequence[Record], origin: Origin) -> Prepared:
    """Rows for the events without a timestamp, which only the database can date."""
    if not prepared.untimed:
        return prepared
    window = Window.now()
    wanted = [(envelope.id, received) for _, envelope, received in prepared.untimed if envelope.id]
    times = assigned.assign(wanted, origin.project_id)
    rows, refusals = list(prepared.rows), dict(prepared.refusals)
    for index, envelope, received in prepared.untimed:
        timestamp = times.get(envelope.id or "", received)
        try:
            window.check(timestamp)
        except Refused as refused:
            refusals[index] = refused
            continue
        rows.append(row_of(index, envelope, timestamp, records[index], origin.stretch))
    days = replace(prepared, rows=rows, refusals=refusals, untimed=[])
    days.rows.sort()
    return days
