"""Definitions as the API takes and gives them."""

from collections.abc import Mapping
from typing import Any

import orjson
from django.core.exceptions import ValidationError
from django.db.models import Count, QuerySet
from django.http import HttpRequest

from events.api.bodies import read_body
from events.api.errors import ApiError, BadRequest
from metrics.definitions import rules
from metrics.definitions.models import MetricDefinition
from metrics.models import MetricSeries

INVALID = "Invalid definition"


def read(request: HttpRequest) -> dict[str, Any]:
    """The fields of the body; what is in it and is none is refused by name."""
    try:
        body = orjson.loads(read_body(request))
    except orjson.JSONDecodeError as error:
        raise BadRequest("Invalid request body", f"not JSON: {error}") from None
    if not isinstance(body, dict):
        raise BadRequest("Invalid request body", "send a JSON object")
    allowed = (*MetricDefinition.MEANING, *MetricDefinition.CHANGEABLE)
    if unknown := sorted(set(body) - set(allowed)):
        raise BadRequest(INVALID, f"unknown field {rules.shown(unknown[0])}; allowed: {', '.join(allowed)}")
    return body


def fill(definition: MetricDefinition, fields: Mapping[str, Any]) -> None:
    """Give a definition these values and check them as a whole; 409 where the name is taken."""
    for name, value in fields.items():
        setattr(definition, name, value)
    try:
        # First as sent: the checks of Django turn values into the types that they should have.
        _check_active(definition)
        definition.clean()
        definition.full_clean()
    except ValidationError as error:
        raise _refusal(definition, error) from None


def _check_active(definition: MetricDefinition) -> None:
    if not isinstance(definition.active, bool):
        raise ValidationError({"active": [f"{rules.shown(definition.active)}: must be true or false"]})


def _refusal(definition: MetricDefinition, error: ValidationError) -> ApiError:
    if any(problem.code == "unique" for problem in error.error_dict.get("__all__", ())):
        return taken(definition.name)
    problems = error.message_dict
    details = "; ".join(f"{field}: {problem}" for field, found in problems.items() for problem in found)
    return BadRequest(INVALID, details, fields=problems)


def taken(name: str) -> ApiError:
    return ApiError(409, "Conflict", f"there is a metric {name!r} already, maybe an inactive one; PATCH changes it")


def answers(definitions: "QuerySet[MetricDefinition]") -> list[dict[str, Any]]:
    """The JSON of each, with how many series it has so far."""
    rows = list(definitions)
    names = [row.name for row in rows]
    of_projects = {row.project_id for row in rows}
    found = MetricSeries.objects.filter(project_id__in=of_projects, metric_name__in=names)
    counts = {
        (project, name): count
        for project, name, count in found.values_list("project_id", "metric_name").annotate(Count("pk"))
    }
    return [_answer(row, counts.get((row.project_id, row.name), 0)) for row in rows]


def answer(definition: MetricDefinition) -> dict[str, Any]:
    [one] = answers(MetricDefinition.objects.filter(pk=definition.pk))
    return one


def _answer(definition: MetricDefinition, series: int) -> dict[str, Any]:
    fields = (*MetricDefinition.MEANING, *MetricDefinition.CHANGEABLE)
    return {
        **{name: getattr(definition, name) for name in fields},
        "series": series,
        "complete_from": definition.complete_from,
        "backfill_pending": definition.backfill_before is not None,
        "created_at": definition.created_at,
        "updated_at": definition.updated_at,
    }
