"""JSON logs with a request or batch id, and never a payload."""

import logging
from contextvars import ContextVar
from typing import Any

# The id of the HTTP request or of the batch that the current thread works on.
context_id: ContextVar[str] = ContextVar("context_id", default="")


class ContextFilter(logging.Filter):
    def filter(self, record: logging.LogRecord) -> bool:
        record.context_id = context_id.get()
        return True


def logging_settings(level: str, style: str) -> dict[str, Any]:
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "filters": {"context": {"()": "analytics_project.lib.logs.ContextFilter"}},
        "formatters": {
            "json": {
                "()": "pythonjsonlogger.orjson.OrjsonFormatter",
                "fmt": "%(asctime)s %(levelname)s %(name)s %(message)s %(context_id)s",
                "rename_fields": {"asctime": "timestamp", "levelname": "level", "name": "logger"},
            },
            "text": {"format": "%(asctime)s %(levelname)-7s %(name)s %(message)s"},
        },
        "handlers": {
            "console": {
                "class": "logging.StreamHandler",
                "formatter": style,
                "filters": ["context"],
            },
        },
        "root": {"handlers": ["console"], "level": level},
        "loggers": {
            # Reconnecting is the library's daily work; what matters of it our own loop reports.
            "kafka": {"level": "ERROR"},
            "celery.worker.strategy": {"level": "WARNING"},
            # A line for each tick would be most of what a terminal shows.
            "celery.beat": {"level": "WARNING"},
            "celery.app.trace": {"level": "WARNING"},
            "django.request": {"level": "ERROR"},
        },
    }
