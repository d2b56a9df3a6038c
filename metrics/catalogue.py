"""Which metrics there are: the built-in ones, and those that the users of a project defined."""

import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

from django.db import connection, transaction
from django.db.models.signals import post_delete, post_save

from metrics.declarations import BUILT_IN, COUNT_PREFIX, Metric, count_of
from metrics.definitions.models import MetricDefinition

FRESH = 5.0  # seconds that another process may not know of a change
OWN: Mapping[str, Metric] = MappingProxyType({metric.name: metric for metric in BUILT_IN})
LONGEST_TYPE = 255


def metrics_of(project_id: int, *, fresh: bool = False) -> list[Metric]:
    """The built-in metrics and the project's active definitions; not those of each event type, see `count_of`.

    `fresh` asks the database. Who computes rollups must ask so, in the transaction that claimed the
    marks and after that: a definition that is older than a mark is then never missed.
    """
    return [*BUILT_IN, *_definitions(project_id, fresh=fresh).values()]


def find(project_id: int, name: str) -> Metric | None:
    """A metric by name; every event type has one, whether or not there are such events."""
    if name in OWN:
        return OWN[name]
    if name.startswith(COUNT_PREFIX):
        event_type = name.removeprefix(COUNT_PREFIX)
        return count_of(event_type) if 1 <= len(event_type) <= LONGEST_TYPE else None
    return _definitions(project_id).get(name)


def forget() -> None:
    """Ask the database at the next question."""
    _remembered.forget()


@dataclass
class _Remembered:
    """Definitions by project, each for a few seconds. What is loaded while something changes is not kept."""

    _lock: threading.Lock = field(default_factory=threading.Lock)
    _kept: dict[int, tuple[float, Mapping[str, Metric]]] = field(default_factory=dict)
    _changes: int = 0

    def get(self, project_id: int) -> Mapping[str, Metric] | None:
        until, metrics = self._kept.get(project_id, (0.0, None))
        return metrics if time.monotonic() < until else None

    def load(self, project_id: int) -> Mapping[str, Metric]:
        changes = self._changes
        metrics = _load(project_id)
        with self._lock:
            if changes == self._changes and not _changed_here():
                self._kept[project_id] = (time.monotonic() + FRESH, metrics)
        return metrics

    def forget(self) -> None:
        with self._lock:
            self._changes += 1
            self._kept = {}


_remembered = _Remembered()


def _definitions(project_id: int, *, fresh: bool = False) -> Mapping[str, Metric]:
    known = None if fresh or _changed_here() else _remembered.get(project_id)
    return _remembered.load(project_id) if known is None else known


def _load(project_id: int) -> Mapping[str, Metric]:
    rows = MetricDefinition.objects.filter(project_id=project_id, active=True).order_by("name")
    # A built-in metric that a later version brings wins over a definition of its name.
    return MappingProxyType({row.name: row.to_metric() for row in rows if row.name not in OWN})


def _changed_here() -> bool:
    """Whether the open transaction changed definitions: only itself may see that, and only until it ends."""
    return any(hook[1] is forget for hook in connection.run_on_commit)


def _forget_when_committed(**_: object) -> None:
    transaction.on_commit(forget)


for signal in (post_save, post_delete):
    signal.connect(_forget_when_committed, sender=MetricDefinition, dispatch_uid="metrics.catalogue")
