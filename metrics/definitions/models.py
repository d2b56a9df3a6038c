"""The metrics that users define themselves."""

from collections import defaultdict
from typing import Any

from django.contrib.postgres.fields import ArrayField
from django.core.exceptions import ValidationError
from django.db import models
from django.db.models.functions import Now

from access.models import DEFAULT_PROJECT_ID
from metrics.declarations import Aggregation, Metric, Product, Value
from metrics.definitions import rules


class MetricDefinition(models.Model):
    """A metric of the user's own, computed as the built-in ones are.

    What it means (`MEANING`) is fixed with its name: rollups outlive the facts that they come from,
    so what was computed in another sense could never be put right. Another sense is another name.
    """

    MEANING = ("name", "event_types", "value_property", "filters", "dimensions")
    CHANGEABLE = ("description", "unit", "default_aggregation", "max_series", "active")

    project_id = models.IntegerField(default=DEFAULT_PROJECT_ID)
    name = models.CharField(max_length=rules.MAX_NAME, help_text="lowercase, with dots, such as desk.slippage_bps")
    description = models.TextField(default="", blank=True)
    event_types = ArrayField(models.TextField(), help_text="exact types, or patterns with * such as order.*")
    value_property = models.TextField(
        default="", blank=True, help_text="the property whose number is added up; empty: events are counted"
    )
    filters = models.JSONField(
        default=dict, blank=True, help_text='only events whose properties have this text, such as {"side": "BUY"}'
    )
    dimensions = ArrayField(
        models.TextField(), default=list, blank=True, help_text="properties by which it is split into series"
    )
    unit = models.CharField(max_length=rules.MAX_UNIT, default="", blank=True)
    default_aggregation = models.CharField(
        max_length=10,
        choices=[(aggregation.value, aggregation.value) for aggregation in rules.OF_VALUES],
        default="",
        blank=True,
        help_text="what is answered when nothing is asked for; empty: avg of values, count without them",
    )
    max_series = models.IntegerField(default=200, help_text="1 to 1000; what exceeds it is added up as `other`")
    active = models.BooleanField(default=True, help_text="whether it is computed and can be asked for")
    # Facts before it were there before the definition, so their buckets are only what came late since then.
    complete_from = models.DateTimeField(
        null=True, blank=True, editable=False, help_text="computed for all time since; null: for all that is stored"
    )
    backfill_before = models.DateTimeField(
        null=True, blank=True, editable=False, help_text="minutes before it are still to be marked for a backfill"
    )
    created_at = models.DateTimeField(db_default=Now(), editable=False)
    updated_at = models.DateTimeField(auto_now=True)

    class Meta:
        db_table = "metric_definitions"
        ordering = ["name"]
        constraints = [
            models.UniqueConstraint(
                fields=["project_id", "name"],
                name="metric_definitions_key",
                violation_error_code="unique",
                violation_error_message="The project has a metric of this name.",
            )
        ]

    def __str__(self) -> str:
        return self.name

    def clean(self) -> None:
        self.default_aggregation = self.default_aggregation or self._usual_aggregation()
        found = defaultdict(list)
        for field, problem in [*rules.problems(self), *self._changed_meaning(), *self._too_many()]:
            found[field].append(problem)
        if found:
            raise ValidationError(dict(found))

    def _usual_aggregation(self) -> str:
        return Aggregation.AVG if self.value_property else Aggregation.COUNT

    def _changed_meaning(self) -> list[rules.Problem]:
        before: dict[str, Any] | None = MetricDefinition.objects.filter(pk=self.pk).values(*self.MEANING).first()
        hint = "is part of what the name means and cannot be changed; define a metric of another name"
        return [(name, hint) for name, value in (before or {}).items() if value != getattr(self, name)]

    def _too_many(self) -> list[rules.Problem]:
        others = MetricDefinition.objects.filter(project_id=self.project_id, active=True).exclude(pk=self.pk)
        if self.active and others.count() >= rules.MAX_ACTIVE:
            return [("active", f"at most {rules.MAX_ACTIVE} metrics of a project's own can be active at a time")]
        return []

    def to_metric(self) -> Metric:
        """As the engine and the readers know it."""
        return Metric(
            name=self.name,
            event_types=tuple(self.event_types),
            value=Value((Product((self.value_property,)),)) if self.value_property else None,
            dimensions=tuple(self.dimensions),
            filters=dict(self.filters),
            unit=self.unit,
            default=Aggregation(self.default_aggregation or self._usual_aggregation()),
            max_series=self.max_series,
            description=self.description,
        )
