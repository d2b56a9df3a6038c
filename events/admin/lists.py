"""Admin lists that stay quick on millions of rows: bounded in time, never counted in full."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

from django.contrib import admin
from django.contrib.admin.views.main import ChangeList
from django.core.paginator import Paginator
from django.db import connection
from django.db.models import Model, Q, QuerySet
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.utils.functional import cached_property

from events.api.queries import time_limit

COUNTED = 10_000
PAGES = 100
# What ANALYZE last counted, over the partitions if there are any.
ESTIMATE = """
SELECT coalesce(sum(greatest(reltuples, 0)), 0)::bigint FROM pg_class
WHERE relkind = 'r'
AND (oid = %s::regclass OR oid IN (SELECT inhrelid FROM pg_inherits WHERE inhparent = %s::regclass))
"""


class BoundedPaginator(Paginator):  # type: ignore[type-arg]
    """Counts to 10,000 at most, and estimates what no condition narrows.

    There are at most a hundred pages: a later one would read all the rows before it. Who looks
    for something older narrows the list instead.
    """

    @cached_property
    def count(self) -> int:
        rows: Any = self.object_list
        counted = int(rows.order_by()[: COUNTED + 1].count())
        if counted <= COUNTED or narrowed(rows):
            return counted
        return max(counted, estimate(rows.model._meta.db_table))

    @cached_property
    def num_pages(self) -> int:
        return min(PAGES, max(1, -(-self.count // self.per_page)))


def narrowed(rows: "QuerySet[Any]") -> bool:
    """Whether anything but the project is asked for."""
    return any(not _is_of_project(condition) for condition in rows.query.where.children)


def _is_of_project(condition: Any) -> bool:
    target = getattr(getattr(condition, "lhs", None), "target", None)
    return getattr(target, "name", "") == "project_id"


def estimate(table: str) -> int:
    with connection.cursor() as cursor:
        cursor.execute(ESTIMATE, [table, table])
        return int(cursor.fetchone()[0])


class DefaultFilter(admin.SimpleListFilter):
    """A filter of which one choice holds when nothing is chosen; there is no "All" beside its own."""

    options: dict[str, str]
    default: str

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return list(self.options.items())

    def chosen(self) -> str:
        value = self.value()
        return value if value in self.options else self.default

    def choices(self, changelist: ChangeList) -> Iterator[Any]:
        for value, title in self.options.items():
            query = changelist.get_query_string({str(self.parameter_name): value})
            yield {"selected": value == self.chosen(), "query_string": query, "display": title}


class TimeFilter(DefaultFilter):
    title = "time"
    parameter_name = "within"
    options = {"hour": "Last hour", "day": "Last day", "week": "Last 7 days", "any": "Any time"}
    lengths = {"hour": timedelta(hours=1), "day": timedelta(days=1), "week": timedelta(days=7)}
    default = "day"
    column = "timestamp"

    def queryset(self, request: HttpRequest, queryset: "QuerySet[Any]") -> "QuerySet[Any]":
        length = self.lengths.get(self.chosen())
        if length is None:
            return queryset
        return queryset.filter(Q((f"{self.column}__gte", datetime.now(UTC) - length)))


class ReadOnlyAdmin(admin.ModelAdmin):  # type: ignore[type-arg]
    """To look at, with a time limit on what a list may cost."""

    paginator = BoundedPaginator
    show_full_result_count = False
    list_per_page = 50
    list_max_show_all = 0
    # Any other column would have to be sorted as a whole.
    sortable_by = ["time", "id"]
    # A count beside each filter would be a scan for each of them.
    show_facets = admin.ShowFacets.NEVER
    actions: Any = None

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        if request.method == "POST":
            return super().changelist_view(request, extra_context)
        with time_limit():
            response = super().changelist_view(request, extra_context)
            # Templates read the rows: they must do so within the limit.
            return response.render() if isinstance(response, TemplateResponse) else response


def clock(moment: datetime | None) -> str:
    """UTC to the millisecond: minutes, as the admin shows them, are too coarse for events."""
    return moment.strftime("%Y-%m-%d %H:%M:%S.%f")[:-3] if moment else "-"


def shorten(text: str, length: int) -> str:
    return text if len(text) <= length else f"{text[: length - 1]}…"
