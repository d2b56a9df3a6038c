"""Coarser intervals, each from the one below."""

from collections.abc import Iterable, Sequence
from itertools import groupby

from psycopg import sql

from analytics_project.lib import partitioned
from metrics.declarations import UNIQUE_USERS
from metrics.rollups import uniques, work
from metrics.rollups.claims import Claim
from metrics.rollups.facts import Statement
from metrics.rollups.intervals import Rung
from metrics.rollups.merging import MERGED_BELOW


def compute(rung: Rung, claims: Iterable[Claim]) -> int:
    """Compute and replace the claimed buckets, and mark what is above them; answers how many they were."""
    count = 0
    claims = _with_parts(rung, claims)
    for project_id, group in groupby(sorted(claims), lambda claim: claim.project_id):
        mine = list(group)
        _compute(project_id, rung, [claim for claim in mine if claim.name != UNIQUE_USERS])
        uniques.compute(project_id, rung, [claim.bucket for claim in mine if claim.name == UNIQUE_USERS])
        work.mark_above(project_id, rung, mine)
        count += len(mine)
    return count


def _with_parts(rung: Rung, claims: Iterable[Claim]) -> list[Claim]:
    """Without those from a time whose finer rows were dropped: nothing is left to compute them from."""
    below = rung.below.interval.value if rung.below else ""
    leaves = partitioned.attached(f"metric_aggregations_{below}")
    parts = [(leaf.start, leaf.end) for leaf in leaves if leaf.start and leaf.end]
    return [claim for claim in claims if any(start <= claim.bucket < end for start, end in parts)]


def _compute(project_id: int, rung: Rung, claims: Sequence[Claim]) -> None:
    if rung.below is None:
        raise ValueError(f"{rung.interval} is computed from the facts")
    work.make()
    work.add(
        Statement(
            sql.SQL(MERGED_BELOW),
            {
                "project": project_id,
                "below": rung.below.interval.value,
                "length": rung.length,
                "names": [claim.name for claim in claims],
                "buckets": [claim.bucket for claim in claims],
            },
        )
    )
    work.replace(project_id, rung, claims)
