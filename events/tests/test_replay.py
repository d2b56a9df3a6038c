import gzip
import os
import time
from collections import Counter
from io import StringIO
from pathlib import Path

import pytest
from django.core.management import call_command
from django.core.management.base import CommandError

from events.tests.broker import new_topic, records_of

LINES = [
    b'{"event_type":"market.trade","properties":{"symbol":"BTCUSDT","price":"61800.30"}}',
    b'{"event_type":"user.login","user_id":"u-7"}',
    b"not json at all",
    b'["no", "object"]',
    b"\xff\xfe\x00",
]


@pytest.fixture
def plain(tmp_path: Path) -> Path:
    path = tmp_path / "events.ndjson"
    path.write_bytes(b"\n".join(LINES[:3]) + b"\n\n  \r\n" + b"\r\n".join(LINES[3:]))
    return path


@pytest.fixture
def zipped(tmp_path: Path) -> Path:
    path = tmp_path / "events.ndjson.gz"
    path.write_bytes(gzip.compress(b"\n".join(LINES[:2])))
    return path


def replay(*files: Path, topic: str, **options: object) -> str:
    out = StringIO()
    call_command("replay", *map(str, files), topic=topic, stdout=out, stderr=StringIO(), **options)
    return out.getvalue()


def test_lines_are_sent_as_they_are_and_keyed(plain: Path, zipped: Path) -> None:
    topic = new_topic()

    said = replay(plain, zipped, topic=topic)

    found = records_of(topic, 7)
    assert Counter(value for _, _, value in found) == Counter(LINES + LINES[:2])
    assert {value: key for _, key, value in found} == {
        LINES[0]: b"BTCUSDT",
        LINES[1]: b"u-7",
        **dict.fromkeys(LINES[2:]),
    }
    assert said == f"7 records sent to {topic}, 7 of them acknowledged\n"


def test_the_rate_is_not_exceeded(tmp_path: Path) -> None:
    path = tmp_path / "many.ndjson"
    path.write_bytes(b"{}\n" * 100)
    topic = new_topic()
    began = time.monotonic()

    replay(path, topic=topic, rate=100.0)

    assert time.monotonic() - began > 0.9


def test_an_unknown_topic_is_refused_before_anything_is_sent(plain: Path) -> None:
    with pytest.raises(CommandError, match=r"unknown topic no\.such\.topic; the broker has"):
        replay(plain, topic="no.such.topic")


def test_a_missing_file_is_refused_before_anything_is_sent(plain: Path, tmp_path: Path) -> None:
    topic = new_topic()

    with pytest.raises(CommandError, match=r"missing\.ndjson: No such file or directory"):
        replay(plain, tmp_path / "missing.ndjson", topic=topic)
    with pytest.raises(CommandError, match="Is a directory"):
        replay(tmp_path, topic=topic)

    assert replay(plain, topic=topic).startswith("5 records sent")


def test_what_stands_before_the_damage_of_a_file_is_sent(tmp_path: Path) -> None:
    path = tmp_path / "cut.gz"
    whole = gzip.compress(b"\n".join(b'{"n":"%s"}' % os.urandom(8).hex().encode() for _ in range(5000)))
    path.write_bytes(whole[: len(whole) // 2])
    topic = new_topic()

    with pytest.raises(CommandError, match=r"cut\.gz: damaged gzip file"):
        replay(path, topic=topic)

    assert len(records_of(topic, 1000)) >= 1000
