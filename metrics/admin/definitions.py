"""The users' own metrics in the admin."""

from datetime import UTC, datetime, timedelta
from typing import Any

from django.contrib import admin, messages
from django.db.models import BigIntegerField, QuerySet
from django.db.models.expressions import RawSQL
from django.http import HttpRequest

from events.admin.event import ProjectFilter
from events.admin.lists import clock, shorten
from metrics.admin.forms import DefinitionForm
from metrics.definitions import keeping
from metrics.definitions.models import MetricDefinition

SERIES = """
(SELECT count(*) FROM metric_series s
    WHERE s.project_id = metric_definitions.project_id AND s.metric_name = metric_definitions.name)
"""
# By hours, the newest of which is open: some thousand rows at most.
LAST_DAY = """
(SELECT coalesce(sum(%s), 0)::bigint FROM metric_aggregations a
    WHERE a.project_id = metric_definitions.project_id AND a.metric_name = metric_definitions.name
    AND a.interval = '1h' AND a.time_bucket > %%s AND a.dimensions @> %s)
"""
SKIPPED = LAST_DAY % ("a.skipped", "'{}'")
OTHER = LAST_DAY % ("a.count + a.skipped", """'{"_other": true}'""")


@admin.register(MetricDefinition)
class MetricDefinitionAdmin(admin.ModelAdmin):  # type: ignore[type-arg]
    """What a name means cannot be changed, and nothing is deleted: it is switched off."""

    form = DefinitionForm
    list_display = ["name", "of", "unit", "active", "series", "other", "skipped", "whole", "backfill"]
    list_filter = [ProjectFilter, "active"]
    search_fields = ["name", "description"]
    list_per_page = 50
    show_full_result_count = False
    actions = ["backfill_selected", "deactivate_selected"]
    figures = ("series", "other", "skipped", "whole", "backfill", "created_at", "updated_at")

    def get_queryset(self, request: HttpRequest) -> "QuerySet[Any]":
        number, since = BigIntegerField(), datetime.now(UTC) - timedelta(days=1)
        shown: QuerySet[Any] = (
            super()
            .get_queryset(request)
            .annotate(
                # Constants of ours, with one parameter.
                known_series=RawSQL(SERIES, [], output_field=number),  # noqa: S611
                skipped_lately=RawSQL(SKIPPED, [since], output_field=number),  # noqa: S611
                other_lately=RawSQL(OTHER, [since], output_field=number),  # noqa: S611
            )
        )
        return shown

    def get_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        fields = ("project_id", *MetricDefinition.MEANING, *MetricDefinition.CHANGEABLE)
        return (*fields, *self.figures) if obj else fields

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        return ("project_id", *MetricDefinition.MEANING, *self.figures) if obj else ()

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def save_model(self, request: HttpRequest, obj: MetricDefinition, form: Any, change: bool) -> None:
        keeping.keep(obj)

    @admin.action(description="Backfill from stored events", permissions=["change"])
    def backfill_selected(self, request: HttpRequest, queryset: "QuerySet[MetricDefinition]") -> None:
        active = [definition for definition in queryset if definition.active]
        for definition in active:
            keeping.request_backfill(definition)
        self.message_user(request, f"{len(active)} to be backfilled, from within two minutes on, the newest day first.")
        if left := queryset.count() - len(active):
            self.message_user(request, f"{left} inactive: switching them on backfills them.", messages.WARNING)

    @admin.action(description="Switch off", permissions=["change"])
    def deactivate_selected(self, request: HttpRequest, queryset: "QuerySet[MetricDefinition]") -> None:
        for definition in queryset:
            keeping.deactivate(definition)

    @admin.display(description="what")
    def of(self, definition: MetricDefinition) -> str:
        what = (
            f"{definition.default_aggregation} of {definition.value_property}" if definition.value_property else "count"
        )
        return shorten(f"{what} in {', '.join(definition.event_types)}", 80)

    @admin.display(description="series")
    def series(self, definition: Any) -> str:
        return f"{definition.known_series} of {definition.max_series}"

    @admin.display(description="events in `other`, last day")
    def other(self, definition: Any) -> int:
        return int(definition.other_lately)

    @admin.display(description="skipped, last day")
    def skipped(self, definition: Any) -> int:
        """Events that have no number where the value should be."""
        return int(definition.skipped_lately)

    @admin.display(description="complete from (UTC)")
    def whole(self, definition: MetricDefinition) -> str:
        return clock(definition.complete_from) if definition.complete_from else "all that is stored"

    @admin.display(description="backfill")
    def backfill(self, definition: MetricDefinition) -> str:
        before = definition.backfill_before
        return f"days before {before:%Y-%m-%d %H:%M} to be marked" if before else "-"
