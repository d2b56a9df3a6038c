"""Which metrics of which projects a command is about."""

from argparse import ArgumentParser
from collections.abc import Sequence
from difflib import get_close_matches

from access.models import Project
from metrics import catalogue


class Unknown(Exception):
    """A project or a metric that there is not."""


def add_arguments(parser: ArgumentParser) -> None:
    parser.add_argument(
        "--metric", action="append", default=[], help="only this metric; may be repeated (default: all)"
    )
    parser.add_argument("--project", type=int, action="append", default=[], help="only this id (default: all projects)")


def projects(wanted: Sequence[int], names: Sequence[str]) -> list[int]:
    """The ids of these projects, or of all; raises Unknown unless each of the metrics is one of theirs."""
    known = list(Project.objects.order_by("pk").values_list("pk", flat=True))
    if missing := set(wanted) - set(known):
        raise Unknown(f"no project has the id {min(missing)}; there are {', '.join(map(str, known))}")
    chosen = list(wanted) or known
    for name in names:
        if not any(catalogue.find(project_id, name) for project_id in chosen):
            raise Unknown(f"unknown metric {name!r}{_near(name, chosen)}")
    return chosen


def _near(name: str, projects: Sequence[int]) -> str:
    known = {metric.name for project_id in projects for metric in catalogue.metrics_of(project_id)}
    found = get_close_matches(name, sorted(known), n=3)
    return f"; near it: {', '.join(found)}" if found else ""
