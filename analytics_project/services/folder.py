"""The folder of one instance: what is remembered between commands, and the lock around changes."""

import fcntl
import json
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2] / ".services"


def root() -> Path:
    """Where the instances live: `.services` of the checkout, unless SERVICES_DIR names another place."""
    return Path(os.environ.get("SERVICES_DIR") or ROOT)


class Folder:
    """`.services/<name>`: one sub-folder and one remembered entry for each service."""

    def __init__(self, name: str) -> None:
        if not name.isidentifier():
            raise ValueError(f"{name!r}: the name of an instance must be letters, digits and underscores")
        self.name = name
        self.path = root() / name

    def read(self, service: str) -> dict[str, Any]:
        """What was remembered of a service; nothing if it never started or its file was damaged."""
        try:
            content = json.loads((self.path / f"{service}.json").read_text())
        except (FileNotFoundError, json.JSONDecodeError):
            return {}
        return content if isinstance(content, dict) else {}

    def write(self, service: str, **changes: object) -> None:
        """Remember more of a service. Replaced in one step, so that no reader sees half a file."""
        target = self.path / f"{service}.json"
        draft = target.with_suffix(".draft")
        draft.touch(mode=0o600)
        draft.write_text(json.dumps(self.read(service) | changes))
        draft.replace(target)

    @contextmanager
    def locked(self, report: Callable[[str], None]) -> Iterator[None]:
        """Hold the only right to start and stop services here; wait for whoever has it."""
        self.path.mkdir(parents=True, exist_ok=True)
        with (self.path / "lock").open("w") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                report(f"waiting for another command that starts or stops {self.name}")
                fcntl.flock(lock, fcntl.LOCK_EX)
            yield


def folders() -> list[Folder]:
    """Every instance of this checkout."""
    if not root().is_dir():
        return []
    return [Folder(path.name) for path in sorted(root().iterdir()) if path.is_dir() and path.name.isidentifier()]
