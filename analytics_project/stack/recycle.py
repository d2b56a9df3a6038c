"""Empty the embedded broker before its memory hurts: it frees nothing while it lives."""

import subprocess
import sys
import threading
from collections.abc import Callable, Mapping
from pathlib import Path

from analytics_project.services import Instance, broker_memory, broker_memory_limit

CHECKOUT = Path(__file__).resolve().parents[2]
PERIOD = 15


def keep_broker_small(
    over: threading.Event, instance: Instance, env: Mapping[str, str], say: Callable[[str], None]
) -> None:
    """Restart the broker when it stays above its limit.

    At the limit the simulator pauses and the consumer catches up, so one period later nothing in
    the broker is waiting any more. The ledger meets new topic ids and starts afresh.
    """
    above = 0
    while instance["kafka"].elsewhere() is None and not over.wait(PERIOD):
        above = above + 1 if broker_memory(instance.folder.name) > broker_memory_limit() else 0
        if above >= 2:
            say("make run: the embedded broker has reached its memory limit and is restarted empty")
            instance.restart("kafka", say)
            command = [sys.executable, "manage.py", "create_topics"]
            subprocess.run(command, cwd=CHECKOUT, env=env, check=False, start_new_session=True)
            above = 0
