"""The machine: its cores, whose CPU time was used, and how much of it was not ours."""

import os
import platform
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import psutil

Meter = Callable[[], float]


def describe() -> str:
    memory = psutil.virtual_memory().total / 2**30
    return f"{os.cpu_count()} cores ({platform.machine()}), {memory:.0f} GiB, Python {platform.python_version()}"


def own_seconds(process: psutil.Process) -> float:
    """CPU time of a process alone."""
    times = process.cpu_times()
    return float(times.user + times.system)


def cpu_seconds(root: psutil.Process | None) -> float:
    """CPU time of a process and its descendants, those included that have ended and were waited for."""
    if root is None:
        return 0.0
    total = 0.0
    for process in (root, *root.children(recursive=True)):
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
    """CPU seconds that each meter counts between `start` and `stop`, and the cores that others used.

    This process has a meter of its own, without its children: those are named by the caller.
    """

    meters: Mapping[str, Meter]
    used: dict[str, float] = field(default_factory=dict)
    wall: float = 0.0
    foreign_cores: float = 0.0

    def start(self) -> None:
        self._wall, self._machine = time.monotonic(), machine_seconds()
        self._before = self._read()

    def stop(self) -> None:
        self.wall = time.monotonic() - self._wall
        self.used = {name: seconds - self._before[name] for name, seconds in self._read().items()}
        others = machine_seconds() - self._machine - sum(self.used.values())
        self.foreign_cores = max(0.0, others / self.wall)

    def _read(self) -> dict[str, float]:
        return {name: meter() for name, meter in self.meters.items()} | {"measuring": time.process_time()}
