"""Arguments of commands that the standard types do not cover; each refusal is one line."""

from argparse import ArgumentTypeError
from datetime import datetime, timedelta

from analytics_project.config.types import parse_duration
from events.refusal import Refused
from events.timestamps import parse_timestamp


def positive(text: str) -> float:
    try:
        number = float(text)
    except ValueError:
        number = 0.0
    if not 0 < number < 1e9:
        raise ArgumentTypeError(f"{text!r} must be a number above 0")
    return number


def fraction(text: str) -> float:
    try:
        number = float(text)
    except ValueError:
        number = -1.0
    if not 0 <= number <= 1:
        raise ArgumentTypeError(f"{text!r} must be a fraction from 0 to 1, such as 0.05")
    return number


def duration(text: str) -> timedelta:
    try:
        value: timedelta = parse_duration(text)
    except ValueError as error:
        raise ArgumentTypeError(f"{text!r} {error}") from None
    return value


def moment(text: str) -> datetime:
    try:
        return parse_timestamp(text)
    except Refused as error:
        raise ArgumentTypeError(f"{text!r} is not a time such as 2026-11-23T00:00:00Z") from error


def comma_list(text: str) -> list[str]:
    return [part.strip() for part in text.split(",") if part.strip()]
