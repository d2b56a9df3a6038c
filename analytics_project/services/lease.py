"""Share an instance between several users, of whom the last one stops it."""

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager

from analytics_project.services.instance import Instance, silent
from analytics_project.services.service import Report


@contextmanager
def lease(name: str, report: Report = silent) -> Iterator[Instance]:
    """Have an instance running; stop it at the end unless it ran before or another lease holds it."""
    instance = Instance(name)
    instance.folder.path.mkdir(parents=True, exist_ok=True)
    with (instance.folder.path / "users").open("w") as users:
        fcntl.flock(users, fcntl.LOCK_SH)
        ran_before = all(service.running() for service in instance.services if service.elsewhere() is None)
        instance.start(report)
        try:
            yield instance
        finally:
            if not ran_before and alone(users.fileno()):
                instance.stop(report)


def alone(users: int) -> bool:
    """Try to turn the shared lock into the only one; refused while another lease lasts."""
    try:
        fcntl.flock(users, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
