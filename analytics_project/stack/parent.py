"""End together with `make`.

Ctrl-C in a terminal reaches make and this process alike. But a SIGINT for make alone (`kill -INT`,
a supervisor, an editor's stop button) is not passed on: make takes its handler away and waits for us.
"""

import os
import signal
import threading
import time
from pathlib import Path

PERIOD = 0.3


def end_with_make() -> None:
    """Send this process SIGTERM as soon as the make that started it is gone or was interrupted."""
    if "MAKELEVEL" in os.environ and Path("/proc/self/status").exists():
        parent = os.getppid()
        threading.Thread(target=watch, args=(parent, handles_interrupt(parent)), daemon=True).start()


def watch(parent: int, had_handler: bool) -> None:
    while os.getppid() == parent and (handles_interrupt(parent) or not had_handler):
        time.sleep(PERIOD)
    os.kill(os.getpid(), signal.SIGTERM)


def handles_interrupt(pid: int) -> bool:
    """Has the process a handler for SIGINT? make drops it on the first one it gets."""
    try:
        status = Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return False
    caught = next(line for line in status.splitlines() if line.startswith("SigCgt:"))
    return bool(int(caught.split()[1], 16) & 1 << (signal.SIGINT - 1))
