"""Retention as a plan, which is a value that can be printed, and its carrying out."""

import logging
from dataclasses import dataclass
from datetime import UTC, datetime

from analytics_project.config.types import format_duration
from analytics_project.lib import partitioned
from analytics_project.lib.partitioned import RETIRED, Busy, NotOurs, Partition
from metrics.retention import families, holding, rows
from metrics.retention.families import Family
from metrics.retention.rows import Chore

logger = logging.getLogger(__name__)
AGGREGATIONS = "metric_aggregations"


@dataclass(frozen=True)
class Drop:
    """A partition that is over. `left_over`: an earlier run detached it already, and ended before it dropped it."""

    family: Family
    partition: Partition
    left_over: bool = False

    def __str__(self) -> str:
        if self.left_over:
            return f"drop {self.partition.name}: detached by an earlier run"
        size = f"about {self.partition.rows:,} rows, {self.partition.size / 1e6:,.1f} MB"
        return f"drop {self.partition.name}: older than {format_duration(self.family.keep)}, {size}"


@dataclass(frozen=True)
class Held:
    """A partition that is over and stays for now."""

    name: str
    reason: str

    def __str__(self) -> str:
        return f"hold back {self.name}: {self.reason}"


@dataclass(frozen=True)
class Plan:
    """What is over at a moment: partitions to drop, others to hold back, rows to delete or merge."""

    drops: tuple[Drop, ...] = ()
    held: tuple[Held, ...] = ()
    chores: tuple[Chore, ...] = ()
    left_alone: int = 0

    def __str__(self) -> str:
        lines = [str(step) for step in (*self.drops, *self.held, *self.chores)] or ["nothing to do"]
        if self.left_alone:
            lines.append(f"keep {self.left_alone:,} dead letters as old as raw events become: they were never replayed")
        return "\n".join(lines)


@dataclass
class Done:
    """What came of a plan."""

    dropped: list[str]
    held: list[Held]

    def __str__(self) -> str:
        lines = [*map(str, self.held), f"dropped {len(self.dropped)} partitions, {len(self.held)} held back"]
        return "\n".join(lines)


def plan(now: datetime | None = None) -> Plan:
    """Look at everything and change nothing."""
    now = now or datetime.now(UTC)
    drops: list[Drop] = []
    held: list[Held] = []
    for family in (families.raw(), *families.rollups()):
        _look(family, now, drops, held)
    return Plan(tuple(drops), tuple(held), tuple(rows.chores(now)), rows.left_alone(now))


def _look(family: Family, now: datetime, drops: list[Drop], held: list[Held]) -> None:
    over = [partition for partition in partitioned.attached(family.parent) if family.over(partition, now)]
    for partition in over:
        reason = holding.reason(family, partition, [drop.partition.name for drop in drops])
        if reason is None:
            drops.append(Drop(family, partition))
        else:
            held.append(Held(partition.name, reason))
    for name, comment in partitioned.detached(family.pattern).items():
        left_over = family.named(name)
        if left_over is None or not family.over(left_over, now):
            continue
        if comment == RETIRED:
            drops.append(Drop(family, left_over, left_over=True))
        else:
            held.append(Held(name, "detached, but not by this service"))


def apply(plan: Plan) -> Done:
    """Carry out a plan. What is to be held back after all, or is in use for long, is told and left for the next run.

    Outside a transaction only: each step is committed by itself, and the next run goes on after the last one.
    """
    done = Done([], list(plan.held))
    for held in plan.held:
        logger.warning("Retention: %s", held)
    for drop in plan.drops:
        reason = _drop(drop)
        if reason is None:
            logger.info("Retention: dropped %s", drop.partition.name)
            done.dropped.append(drop.partition.name)
        else:
            done.held.append(Held(drop.partition.name, reason))
            logger.warning("Retention: %s", done.held[-1])
    for chore in plan.chores:
        logger.info("Retention: %s", chore)
        chore.apply()
    if plan.left_alone:
        logger.warning("Retention: %d old dead letters were never replayed, and are kept", plan.left_alone)
    partitioned.analyze([AGGREGATIONS, *(family.parent for family in families.rollups())])
    return done


def _drop(drop: Drop) -> str | None:
    """Seal, detach, drop; answers why not."""
    family, partition = drop.family, drop.partition
    try:
        if not drop.left_over:
            if against := holding.seal(family, partition):
                return against
            partitioned.detach(family.parent, partition.name)
        partitioned.drop(partition.name)
    except (Busy, NotOurs) as error:
        return str(error)
    return None
