"""Events in the admin."""

from typing import Any
from urllib.parse import urlencode
from uuid import UUID

from django.contrib import admin
from django.contrib.admin.views.main import ChangeList
from django.db.models import Q, QuerySet, TextField
from django.db.models.functions import Cast, Left
from django.http import HttpRequest
from django.utils.dateparse import parse_datetime
from django.utils.safestring import SafeString

from access.models import DEFAULT_PROJECT_ID, Project
from events.admin.lists import DefaultFilter, ReadOnlyAdmin, TimeFilter, clock, shorten
from events.admin.payloads import preformatted, readable
from events.api import queries
from events.models import Event

SHOWN = 90  # characters of the properties in the list


class ProjectFilter(DefaultFilter):
    """One project at a time: its id leads every index of the table."""

    title = "project"
    parameter_name = "project"
    default = str(DEFAULT_PROJECT_ID)

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        self.options = {str(pk): slug for pk, slug in Project.objects.order_by("slug").values_list("pk", "slug")}
        return super().lookups(request, model_admin)

    def queryset(self, request: HttpRequest, queryset: "QuerySet[Any]") -> "QuerySet[Any]":
        return queryset.filter(project_id=int(self.chosen()))


class EventList(ChangeList):
    def url_for_result(self, result: Any) -> str:
        """With its time: the id alone would have to be looked for in every partition."""
        return f"{super().url_for_result(result)}?{urlencode({'timestamp': result.timestamp.isoformat()})}"


@admin.register(Event)
class EventAdmin(ReadOnlyAdmin):
    list_display = ["time", "event_type", "who", "beginning"]
    list_filter = [TimeFilter, ProjectFilter]
    search_fields = ["id"]
    search_help_text = "An exact event id, event type, user or session"
    fields = ["id", "event_type", "user_id", "session_id", "time", "stored", "project_id", "content"]
    readonly_fields = fields  # type: ignore[assignment]

    def get_changelist(self, request: HttpRequest, **kwargs: Any) -> type[ChangeList]:
        return EventList

    def get_queryset(self, request: HttpRequest) -> "QuerySet[Any]":
        text = Cast("properties", TextField())
        rows = super().get_queryset(request)
        narrow: QuerySet[Any] = rows.defer("properties").annotate(start=Left(text, SHOWN + 1))
        return narrow

    def get_search_results(
        self, request: HttpRequest, queryset: "QuerySet[Any]", search_term: str
    ) -> tuple["QuerySet[Any]", bool]:
        term = search_term.strip().replace("\x00", "")
        if not term:
            return queryset, False
        found = self.get_object(request, term)
        if found is not None:
            return self.get_queryset(request).filter(_key(found)), False
        # One column at a time is answered by its index, in order; an OR of all would be by none.
        columns = [
            name for name in ("event_type", "user_id", "session_id") if queryset.filter(Q((name, term))).exists()
        ]
        if not columns:
            return queryset.none(), False
        wanted = Q()
        for name in columns:
            wanted |= Q((name, term))
        return queryset.filter(wanted), False

    def get_object(self, request: HttpRequest, object_id: str, from_field: str | None = None) -> Event | None:
        try:
            event_id = UUID(object_id)
            timestamp = parse_datetime(request.GET.get("timestamp", ""))
        except ValueError:
            return None
        projects = list(Project.objects.values_list("pk", flat=True))
        for window in queries.places(event_id, timestamp):
            rows = Event.objects.filter(project_id__in=projects, timestamp__gte=window.start, timestamp__lt=window.end)
            if found := rows.filter(id=event_id).order_by("-timestamp").first():
                return found
        return None

    @admin.display(description="time (UTC)", ordering="timestamp")
    def time(self, event: Event) -> str:
        return clock(event.timestamp)

    @admin.display(description="stored (UTC)")
    def stored(self, event: Event) -> str:
        return clock(event.created_at)

    @admin.display(description="user or session")
    def who(self, event: Event) -> str:
        return shorten(event.user_id or event.session_id or "-", 40)

    @admin.display(description="properties")
    def beginning(self, event: Any) -> str:
        return shorten(event.start, SHOWN)

    @admin.display(description="properties")
    def content(self, event: Event) -> SafeString:
        row = queries.find(event.project_id, event.id, event.timestamp)
        return preformatted(readable(row[4].encode() if row else b""))


def _key(event: Event) -> Q:
    return Q(project_id=event.project_id, timestamp=event.timestamp, id=event.id)
