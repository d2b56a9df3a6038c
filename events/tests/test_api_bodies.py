"""Bodies that are too large, packed, cut off, or of the wrong kind."""

import gzip
import io
from collections.abc import Iterator
from typing import Any

import pytest
from django.conf import settings
from django.test import Client, RequestFactory

from events.api.bodies import read_body
from events.api.errors import ApiError
from events.tests.api import BATCH, EVENTS, post

LIMIT = settings.CONFIG.server.max_body_size


@pytest.mark.django_db
def test_a_gzip_body_is_unpacked(client: Client) -> None:
    response = post(client, gzip.compress(b'[{"event_type":"a"}]'), BATCH, headers={"Content-Encoding": "gzip"})

    assert response.json()["stored"] == 1


def test_joined_gzip_files_are_one_body(rf: RequestFactory) -> None:
    assert unpack(rf, gzip.compress(b"one,") + gzip.compress(b"two")) == b"one,two"


@pytest.mark.parametrize("size", [0, 1, 65_535, 65_536, 65_537, 131_072, 1_000_000])
def test_every_size_is_unpacked_whole(rf: RequestFactory, size: int) -> None:
    assert unpack(rf, gzip.compress(b"x" * size)) == b"x" * size


def test_a_body_that_swells_beyond_the_limit_is_refused(rf: RequestFactory) -> None:
    bomb = gzip.compress(b"\0" * (LIMIT + 1))
    assert len(bomb) < LIMIT / 100

    with pytest.raises(ApiError) as refused:
        unpack(rf, bomb)

    assert refused.value.status == 413


@pytest.mark.parametrize(
    "packed", [b"not gzip", b"\x1f\x8b", gzip.compress(b"x" * 1000)[:-9], gzip.compress(b"x") + b"tail"]
)
def test_broken_gzip_is_refused(client: Client, packed: bytes) -> None:
    response = post(client, packed, headers={"Content-Encoding": "gzip"})

    assert response.status_code == 400
    assert response.json()["reason"] == "invalid_gzip"


@pytest.mark.parametrize("path", [EVENTS, BATCH])
def test_a_body_beyond_the_limit_is_refused(client: Client, path: str) -> None:
    response = post(client, b" " * (LIMIT + 1), path)

    assert response.status_code == 413
    assert response.json() == {"error": "Body too large", "details": f"at most {LIMIT} bytes"}


@pytest.mark.django_db
def test_an_event_beyond_its_limit_is_refused(client: Client) -> None:
    body = b'{"event_type":"a","properties":{"x":"' + b"y" * 100_000 + b'"}}'

    response = post(client, body)

    assert (response.status_code, response.json()["reason"]) == (413, "too_large")


def test_too_many_events_in_a_batch_are_refused(client: Client) -> None:
    count = settings.CONFIG.analytics.ingestion.max_batch_events + 1

    assert post(client, [{"event_type": "a"}] * count, BATCH).status_code == 413
    assert post(client, b"{}\n" * count, BATCH, "application/x-ndjson").status_code == 413


@pytest.mark.parametrize("encoding", ["br", "deflate", "gzip, gzip", "x" * 10_000])
def test_another_encoding_is_refused(client: Client, encoding: str) -> None:
    response = post(client, b"{}", headers={"Content-Encoding": encoding})

    assert response.status_code == 415
    assert response["Accept-Encoding"] == "gzip, identity"


@pytest.mark.parametrize("path", [EVENTS, BATCH])
@pytest.mark.parametrize(
    "content_type",
    [
        "",
        "text/plain",
        "application/x-www-form-urlencoded",
        "multipart/form-data; boundary=x",
        "application/json; charset=latin-1",
        "application",
        ";",
        "\x7f/\x7f",
    ],
)
def test_another_content_type_is_refused(client: Client, path: str, content_type: str) -> None:
    response = post(client, b"{}", path, content_type)

    assert response.status_code == 415
    assert response.json()["error"] == "Unsupported content type"
    assert "application/json" in response.json()["details"]


@pytest.mark.parametrize(
    "body", [b"", b"{}", b"5", b"[", b"[1,]", b'[{"a":1},{]', b"\xef\xbb\xbf[]", b"[1]x", b"[" * 100_000]
)
def test_what_is_no_array_is_refused(client: Client, body: bytes) -> None:
    response = post(client, body, BATCH)

    assert response.status_code == 400
    assert response.json()["error"] == "Invalid request body"


def test_a_chunked_body_is_read_without_a_length(rf: RequestFactory) -> None:
    request = rf.post(EVENTS, headers={"Transfer-Encoding": "chunked"}, content_type="application/json")
    request.META["wsgi.input"] = io.BytesIO(b"x" * 200_000)

    assert len(read_body(request)) == 200_000


def test_an_endless_chunked_body_is_refused_at_the_limit(rf: RequestFactory) -> None:
    request = rf.post(EVENTS, headers={"Transfer-Encoding": "chunked"}, content_type="application/json")
    request.META["wsgi.input"] = Endless()

    with pytest.raises(ApiError) as refused:
        read_body(request)

    assert refused.value.status == 413


class Endless:
    def read(self, size: int) -> bytes:
        return b"x" * size

    def __iter__(self) -> Iterator[bytes]:
        raise AssertionError("read in pieces")


def unpack(rf: RequestFactory, packed: bytes) -> bytes:
    headers: dict[str, Any] = {"Content-Encoding": "gzip"}
    return read_body(rf.post(EVENTS, packed, content_type="application/json", headers=headers))
