from django.apps import AppConfig


class AnalyticsProjectConfig(AppConfig):
    """Installed as an app so that its management commands are found."""

    name = "analytics_project"
