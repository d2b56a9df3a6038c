"""Events of the web: GitHub's public activity, and the access log of a site."""

import json
import re
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

from tests.datasets.envelopes import Dataset, Envelope, envelope

LOG_LINE = re.compile(
    r'(?P<ip>\S+) \S+ \S+ \[(?P<time>[^]]+)] "(?P<request>(?:[^"\\]|\\.)*)" (?P<status>\d+) (?P<bytes>\d+|-)'
    r'(?: "(?P<referrer>(?:[^"\\]|\\.)*)" "(?P<agent>.*)"?)?'
)


def github(folder: Path) -> Iterator[Envelope]:
    with (folder / "events.ndjson").open(encoding="utf-8") as file:
        for line in file:
            event = json.loads(line)
            moment = datetime.fromisoformat(event.pop("created_at"))
            key, kind = event.pop("id"), event.pop("type")
            yield envelope("github", key, f"github.{kind}", moment, event, user_id=str(event["actor"]["id"]))


def apache(folder: Path) -> Iterator[Envelope]:
    """One page view a line; agents and requests are as hostile as they were."""
    with (folder / "access.log").open(encoding="utf-8", errors="backslashreplace", newline="\n") as file:
        for number, line in enumerate(file, start=1):
            match = LOG_LINE.match(line)
            if match is None:
                raise ValueError(f"line {number} is no line of an access log")
            found = match.groupdict()
            method, _, rest = found["request"].partition(" ")
            properties = {
                "method": method,
                "path": rest.rpartition(" ")[0] or rest,
                "status": int(found["status"]),
                "bytes": 0 if found["bytes"] == "-" else int(found["bytes"]),
                "referrer": found["referrer"],
                "user_agent": (found["agent"] or "").removesuffix('"'),
            }
            moment = datetime.strptime(found["time"], "%d/%b/%Y:%H:%M:%S %z")
            yield envelope("apache", str(number), "page.view", moment, properties, session_id=found["ip"])


GITHUB = Dataset("events_github_2021_a", github)
APACHE = Dataset("weblog_apache_a", apache)
