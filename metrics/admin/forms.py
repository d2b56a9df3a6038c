"""The form of a definition. What is allowed in it says `metrics.definitions.rules`."""

from typing import Any

from django import forms

from access.models import Project
from metrics.definitions.models import MetricDefinition


class LinesField(forms.CharField):
    """A list of texts, one a line."""

    widget = forms.Textarea(attrs={"rows": 4, "cols": 60})

    def prepare_value(self, value: Any) -> Any:
        return "\n".join(value) if isinstance(value, list) else value

    def to_python(self, value: Any) -> Any:
        return [line.strip() for line in (super().to_python(value) or "").splitlines() if line.strip()]

    def has_changed(self, initial: Any, data: Any) -> bool:
        return bool((initial or []) != self.to_python(data))


class DefinitionForm(forms.ModelForm):  # type: ignore[type-arg]
    event_types = LinesField(help_text="Exact types, or patterns with * such as order.*; one a line")
    dimensions = LinesField(required=False, help_text="Properties that split it into series; one a line, at most 5")

    class Meta:
        model = MetricDefinition
        fields = ("project_id", *MetricDefinition.MEANING, *MetricDefinition.CHANGEABLE)
        widgets = {
            "description": forms.Textarea(attrs={"rows": 2, "cols": 60}),
            "value_property": forms.TextInput(attrs={"size": 40}),
            "filters": forms.Textarea(attrs={"rows": 3, "cols": 60}),
        }

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        # Not there where it can only be looked at.
        if "project_id" in self.fields:
            projects = Project.objects.order_by("slug").values_list("pk", "slug")
            self.fields["project_id"] = forms.TypedChoiceField(coerce=int, choices=list(projects), label="Project")
        if "max_series" in self.fields:
            self.fields["max_series"].required = True
