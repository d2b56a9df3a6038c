"""Dead letters in the admin: why, whence, what, and another chance."""

from collections.abc import Iterable
from itertools import islice
from typing import Any

from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.safestring import SafeString

from events.admin.lists import DefaultFilter, ReadOnlyAdmin, TimeFilter, clock, shorten
from events.admin.payloads import preformatted, readable
from events.models import DeadLetter
from events.reasons import Reason
from events.replays import replay

REPLAYED_AT_ONCE = 10_000


class OpenFilter(DefaultFilter):
    title = "state"
    parameter_name = "state"
    options = {"open": "Open", "replayed": "Replayed", "all": "All"}
    default = "open"

    def queryset(self, request: HttpRequest, queryset: "QuerySet[Any]") -> "QuerySet[Any]":
        chosen = self.chosen()
        return queryset if chosen == "all" else queryset.filter(replayed_at__isnull=chosen == "open")


class ReasonFilter(admin.SimpleListFilter):
    title = "reason"
    parameter_name = "reason"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [(reason.value, reason.value.replace("_", " ")) for reason in Reason]

    def queryset(self, request: HttpRequest, queryset: "QuerySet[Any]") -> "QuerySet[Any]":
        return queryset.filter(reason=self.value()) if self.value() else queryset


class CreatedFilter(TimeFilter):
    column = "created_at"
    default = "any"


@admin.register(DeadLetter)
class DeadLetterAdmin(ReadOnlyAdmin):
    list_display = ["id", "time", "code", "origin", "why", "attempts", "replayed"]
    list_filter = [OpenFilter, ReasonFilter, "source", CreatedFilter]
    ordering = ["-id"]
    actions = ["replay_selected"]
    fields = [
        "time", "reason", "error", "source", "origin", "record_timestamp", "project_id",
        "attempts", "replayed", "payload",
    ]  # fmt: skip
    readonly_fields = fields  # type: ignore[assignment]

    def get_queryset(self, request: HttpRequest) -> "QuerySet[Any]":
        return super().get_queryset(request).defer("raw")

    def has_replay_permission(self, request: HttpRequest) -> bool:
        return bool(request.user.has_perm("events.change_deadletter"))

    @admin.action(description="Replay selected dead letters", permissions=["replay"])
    def replay_selected(self, request: HttpRequest, queryset: "QuerySet[DeadLetter]") -> None:
        ids: Iterable[int] = queryset.filter(replayed_at=None).order_by("pk").values_list("pk", flat=True)
        wanted = list(islice(ids, REPLAYED_AT_ONCE + 1))
        result = replay(wanted[:REPLAYED_AT_ONCE])
        self.message_user(
            request,
            f"{result.replayed} stored, {result.still_refused} refused again.",
            messages.WARNING if result.still_refused else messages.SUCCESS,
        )
        if len(wanted) > REPLAYED_AT_ONCE:
            hint = f"Only the first {REPLAYED_AT_ONCE} were replayed; `manage.py replay_dead_letters` takes them all."
            self.message_user(request, hint, messages.WARNING)

    @admin.display(description="time (UTC)", ordering="created_at")
    def time(self, letter: DeadLetter) -> str:
        return clock(letter.created_at)

    @admin.display(description="reason", ordering="reason")
    def code(self, letter: DeadLetter) -> str:
        return letter.reason.replace("_", " ")

    @admin.display(description="error")
    def why(self, letter: DeadLetter) -> str:
        return shorten(letter.error, 100)

    @admin.display(description="replayed (UTC)", ordering="replayed_at")
    def replayed(self, letter: DeadLetter) -> str:
        return clock(letter.replayed_at)

    def origin(self, letter: DeadLetter) -> str:
        if letter.topic is None:
            return letter.source
        return f"{letter.topic}/{letter.kafka_partition} @ {letter.kafka_offset}"

    def payload(self, letter: DeadLetter) -> SafeString:
        return preformatted(readable(bytes(letter.raw)))
