"""The Celery application and the beat table.

Beat is only a hint: each task asks the database what is due, so a missed or doubled tick
changes nothing. `expires` keeps copies from piling up behind a stopped worker.
"""

import os

import billiard.pool
from celery import Celery
from celery.schedules import crontab
from celery.signals import setup_logging, task_prerun, worker_process_init
from django.db import close_old_connections
from kombu.transport import TRANSPORT_ALIASES

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "analytics_project.settings")

# Under its usual name, by which Flower and Celery's own checks know it.
TRANSPORT_ALIASES["redis"] = "analytics_project.lib.queue_transport:Transport"

app = Celery("analytics_project")
app.config_from_object("django.conf:settings", namespace="CELERY")
# A child keeps its connection to PostgreSQL over many tasks. The fixup that reads this asks for
# the full name, which a setting with the namespace's prefix would lose.
app.conf["CELERY_DB_REUSE_MAX"] = 1000
app.autodiscover_tasks()

app.conf.beat_schedule = {
    # What is due stands in the database, and a run with nothing to do costs milliseconds: often is cheap.
    "roll-up": {
        "task": "metrics.roll_up",
        "schedule": 5.0,
        "options": {"expires": 15},
    },
    # Hourly and off the full hour: a missed tick leaves six days of partitions still ahead.
    "maintain-partitions": {
        "task": "events.maintain_partitions",
        "schedule": crontab(minute="7"),
        "options": {"expires": 3600},
    },
    # Between the hours, when hardly anything else is due; a day is closed an hour after its end.
    "close-days": {
        "task": "events.close_days",
        "schedule": crontab(minute="37"),
        "options": {"expires": 1800},
    },
    # Once a day, in the quiet after the closing of days. What is held back then waits for the next day.
    "apply-retention": {
        "task": "metrics.apply_retention",
        "schedule": crontab(hour="3", minute="47"),
        "options": {"expires": 6 * 3600},
    },
    # A request for a backfill stands in the database; each run marks what 20 seconds allow.
    "backfill": {
        "task": "metrics.backfill",
        "schedule": crontab(),
        "options": {"expires": 55},
    },
    # Half a minute of recounting: what drifts is noticed within hours, and the machine does not feel it.
    "check-rollups": {
        "task": "metrics.check_rollups",
        "schedule": crontab(minute="23"),
        "options": {"expires": 1800},
    },
    # Marks and batch rows grow with the number of batches, not events; small bites keep each run short.
    "compact": {
        "task": "events.compact",
        "schedule": crontab(),
        "options": {"expires": 90},
    },
}


@task_prerun.connect
def check_connections(**_: object) -> None:
    """Let each task check its connection before use, as each request does: PostgreSQL may have been restarted."""
    close_old_connections()


@worker_process_init.connect
def end_without_a_reader(**_: object) -> None:
    """A child told to end waits until its parent has read its last answer: two seconds instead of thirty.

    A parent that warmly shuts down while no task is being handed out stops reading at once, and the
    answer to a task that is just done stays where it is. What it would acknowledge is in the ledger.
    """
    billiard.pool.GUARANTEE_MESSAGE_CONSUMPTION_RETRY_LIMIT = 20


@setup_logging.connect
def keep_djangos_logging(**_: object) -> None:
    """Celery would replace the JSON handlers; being connected here is what keeps it from that."""
