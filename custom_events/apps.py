from django.apps import AppConfig


class CustomEventsConfig(AppConfig):
    name = "custom_events"
