"""The machine: its cores, whose CPU time was used, and how much of it was not ours."""

import os
import platform
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field

import psutil

Find = Callable[[], Iterable[psutil.Process]]


def describe() -> str:
    memory = psutil.virtual_memory().total / 2**30
    return f"{os.cpu_count()} cores ({platform.machine()}), {memory:.0f} GiB, Python {platform.python_version()}"


def family(root: psutil.Process | None) -> list[psutil.Process]:
    """A process and all that descend from it."""
    if root is None:
        return []
    try:
        return [root, *root.children(recursive=True)]
    except psutil.NoSuchProcess:
        return []


def cpu_seconds(root: psutil.Process | None) -> float:
    """CPU time of a process and its descendants, those included that have ended and were waited for."""
    total = 0.0
    for process in family(root):
        try:
            times = process.cpu_times()
        except psutil.NoSuchProcess:
            continue
        total += times.user + times.system + times.children_user + times.children_system
    return total


def resident_mb(process: psutil.Process) -> float:
    return float(process.memory_info().rss) / 1e6


def machine_seconds() -> float:
    """CPU time that all processes together have used."""
    times = psutil.cpu_times()
    return float(sum(times) - times.idle - times.iowait - getattr(times, "guest", 0.0))


@dataclass
class CpuClock:
    """CPU seconds of named process families between `start` and `stop`, and of everybody else.

    This process counts as one of us, without its children: those have names of their own.
    """

    roots: Mapping[str, psutil.Process | None]
    used: dict[str, float] = field(default_factory=dict)
    wall: float = 0.0
    foreign_cores: float = 0.0

    def start(self) -> None:
        self._wall, self._machine = time.monotonic(), machine_seconds()
        self._own = time.process_time()
        self._before = {name: cpu_seconds(root) for name, root in self.roots.items()}

    def stop(self) -> None:
        self.wall = time.monotonic() - self._wall
        self.used = {name: cpu_seconds(root) - self._before[name] for name, root in self.roots.items()}
        self.used["measuring"] = time.process_time() - self._own
        others = machine_seconds() - self._machine - sum(self.used.values())
        self.foreign_cores = max(0.0, others / self.wall)
