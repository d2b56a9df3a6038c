"""The page at `/`, and the one route that it asks again and again."""

from datetime import timedelta

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.viewsets import ViewSet

from dashboards.overview import overview
from events.api.parameters import read_given


def home(request: HttpRequest) -> HttpResponse:
    config = settings.CONFIG
    # The metrics have a port of their own, on the host that the reader used.
    host = request.get_host().rsplit(":", 1)[0]
    context = {
        "refresh_ms": config.realtime.refresh // timedelta(milliseconds=1),
        "api": f"{request.scheme}://{request.get_host()}",
        "metrics_url": f"//{host}:{config.metrics.port}{config.metrics.path}",
        "retention_days": config.analytics.retention.raw_events.days,
    }
    return render(request, "dashboards/home.html", context)


class OverviewViewSet(ViewSet):
    def list(self, request: Request) -> Response:
        read_given(request.query_params, ())
        return Response(overview(), headers={"Cache-Control": "no-store"})
