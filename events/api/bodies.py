"""The bytes of a request body: limited in size, before and after decompression."""

import zlib
from collections.abc import Iterator
from typing import Any, Protocol

from django.conf import settings
from django.http import HttpRequest

from events.api.errors import BadRequest, TooLarge, UnsupportedEncoding

CHUNK = 65_536
GZIP = 16 + zlib.MAX_WBITS


class Readable(Protocol):
    def read(self, size: int = ..., /) -> bytes: ...


def read_body(request: HttpRequest) -> bytes:
    """Read the whole body, inflated if it came as gzip. At most `server.max_body_size` bytes, either way."""
    limit: int = settings.CONFIG.server.max_body_size
    if _content_length(request.META) > limit:
        raise TooLarge(f"at most {limit} bytes")
    encoding = request.headers.get("Content-Encoding", "").strip().lower()
    pieces = _limited(_pieces(_stream(request)), limit)
    if encoding in ("gzip", "x-gzip"):
        pieces = _limited(_inflate(pieces), limit)
    elif encoding not in ("", "identity"):
        raise UnsupportedEncoding(encoding)
    return b"".join(pieces)


def _content_length(meta: dict[str, Any]) -> int:
    try:
        return int(meta.get("CONTENT_LENGTH") or 0)
    except ValueError:
        return 0


def _stream(request: HttpRequest) -> Readable:
    # Django reads as many bytes as Content-Length says, which is none for a chunked body.
    if "chunked" in request.headers.get("Transfer-Encoding", "").lower():
        stream: Readable = request.META["wsgi.input"]
        return stream
    return request


def _pieces(stream: Readable) -> Iterator[bytes]:
    try:
        while piece := stream.read(CHUNK):
            yield piece
    except OSError as error:
        raise BadRequest("Invalid request body", f"the body broke off: {type(error).__name__}") from None


def _limited(pieces: Iterator[bytes], limit: int) -> Iterator[bytes]:
    size = 0
    for piece in pieces:
        size += len(piece)
        if size > limit:
            raise TooLarge(f"at most {limit} bytes, after decompression")
        yield piece


def _inflate(pieces: Iterator[bytes]) -> Iterator[bytes]:
    """Inflate in small steps, so that a small body that swells to gigabytes is refused at the limit."""
    inflater = zlib.decompressobj(GZIP)
    try:
        for piece in pieces:
            inflated = b""
            # A full step may have left more behind, even when it took all its input.
            while piece or (len(inflated) == CHUNK and not inflater.eof):
                if inflater.eof:  # gzip files may be joined end to end
                    inflater = zlib.decompressobj(GZIP)
                inflated = inflater.decompress(piece, CHUNK)
                yield inflated
                piece = inflater.unconsumed_tail or inflater.unused_data
    except zlib.error as error:
        raise BadRequest("Invalid request body", f"not gzip: {error}", reason="invalid_gzip") from None
    if not inflater.eof:
        raise BadRequest("Invalid request body", "the gzip data is cut off", reason="invalid_gzip")
