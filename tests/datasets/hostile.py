"""Input made to break parsers."""

import json
from collections.abc import Iterator
from typing import Any, Literal, NamedTuple

from tests.datasets import folder_of


class JsonCase(NamedTuple):
    name: str
    body: bytes
    # Must be accepted as JSON, must be refused, or may be either.
    verdict: Literal["y", "n", "i"]


class CloudEvent(NamedTuple):
    name: str
    event: Any
    valid: bool


def json_cases() -> Iterator[JsonCase]:
    for path in sorted(folder_of("hostile_json_parsing_suite").glob("*.json")):
        verdict: Literal["y", "n", "i"] = "y" if path.name[0] == "y" else "n" if path.name[0] == "n" else "i"
        yield JsonCase(path.stem, path.read_bytes(), verdict)


def naughty_strings() -> list[str]:
    strings: list[str] = json.loads((folder_of("hostile_strings_blns_a") / "blns.json").read_bytes())
    return strings


def cloud_events() -> Iterator[CloudEvent]:
    folder = folder_of("events_cloudevents_conformance")
    for name, valid in (("valid-events.json", True), ("invalid-events.json", False)):
        for test in json.loads((folder / name).read_bytes())["tests"]:
            yield CloudEvent(test["id"], test["event"], valid)
