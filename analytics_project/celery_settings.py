"""Celery's settings for queues in which nothing authoritative lives.

The ledger in PostgreSQL says what is stored; a lost message is read from Kafka again. So the
settings aim at quick redelivery and bounded memory, not at keeping messages safe.
"""

from typing import Any

from kombu import Queue

# How long the tasks of a killed worker stay away. A task that takes longer (closing days) is given
# out a second time meanwhile, finds the lock taken and ends.
VISIBILITY_TIMEOUT = 120


def celery_settings(broker_url: str) -> dict[str, Any]:
    return {
        "CELERY_BROKER_URL": broker_url,
        # Each with its own routing key: with Celery's default all three would get every message.
        "CELERY_TASK_QUEUES": [Queue(name, routing_key=name) for name in ("ingest", "rollup", "maintenance")],
        "CELERY_TASK_DEFAULT_QUEUE": "maintenance",
        "CELERY_TASK_ROUTES": {
            "events.insert_batch": {"queue": "ingest"},
            "events.*": {"queue": "maintenance"},
            "metrics.apply_retention": {"queue": "maintenance"},
            "metrics.check_rollups": {"queue": "maintenance"},
            "metrics.*": {"queue": "rollup"},
        },
        # msgpack carries a batch as bytes; JSON is kept for the small periodic tasks.
        "CELERY_ACCEPT_CONTENT": ["msgpack", "json"],
        "CELERY_TASK_IGNORE_RESULT": True,
        "CELERY_TASK_ACKS_LATE": True,
        "CELERY_TASK_REJECT_ON_WORKER_LOST": True,
        "CELERY_WORKER_PREFETCH_MULTIPLIER": 1,
        "CELERY_WORKER_CANCEL_LONG_RUNNING_TASKS_ON_CONNECTION_LOSS": True,
        "CELERY_BROKER_CONNECTION_RETRY_ON_STARTUP": True,
        "CELERY_BROKER_CONNECTION_MAX_RETRIES": None,
        "CELERY_WORKER_MAX_MEMORY_PER_CHILD": 180_000,
        "CELERY_WORKER_HIJACK_ROOT_LOGGER": False,
        # Three messages a task that mostly nobody reads. Flower turns them on while it runs.
        "CELERY_WORKER_SEND_TASK_EVENTS": False,
        # Shorter than the visibility timeout, else a slow task would run twice at once.
        "CELERY_TASK_SOFT_TIME_LIMIT": 60,
        "CELERY_TASK_TIME_LIMIT": 90,
        "CELERY_BROKER_TRANSPORT_OPTIONS": {
            "visibility_timeout": VISIBILITY_TIMEOUT,
            "unacked_restore_interval": 10,
            "unacked_restore_throttle": 1,
            "socket_timeout": 30,
            "socket_connect_timeout": 5,
            "socket_keepalive": True,
            "global_keyprefix": "b25:",
        },
    }
