"""Kinds of configuration values: durations such as `90d`, comma lists, host:port addresses."""

import re
from datetime import timedelta
from typing import Annotated, Any

from pydantic import AfterValidator, BeforeValidator, PlainSerializer
from pydantic_settings import NoDecode

UNITS = {"ms": 0.001, "s": 1, "m": 60, "h": 3600, "d": 86400, "w": 604800}
DURATION = re.compile(r"(\d+(?:\.\d+)?)(ms|s|m|h|d|w)", re.ASCII)
LONGEST = timedelta(days=36_500)  # a century: now minus it is still a date
ADDRESS = re.compile(r"(?:[A-Za-z0-9_.-]+|\[[0-9A-Fa-f:]+\]):(\d{1,5})")


def parse_duration(value: Any) -> Any:
    """Turn `90d`, `5s`, `1h30m` into a timedelta. A bare number is refused: 90 what?"""
    if isinstance(value, timedelta):
        return value
    parts = DURATION.findall(value) if isinstance(value, str) else []
    if not parts or "".join(number + unit for number, unit in parts) != value:
        raise ValueError("must be a duration such as 500ms, 5s, 10m, 2h, 90d or 1h30m")
    seconds = sum(float(number) * UNITS[unit] for number, unit in parts)
    # Before it becomes a timedelta, which has an end of its own.
    return timedelta(seconds=min(seconds, 2 * LONGEST.total_seconds()))


def in_range(value: timedelta) -> timedelta:
    if not timedelta(0) < value <= LONGEST:
        raise ValueError(f"must be longer than zero and at most {format_duration(LONGEST)}")
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
    matches = [ADDRESS.fullmatch(address) for address in value]
    if not matches or not all(match and 0 < int(match[1]) < 65_536 for match in matches):
        raise ValueError("must be host:port, several separated by commas")
    return value


Duration = Annotated[
    timedelta,
    BeforeValidator(parse_duration),
    AfterValidator(in_range),
    PlainSerializer(format_duration),
]
CommaList = Annotated[list[str], NoDecode, BeforeValidator(split_commas)]
Addresses = Annotated[CommaList, AfterValidator(check_addresses)]
