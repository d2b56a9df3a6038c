"""The ledger, its holes and the figures of batches in the admin."""

from typing import Any

from django.contrib import admin
from django.db.models import BigIntegerField, F, QuerySet
from django.db.models.expressions import RawSQL
from django.http import HttpRequest

from events.admin.lists import ReadOnlyAdmin, TimeFilter, clock
from events.ledger import WATERMARK
from events.models import IngestBatch, IngestGap, LedgerEntry


@admin.register(LedgerEntry)
class LedgerEntryAdmin(ReadOnlyAdmin):
    list_display = ["topic", "kafka_partition", "incarnation", "watermark", "lag", "stopped_reason", "looked_at"]
    ordering = ["topic", "kafka_partition", "-id"]

    def get_queryset(self, request: HttpRequest) -> "QuerySet[Any]":
        watermark = RawSQL(WATERMARK, [], output_field=BigIntegerField())  # noqa: S611 - a constant of ours
        rows = super().get_queryset(request)
        shown: QuerySet[Any] = rows.annotate(mark=watermark).annotate(behind=F("end_offset") - F("mark"))
        return shown

    def watermark(self, entry: Any) -> int:
        return int(entry.mark)

    @admin.display(description="looked at (UTC)", ordering="updated_at")
    def looked_at(self, entry: LedgerEntry) -> str:
        return clock(entry.updated_at)

    @admin.display(description="records behind")
    def lag(self, entry: Any) -> int | None:
        return None if entry.behind is None else max(0, entry.behind)


@admin.register(IngestGap)
class IngestGapAdmin(ReadOnlyAdmin):
    list_display = ["ledger_entry", "kind", "lo", "hi", "noticed_at", "resolved_at"]
    list_filter = ["kind"]
    list_select_related = ["ledger_entry"]
    ordering = ["-id"]


class CommittedFilter(TimeFilter):
    column = "committed_at"


@admin.register(IngestBatch)
class IngestBatchAdmin(ReadOnlyAdmin):
    list_display = [
        "time", "source", "topic", "kafka_partition", "batches",
        "received", "stored", "duplicates", "refused", "redelivered", "milliseconds",
    ]  # fmt: skip
    list_filter = [CommittedFilter, "source"]
    ordering = ["-committed_at"]

    @admin.display(description="committed (UTC)", ordering="committed_at")
    def time(self, batch: IngestBatch) -> str:
        return clock(batch.committed_at)

    @admin.display(ordering="duration_ms")
    def milliseconds(self, batch: IngestBatch) -> str:
        return f"{batch.duration_ms:.1f}"
