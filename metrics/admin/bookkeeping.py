"""How far the rollups are, and where they differ from the facts."""

from typing import Any

from django.contrib import admin
from django.db.models import Case, IntegerField, QuerySet, Value, When
from django.db.models.functions import Now
from django.http import HttpRequest

from events.admin.lists import DefaultFilter, ReadOnlyAdmin, clock
from events.models import TouchedBucket
from metrics.models import Interval, RollupDrift, RollupMark, RollupProgress

COUNTED = 10_000


@admin.register(RollupProgress)
class RollupProgressAdmin(ReadOnlyAdmin):
    """All events before `complete until` are in the interval, but for buckets that wait."""

    list_display = ["interval", "complete", "waiting"]
    list_display_links = None
    sortable_by = []

    def get_queryset(self, request: HttpRequest) -> "QuerySet[Any]":
        places = [When(interval=interval, then=Value(place)) for place, interval in enumerate(Interval.values)]
        rows = super().get_queryset(request)
        shown: QuerySet[Any] = rows.annotate(place=Case(*places, output_field=IntegerField())).order_by("place")
        return shown

    @admin.display(description="complete until (UTC)")
    def complete(self, progress: RollupProgress) -> str:
        return clock(progress.complete_until)

    @admin.display(description="buckets that wait")
    def waiting(self, progress: RollupProgress) -> str:
        count = RollupMark.objects.filter(interval=progress.interval)[: COUNTED + 1].count()
        if progress.interval == Interval.MINUTE:
            count += TouchedBucket.objects.all()[: COUNTED + 1].count()
        return str(count) if count <= COUNTED else f"more than {COUNTED}"


@admin.register(RollupMark)
class RollupMarkAdmin(ReadOnlyAdmin):
    """Buckets to be computed again. Minutes whose events changed are marked apart, by event type."""

    list_display = ["id", "interval", "metric_name", "bucket", "project_id"]
    list_filter = ["interval"]
    ordering = ["-id"]
    sortable_by = ["id"]

    @admin.display(description="bucket (UTC)")
    def bucket(self, mark: RollupMark) -> str:
        return clock(mark.time_bucket)


class OpenFilter(DefaultFilter):
    title = "state"
    parameter_name = "state"
    options = {"open": "Open", "resolved": "Resolved", "all": "All"}
    default = "open"

    def queryset(self, request: HttpRequest, queryset: "QuerySet[Any]") -> "QuerySet[Any]":
        chosen = self.chosen()
        return queryset if chosen == "all" else queryset.filter(resolved_at__isnull=chosen == "open")


@admin.register(RollupDrift)
class RollupDriftAdmin(ReadOnlyAdmin):
    """`manage.py rebuild_rollups` heals what is open, and the next look resolves it."""

    list_display = ["id", "time", "metric_name", "interval", "bucket", "dimensions", "stored", "recounted", "resolved"]
    list_filter = [OpenFilter, "interval"]
    ordering = ["-id"]
    actions = ["resolve_selected"]

    def has_resolve_permission(self, request: HttpRequest) -> bool:
        return bool(request.user.has_perm("metrics.change_rollupdrift"))

    @admin.action(description="Take for resolved", permissions=["resolve"])
    def resolve_selected(self, request: HttpRequest, queryset: "QuerySet[RollupDrift]") -> None:
        count = queryset.filter(resolved_at=None).update(resolved_at=Now())
        self.message_user(request, f"{count} resolved; what still differs is entered anew.")

    @admin.display(description="noticed (UTC)", ordering="noticed_at")
    def time(self, entry: RollupDrift) -> str:
        return clock(entry.noticed_at)

    @admin.display(description="bucket (UTC)")
    def bucket(self, entry: RollupDrift) -> str:
        return clock(entry.time_bucket)

    @admin.display(description="resolved (UTC)")
    def resolved(self, entry: RollupDrift) -> str:
        return clock(entry.resolved_at)
