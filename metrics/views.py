"""Counts over HTTP."""

from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.viewsets import ViewSet

from access.models import DEFAULT_PROJECT_ID
from events.api.parameters import read_given, read_window
from events.instruments import QUERY_DURATION
from metrics import ingestion
from metrics.reads import stats


class EventStatsViewSet(ViewSet):
    def list(self, request: Request) -> Response:
        window = read_window(read_given(request.query_params, ("start_time", "end_time")))
        with QUERY_DURATION.labels("stats").time():
            by_type = stats.count_by_type(DEFAULT_PROJECT_ID, window)
        return Response(
            {
                "start_time": window.start,
                "end_time": window.end,
                "total_events": sum(by_type.values()),
                "by_type": by_type,
            }
        )


class InternalViewSet(ViewSet):
    @action(detail=False, url_path="ingestion-metrics")
    def ingestion_metrics(self, request: Request) -> Response:
        read_given(request.query_params, ())
        with QUERY_DURATION.labels("ingestion_metrics").time():
            figures = ingestion.figures()
        return Response(
            {
                "events_received": figures.received,
                "events_ingested": figures.stored,
                "events_duplicate": figures.duplicates,
                "events_failed": figures.refused,
                "batches_processed": figures.batches,
                "last_batch_size": figures.last_size,
                "last_batch_duration": ingestion.go_duration(figures.last_ms),
                "total_latency": ingestion.go_duration(figures.total_ms),
            }
        )
