"""The topics of B25: how many Kafka partitions each has, how long it keeps records, and making them."""

import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from kafka.admin import KafkaAdminClient
from kafka.errors import KafkaConnectionError, KafkaTimeoutError, TopicAlreadyExistsError

from custom_events.catalogue import MARKET_DATA, ORDER_EVENTS, TRADING_EVENTS, USER_ACTIONS


@dataclass(frozen=True)
class TopicPlan:
    name: str
    partitions: int = 3
    retention: timedelta = timedelta(days=7)

    def options(self, replication_factor: int) -> dict[str, Any]:
        return {
            "num_partitions": self.partitions,
            "replication_factor": replication_factor,
            "configs": {"retention.ms": str(self.retention // timedelta(milliseconds=1))},
        }


_PLANS = {
    plan.name: plan
    for plan in (
        TopicPlan(TRADING_EVENTS, 3, timedelta(days=7)),
        TopicPlan(MARKET_DATA, 5, timedelta(days=1)),
        TopicPlan(ORDER_EVENTS, 3, timedelta(days=7)),
        TopicPlan(USER_ACTIONS, 2, timedelta(days=30)),
    )
}


@dataclass(frozen=True)
class TopicState:
    """What `ensure_topics` found or made of a topic."""

    plan: TopicPlan
    created: bool
    partitions: int

    @property
    def differs(self) -> bool:
        """Is it not as planned? Topics of other names have no plan of their own."""
        return self.plan.name in _PLANS and self.partitions != self.plan.partitions


class BrokerAway(Exception):
    """No Kafka broker answered in the time given."""


def plan_for(name: str) -> TopicPlan:
    return _PLANS.get(name) or TopicPlan(name)


def connect(
    brokers: Sequence[str],
    *,
    timeout: float,
    report: Callable[[str], None],
    stopping: Callable[[], bool] = lambda: False,
) -> KafkaAdminClient:
    """An admin client, as soon as a broker answers. Reports once that it waits."""
    deadline = time.monotonic() + timeout
    reported = False
    while True:
        try:
            return KafkaAdminClient(
                bootstrap_servers=list(brokers), bootstrap_timeout_ms=1500, request_timeout_ms=10_000
            )
        except (KafkaConnectionError, KafkaTimeoutError) as error:
            if time.monotonic() >= deadline or stopping():
                raise BrokerAway(f"no Kafka broker answers at {', '.join(brokers)}") from error
        if not reported:
            report(f"Waiting for Kafka at {', '.join(brokers)} (at most {timeout:.0f} s)")
            reported = True
        time.sleep(0.2)


def ensure_topics(admin: KafkaAdminClient, names: Iterable[str], *, replication_factor: int = 1) -> list[TopicState]:
    """Create what is missing; leave alone what exists. Safe to run twice, or twice at once."""
    plans = [plan_for(name) for name in names]
    missing = partition_counts(admin, plans)
    created = [plan for plan in plans if plan.name not in missing and _create(admin, plan, replication_factor)]
    counts = partition_counts(admin, plans)
    return [TopicState(plan, plan in created, counts.get(plan.name, plan.partitions)) for plan in plans]


def partition_counts(admin: KafkaAdminClient, plans: Iterable[TopicPlan]) -> dict[str, int]:
    """Kafka partitions of those topics that exist. Asks for all: to ask for one may create it."""
    wanted = {plan.name for plan in plans}
    existing = sorted(wanted & set(admin.list_topics()))
    if not existing:
        return {}
    return {topic["name"]: len(topic["partitions"]) for topic in admin.describe_topics(existing)}


def _create(admin: KafkaAdminClient, plan: TopicPlan, replication_factor: int) -> bool:
    try:
        admin.create_topics({plan.name: plan.options(replication_factor)}, wait_for_metadata=True)
    except TopicAlreadyExistsError:
        return False
    return True
