"""PostgreSQL, Redis and a Kafka-compatible broker out of wheels, for development and tests.

Nothing is installed on the machine and nothing needs Docker or Java. Every instance lives in one
ignored folder, `.services/<name>`, and outlives the command that started it. Nothing here imports
Django, so the services start even where the settings do not load yet.
"""

from analytics_project.services.instance import Instance, environment, start, status, stop
from analytics_project.services.lease import lease
from analytics_project.services.memory import broker_memory, broker_memory_exceeded, broker_memory_limit
from analytics_project.services.service import Service, ServiceError, Status

__all__ = [
    "Instance",
    "Service",
    "ServiceError",
    "Status",
    "broker_memory",
    "broker_memory_exceeded",
    "broker_memory_limit",
    "environment",
    "lease",
    "start",
    "status",
    "stop",
]
