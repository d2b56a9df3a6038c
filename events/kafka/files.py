"""Files of events, one JSON object a line, plain or gzip, as what is to be sent."""

import gzip
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import BinaryIO

import orjson

from events.kafka.outgoing import Outgoing, key_of

GZIP_MAGIC = b"\x1f\x8b"


class Unreadable(Exception):
    """A file that cannot be replayed; the text says which and why."""


def check(path: Path) -> int:
    """The size of a file in bytes; raises Unreadable where it is missing, a folder or forbidden."""
    try:
        with path.open("rb") as file:
            return file.seek(0, 2)
    except OSError as error:
        raise Unreadable(f"{path}: {error.strerror}") from error


def records(path: Path, topic: str, progress: Callable[[int], object]) -> Iterator[Outgoing]:
    """Every line that is not empty, as it is: whether it is an event, the consumer decides.

    `progress` hears how many bytes of the file were read since the last call.
    """
    position = 0
    with path.open("rb") as file:
        try:
            for line in _lines(file):
                if line := line.strip():
                    yield Outgoing(topic, _key(line), line)
                progress(file.tell() - position)
                position = file.tell()
        except (EOFError, gzip.BadGzipFile) as error:
            raise Unreadable(f"{path}: damaged gzip file: {error}") from error


def _lines(file: BinaryIO) -> Iterator[bytes]:
    compressed = file.read(2) == GZIP_MAGIC
    file.seek(0)
    return iter(gzip.GzipFile(fileobj=file) if compressed else file)


def _key(line: bytes) -> bytes | None:
    try:
        envelope = orjson.loads(line)
    except orjson.JSONDecodeError:
        return None
    return key_of(envelope) if isinstance(envelope, dict) else None
