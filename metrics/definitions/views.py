"""The user's own metrics over HTTP."""

from django.db import IntegrityError
from rest_framework import status
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.viewsets import ViewSet

from access.models import DEFAULT_PROJECT_ID
from events.api.errors import ApiError, BadRequest
from events.api.parameters import read_given
from metrics.definitions import bodies, keeping
from metrics.definitions.models import MetricDefinition

ACTIVE = {"true": True, "false": False}


class DefinitionViewSet(ViewSet):
    """Define metrics, look at them, change what may change, switch them off, and backfill them."""

    lookup_value_regex = "[^/]+"

    def list(self, request: Request) -> Response:
        given = read_given(request.query_params, ("active",))
        rows = MetricDefinition.objects.filter(project_id=DEFAULT_PROJECT_ID)
        if "active" in given:
            if given["active"] not in ACTIVE:
                raise BadRequest("Invalid parameter", "active must be true or false")
            rows = rows.filter(active=ACTIVE[given["active"]])
        definitions = bodies.answers(rows)
        return Response({"definitions": definitions, "count": len(definitions)})

    def create(self, request: Request) -> Response:
        definition = MetricDefinition(project_id=DEFAULT_PROJECT_ID)
        bodies.fill(definition, bodies.read(request._request))
        try:
            keeping.keep(definition)
        except IntegrityError:  # another request was faster
            raise bodies.taken(definition.name) from None
        return Response(bodies.answer(definition), status=status.HTTP_201_CREATED)

    def retrieve(self, request: Request, pk: str) -> Response:
        return Response(bodies.answer(_find(pk)))

    def partial_update(self, request: Request, pk: str) -> Response:
        """Change the fields that are given."""
        definition = _find(pk)
        bodies.fill(definition, bodies.read(request._request))
        keeping.keep(definition)
        return Response(bodies.answer(definition))

    def update(self, request: Request, pk: str) -> Response:
        """Change all fields: what is not given gets its default."""
        definition = _find(pk)
        defaults = MetricDefinition()
        fields = (*MetricDefinition.MEANING, *MetricDefinition.CHANGEABLE)
        usual = {name: getattr(defaults, name) for name in fields if name != "name"}
        bodies.fill(definition, usual | bodies.read(request._request))
        keeping.keep(definition)
        return Response(bodies.answer(definition))

    def destroy(self, request: Request, pk: str) -> Response:
        keeping.deactivate(_find(pk))
        return Response(status=status.HTTP_204_NO_CONTENT)

    @action(detail=True, methods=["post"])
    def backfill(self, request: Request, pk: str) -> Response:
        definition = _find(pk)
        if not definition.active:
            raise ApiError(409, "Conflict", f"{definition.name!r} is inactive; switching it on backfills it")
        keeping.request_backfill(definition)
        return Response(bodies.answer(definition), status=status.HTTP_202_ACCEPTED)


def _find(name: str) -> MetricDefinition:
    found = MetricDefinition.objects.filter(project_id=DEFAULT_PROJECT_ID, name=name.replace("\x00", "")).first()
    if found is None:
        hint = "GET /api/v1/metrics/definitions lists them; built-in metrics have none"
        raise ApiError(404, "Definition not found", f"{name[:64]!r}; {hint}")
    return found
