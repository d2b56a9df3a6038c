"""Kinds of configuration values: durations such as `90d`, comma lists, host:port addresses."""

import re
from datetime import timedelta
from typing import Annotated, Any

from pydantic import AfterValidator, BeforeValidator, PlainSerializer
from pydantic_settings import NoDecode

UNITS = {"ms": 0.001, "s": 1, "m": 60, "h": 3600, "d": 86400, "w": 604800}
DURATION = re.compile(r"(\d+(?:\.\d+)?)(ms|s|m|h|d|w)")
ADDRESS = re.compile(r"[A-Za-z0-9_.-]+:\d{1,5}|\[[0-9A-Fa-f:]+\]:\d{1,5}")


def parse_duration(value: Any) -> Any:
    """Turn `90d`, `5s`, `1h30m` into a timedelta; other types pass on to pydantic's own check."""
    if not isinstance(value, str):
        return value
    parts = DURATION.findall(value)
    if not parts or "".join(number + unit for number, unit in parts) != value:
        raise ValueError("must be a duration such as 500ms, 5s, 10m, 2h, 90d or 1h30m")
    return timedelta(seconds=sum(float(number) * UNITS[unit] for number, unit in parts))


def positive(value: timedelta) -> timedelta:
    if value <= timedelta(0):
        raise ValueError("must be longer than zero")
    return value


def format_duration(value: timedelta) -> str:
    """The shortest spelling that `parse_duration` reads back, e.g. `90d`."""
    milliseconds = round(value.total_seconds() * 1000)
    for unit in ("d", "h", "m", "s"):
        size = round(UNITS[unit] * 1000)
        if milliseconds % size == 0:
            return f"{milliseconds // size}{unit}"
    return f"{milliseconds}ms"


def split_commas(value: Any) -> Any:
    if isinstance(value, str):
        return [part.strip() for part in value.split(",") if part.strip()]
    return value


def check_addresses(value: list[str]) -> list[str]:
    if not value or not all(ADDRESS.fullmatch(address) for address in value):
        raise ValueError("must be host:port, several separated by commas")
    return value


Duration = Annotated[
    timedelta,
    BeforeValidator(parse_duration),
    AfterValidator(positive),
    PlainSerializer(format_duration),
]
CommaList = Annotated[list[str], NoDecode, BeforeValidator(split_commas)]
Addresses = Annotated[CommaList, AfterValidator(check_addresses)]
