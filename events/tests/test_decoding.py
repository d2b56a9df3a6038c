"""Our decoding of record batches against kafka-python's own."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from kafka import TopicPartition
from kafka.consumer.fetcher import Fetcher
from kafka.errors import CorruptRecordError
from kafka.record import MemoryRecords, MemoryRecordsBuilder
from kafka.record.default_records import DefaultRecordBatch
from kafka.record.util import calc_crc32c

from events.consumer.decoding import WholeBatches, decode, unfold
from events.consumer.reader import Raw

PARTITION = TopicPartition("trading.events", 0)
INT62 = st.integers(0, 2**62)
HEADERS = st.lists(st.tuples(st.text(max_size=5), st.none() | st.binary(max_size=5)), max_size=3)
RECORD = st.tuples(INT62, st.none() | st.binary(max_size=200), st.none() | st.binary(max_size=20_000), HEADERS)
NONE, GZIP, SNAPPY, LZ4, ZSTD = range(5)


def built(records: list[tuple[Any, ...]], *, offset: int = 0, compression: int = NONE, magic: int = 2) -> bytes:
    """A batch as a broker gives it: `offset` is put in front without touching what the checksum covers."""
    builder = MemoryRecordsBuilder(magic, compression, 10**8)
    for record in records:
        builder.append(*record)
    builder.close()
    data = bytes(builder.buffer())
    return offset.to_bytes(8, "big") + data[8:] if offset else data


def ours(data: bytes, fetch_offset: int = 0) -> list[Raw]:
    return unfold(WholeBatches(fetch_offset, PARTITION, MemoryRecords(data)).take())


def theirs(data: bytes, fetch_offset: int = 0) -> list[Raw]:
    records = Fetcher.PartitionRecords(fetch_offset, PARTITION, MemoryRecords(data)).take()
    return [Raw(record.offset, record.timestamp, record.value) for record in records]


@given(
    st.lists(st.lists(RECORD, min_size=1, max_size=8), max_size=3),
    st.integers(0, 2**40),
    st.sampled_from([NONE, GZIP, SNAPPY, LZ4, ZSTD]),
)
def test_it_gives_what_kafka_python_gives(batches: list[list[tuple[Any, ...]]], offset: int, compression: int) -> None:
    data = b""
    for records in batches:
        data += built(records, offset=offset, compression=compression)
        offset += len(records)

    assert ours(data) == theirs(data)


@pytest.mark.parametrize("magic", [0, 1])
def test_records_of_older_formats_are_taken_one_by_one(magic: int) -> None:
    data = built([(1_795_439_100_000, None, b"%d" % number) for number in range(3)], magic=magic)

    assert [(record.offset, record.value) for record in ours(data)] == [(0, b"0"), (1, b"1"), (2, b"2")]


def test_a_batch_that_begins_before_the_position_comes_whole() -> None:
    data = built([(0, None, b"%d" % number) for number in range(5)]) + built([(0, None, b"5")], offset=5)

    assert [record.offset for record in ours(data, fetch_offset=3)] == [0, 1, 2, 3, 4, 5]
    assert ours(built([(0, None, b"x")] * 3), fetch_offset=3) == []


def test_where_to_go_on_is_behind_the_last_offset_even_of_a_compacted_batch() -> None:
    builder = MemoryRecordsBuilder(2, NONE, 10**6)
    builder.append(0, None, b"first")
    builder.skip(6)
    builder.append(0, None, b"last")
    builder.close()
    part = WholeBatches(0, PARTITION, MemoryRecords(bytes(builder.buffer())))

    assert [record.offset for record in unfold(part.take())] == [0, 7]
    assert part.next_fetch_offset == 8


def test_the_broker_s_time_counts_where_it_gives_one() -> None:
    batch = DefaultRecordBatch(built([(1000, None, b"a"), (3000, None, b"b")]))
    header = list(batch._header_data)
    header[5] |= DefaultRecordBatch.TIMESTAMP_TYPE_MASK
    batch._header_data = tuple(header)

    assert [raw.timestamp for raw in decode(batch)] == [3000, 3000]


def test_a_header_that_is_not_utf_8_stops_nothing() -> None:
    data = built([(0, b"key", b"value", [("name", b"x")])]).replace(b"name", b"\xff\xfe\xff\xfe")
    data = with_checksum(data)
    with pytest.raises(CorruptRecordError):
        theirs(data)

    assert ours(data) == [Raw(0, 0, b"value")]


@given(st.integers(0, 10**6), st.integers(0, 255))
def test_a_damaged_batch_is_called_so(place: int, byte: int) -> None:
    records = [(number, b"k", b"some value", [("h", b"x")]) for number in range(5)]
    damaged = bytearray(built(records))
    place = DefaultRecordBatch.HEADER_STRUCT.size + place % (len(damaged) - DefaultRecordBatch.HEADER_STRUCT.size)
    damaged[place] = byte

    try:
        assert len(ours(with_checksum(bytes(damaged)))) == 5
    except CorruptRecordError as error:
        assert "in the batch at 0" in str(error)  # noqa: PT017


def test_a_wrong_checksum_is_noticed() -> None:
    data = bytearray(built([(0, None, b"value")]))
    data[-3] ^= 1

    with pytest.raises(CorruptRecordError, match="crc"):
        ours(bytes(data))


def with_checksum(data: bytes) -> bytes:
    """The batch with the checksum of what it holds now, so that decoding is reached at all."""
    at = DefaultRecordBatch.CRC_OFFSET
    checksum: int = calc_crc32c(data[at + 4 :])
    return data[:at] + checksum.to_bytes(4, "big") + data[at + 4 :]
