"""The Prometheus text of all processes together."""

import os
import re
from pathlib import Path

from prometheus_client import REGISTRY, CollectorRegistry
from prometheus_client.exposition import choose_encoder
from prometheus_client.multiprocess import MultiProcessCollector
from prometheus_client.registry import Collector

from analytics_project.monitoring.collector import ServiceCollector

LIVE_FILE = re.compile(r"gauge_live[a-z]*_(\d+)\.db")


class Exposition:
    """Counters of every process that shares PROMETHEUS_MULTIPROC_DIR, and gauges read from the services."""

    def __init__(self, folder: str = "") -> None:
        self.folder = folder
        self.registry = CollectorRegistry()
        self.registry.register(ServiceCollector())
        if folder:
            MultiProcessCollector(self.registry, path=folder)  # type: ignore[no-untyped-call]
        else:
            self.registry.register(_Own())

    def render(self, accept: str) -> tuple[str, bytes]:
        """Content type and body."""
        if self.folder:
            forget_the_dead(Path(self.folder))
        encode, content_type = choose_encoder(accept)
        return content_type, encode(self.registry)


class _Own(Collector):
    """This process's instruments only: what there is without a shared folder."""

    collect = staticmethod(REGISTRY.collect)


def forget_the_dead(folder: Path) -> None:
    """Drop the live gauges of processes that ended, however they ended; what they counted stays."""
    for path in folder.glob("gauge_live*.db"):
        match = LIVE_FILE.fullmatch(path.name)
        if match and not _alive(int(match[1])):
            path.unlink(missing_ok=True)


def _alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
