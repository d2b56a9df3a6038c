"""Bytes of unknown origin as text that a person can look at safely."""

import re

from django.utils.html import format_html
from django.utils.safestring import SafeString

SHOWN = 65_536
ROW = 16
# Control characters, and those that turn the direction of text round.
DECEIVING = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u200b-\u200f\u202a-\u202e\u2066-\u2069\ufeff]")


def readable(raw: bytes) -> str:
    """The text if it is UTF-8, with what cannot be seen spelled out; else a hex dump. The beginning, if it is long."""
    shown = raw[:SHOWN]
    try:
        text = shown.decode() if len(raw) <= SHOWN else shown.decode("utf-8", "ignore")
    except UnicodeDecodeError:
        text = hex_dump(shown)
    else:
        text = DECEIVING.sub(lambda match: f"\\u{ord(match[0]):04x}", text)
    rest = len(raw) - len(shown)
    return f"{text}\n… and {rest} bytes more" if rest else text


def hex_dump(raw: bytes) -> str:
    """Offset, sixteen bytes in hex, and those that are printable ASCII."""
    return "\n".join(_dump_row(raw[start : start + ROW], start) for start in range(0, len(raw), ROW))


def _dump_row(row: bytes, start: int) -> str:
    printable = "".join(chr(byte) if 32 <= byte < 127 else "." for byte in row)
    return f"{start:08x}  {row.hex(' '):<{3 * ROW - 1}}  {printable}"


def preformatted(text: str) -> SafeString:
    """As it is, line by line, with all of HTML's characters escaped."""
    return format_html('<pre style="white-space:pre-wrap;overflow-wrap:anywhere;margin:0">{}</pre>', text)
