"""Metrics by name, and what to say of a name that nothing has."""

from difflib import get_close_matches

from events.api.errors import ApiError
from metrics import catalogue
from metrics.declarations import COUNT_PREFIX, Metric, count_of
from metrics.rollups.types import count_names

NEAR = 5
# Of the types that were seen; a name that leaves them out can still be asked for.
MAX_COUNTED = 5000


def find(project_id: int, name: str) -> Metric:
    metric = catalogue.find(project_id, name)
    if metric is None:
        raise _unknown(project_id, name)
    return metric


def known(project_id: int) -> list[Metric]:
    """The declared metrics, and those of the event types that were seen."""
    counted = sorted(count_names(project_id))[:MAX_COUNTED]
    return [*catalogue.metrics_of(project_id), *(count_of(name.removeprefix(COUNT_PREFIX)) for name in counted)]


def _unknown(project_id: int, name: str) -> ApiError:
    names = [metric.name for metric in known(project_id)]
    # People leave out the first word, or have another one.
    near = get_close_matches(name, names, NEAR, 0.6) or [each for each in names if name in each][:NEAR]
    hint = f"near it: {', '.join(near)}" if near else "see /api/v1/metrics/names"
    return ApiError(404, "Unknown metric", f"no metric is called {name[:64]!r}; {hint}", near=near)
