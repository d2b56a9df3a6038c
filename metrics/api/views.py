"""Metrics over HTTP."""

from django.http import HttpResponse
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.viewsets import ViewSet

from access.models import DEFAULT_PROJECT_ID
from events.api.errors import BadRequest
from events.instruments import QUERY_DURATION
from metrics.api import finding
from metrics.api.parameters import read_asked, read_nothing
from metrics.reads import answers, dashboard, dimensions
from metrics.reads.questions import TooMuch, available


class MetricViewSet(ViewSet):
    """Values of metrics over time, and which metrics there are."""

    lookup_value_regex = "[^/]+"

    def list(self, request: Request) -> HttpResponse:
        asked = read_asked(DEFAULT_PROJECT_ID, request.query_params)
        try:
            with QUERY_DURATION.labels("metrics").time():
                body = answers.answer(asked.questions, compare=asked.compare)
        except TooMuch as error:
            raise BadRequest("Too many series or points", str(error)) from None
        return HttpResponse(body, content_type="application/json")

    @action(detail=False)
    def names(self, request: Request) -> Response:
        read_nothing(request.query_params)
        with QUERY_DURATION.labels("metric_names").time():
            metrics = finding.known(DEFAULT_PROJECT_ID)
        return Response(
            {
                "metrics": [
                    {
                        "name": metric.name,
                        "unit": metric.unit,
                        "description": metric.description,
                        "default_aggregation": metric.default,
                        "aggregations": available(metric),
                        "event_types": metric.event_types,
                        "dimensions": metric.dimensions,
                    }
                    for metric in metrics
                ],
                "count": len(metrics),
            }
        )

    @action(detail=True)
    def dimensions(self, request: Request, pk: str) -> Response:
        read_nothing(request.query_params)
        metric = finding.find(DEFAULT_PROJECT_ID, pk)
        with QUERY_DURATION.labels("metric_dimensions").time():
            return Response(dimensions.values(DEFAULT_PROJECT_ID, metric))


class DashboardViewSet(ViewSet):
    @action(detail=False)
    def metrics(self, request: Request) -> HttpResponse:
        read_nothing(request.query_params)
        with QUERY_DURATION.labels("dashboard").time():
            body = dashboard.answer(DEFAULT_PROJECT_ID)
        return HttpResponse(body, content_type="application/json", headers={"Cache-Control": "no-store"})
