"""How definitions are saved, switched on and off, and backfilled. The admin and the API both come through here."""

from datetime import UTC, datetime, timedelta

from django.db import transaction
from django.utils import timezone

from events.api.queries import Window
from metrics.definitions.models import MetricDefinition
from metrics.models import Interval
from metrics.rollups import rebuilding
from metrics.rollups.intervals import RUNGS

MINUTE = RUNGS[Interval.MINUTE]
# Until then each process has learned of a definition, and the minute that it came in is over.
LEARNED_AFTER = timedelta(minutes=1)


def keep(definition: MetricDefinition) -> None:
    """Save a definition that was checked. One switched on again is backfilled: nobody looked at what came since."""
    with transaction.atomic():
        if definition._state.adding:
            definition.complete_from = _whole_minutes_from()
            definition.save()
            return
        was_active = MetricDefinition.objects.select_for_update().values_list("active", flat=True).get(pk=definition.pk)
        definition.save(update_fields=[*MetricDefinition.CHANGEABLE, "updated_at"])
        if definition.active and not was_active:
            definition.complete_from = _whole_minutes_from()
            request_backfill(definition)


def deactivate(definition: MetricDefinition) -> None:
    """Compute it no longer and answer it no longer; its rollups stay until their retention."""
    definition.active = False
    definition.save(update_fields=["active", "updated_at"])


def request_backfill(definition: MetricDefinition) -> None:
    """Have all that is stored computed. The request stands in the database, `go_on` does the work."""
    definition.backfill_before = _whole_minutes_from()
    definition.save(update_fields=["backfill_before", "complete_from"])


def go_on(now: datetime | None = None) -> bool:
    """Mark the next day, going back, of one definition that is to be backfilled; answers whether there was one.

    A definition that changed just now has to wait: a process that does not know it yet would drop its marks.
    """
    learned = (now or timezone.now()) - LEARNED_AFTER
    waiting = MetricDefinition.objects.filter(active=True, backfill_before__isnull=False, updated_at__lte=learned)
    with transaction.atomic():
        definition = waiting.select_for_update(skip_locked=True).order_by("-backfill_before").first()
        if definition is not None:
            _mark_a_day(definition)
    return definition is not None


def _mark_a_day(definition: MetricDefinition) -> None:
    before = definition.backfill_before or datetime.min.replace(tzinfo=UTC)
    oldest = rebuilding.oldest_facts() or before
    piece = next(rebuilding.days(Window(oldest, before)), None) if oldest < before else None
    if piece is None:
        definition.backfill_before = definition.complete_from = None
    else:
        rebuilding.mark(definition.project_id, [definition.to_metric()], piece)
        definition.backfill_before = piece.start
        definition.complete_from = min(definition.complete_from or piece.start, piece.start)
    definition.save(update_fields=["backfill_before", "complete_from"])


def _whole_minutes_from() -> datetime:
    """From when on the engine surely knows of a definition that is saved now."""
    return MINUTE.floor(timezone.now() + LEARNED_AFTER + MINUTE.length)
