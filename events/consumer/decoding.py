"""Kafka's record batches, decoded to what is stored: offset, time and value of each record.

kafka-python makes three objects with twenty fields of each record, at 4 µs; this takes 1.4 µs, which
is much where an event costs some 30 in all. It also passes over keys and headers: kafka-python
takes one header name that is not UTF-8 for a corrupt batch and could never read past it. Fetching,
checksums, decompression and transactions stay with kafka-python.

Format: https://kafka.apache.org/documentation/#recordbatch
"""

from collections.abc import Iterable, Iterator
from typing import Any

from kafka.consumer.fetcher import Fetcher
from kafka.errors import CorruptRecordError
from kafka.record import MemoryRecords
from kafka.record.default_records import DefaultRecord, DefaultRecordBatch
from kafka.record.util import decode_varint

from events.consumer.reader import Raw

FORMAT_2 = 2


class WholeBatches(Fetcher.PartitionRecords):  # type: ignore[misc]
    """A fetched part of a partition that gives one record per batch, with a list of `Raw` as its value."""

    def _unpack_records(self, tp: Any, records: MemoryRecords, *deserializers: Any) -> Any:
        return super()._unpack_records(tp, _Batches(records), *deserializers)


class _Batches:
    def __init__(self, records: MemoryRecords) -> None:
        self._records = records

    def next_batch(self) -> Any:
        batch = self._records.next_batch()
        if batch is not None and batch.magic == FORMAT_2 and not batch.is_control_batch:
            batch.__class__ = _WholeBatch
        return batch


class _WholeBatch(DefaultRecordBatch):  # type: ignore[misc]
    __slots__ = ()

    def __iter__(self) -> Iterator[DefaultRecord]:
        raws = decode(self)
        if raws:
            yield DefaultRecord(
                self.size_in_bytes, self.last_offset, self.max_timestamp, self.timestamp_type, None, raws, []
            )


def unfold(records: Iterable[Any]) -> list[Raw]:
    """The records of whole batches; those of kafka-python (formats before 2) as they are."""
    raws: list[Raw] = []
    for record in records:
        raws += record.value if isinstance(record.value, list) else [record]
    return raws


def decode(batch: DefaultRecordBatch) -> list[Raw]:
    """All records of a batch. Raises CorruptRecordError when they do not fill it exactly."""
    batch._maybe_uncompress()
    buffer, pos = bytes(batch._buffer), batch._pos
    try:
        raws, end = _records(buffer, pos, batch.records_count, batch.base_offset, batch.first_timestamp)
    except (ValueError, IndexError) as error:
        raise CorruptRecordError(f"in the batch at {batch.base_offset}: {error!r}") from error
    if end != len(buffer):
        raise CorruptRecordError(f"in the batch at {batch.base_offset}: {len(buffer) - end} bytes too many")
    if batch.timestamp_type == DefaultRecordBatch.LOG_APPEND_TIME:
        return [Raw(raw.offset, batch.max_timestamp, raw.value) for raw in raws]
    return raws


def _records(buffer: bytes, pos: int, count: int, offset: int, timestamp: int) -> tuple[list[Raw], int]:
    """`count` records from `pos` on, whose times and offsets are relative to the two given; and where they end."""
    raws = []
    for _ in range(count):
        length, pos = _varint(buffer, pos)
        end = pos + length
        later, pos = _varint(buffer, pos + 1)  # after the attributes, which no record uses
        further, pos = _varint(buffer, pos)
        key, pos = _varint(buffer, pos)
        size, pos = _varint(buffer, pos + key if key > 0 else pos)
        if pos + max(size, 0) > end:
            raise ValueError(f"a value of {size} bytes is longer than its record")
        raws.append(Raw(offset + further, timestamp + later, buffer[pos : pos + size] if size >= 0 else None))
        pos = end
    return raws, pos


def _varint(buffer: bytes, pos: int) -> tuple[int, int]:
    """A zigzag number and where it ends. Nearly all have one or two bytes."""
    first = buffer[pos]
    if first < 0x80:
        return (first >> 1) ^ -(first & 1), pos + 1
    second = buffer[pos + 1]
    if second < 0x80:
        number = first & 0x7F | second << 7
        return (number >> 1) ^ -(number & 1), pos + 2
    number, pos = decode_varint(buffer, pos)
    return number, pos
