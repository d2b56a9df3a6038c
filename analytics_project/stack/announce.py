"""Tell the addresses once the service answers."""

import http.client
import threading
import time
from collections.abc import Callable

from analytics_project.config import Config

PATIENCE = 120


def announce_when_ready(
    over: threading.Event, config: Config, password: str, started: float, say: Callable[[str], None]
) -> None:
    """Wait until the health check of the web process is satisfied, then print where to look."""
    health = ""
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        if over.wait(0.3):
            return
        status, health = ask(config.server.port, "/health")
        if status == http.client.OK:
            say(addresses(config, password, time.monotonic() - started))
            return
    say(f"make run: not healthy after {PATIENCE} s; the last answer: {health or 'none'}")


def ask(port: int, path: str) -> tuple[int, str]:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
    try:
        connection.request("GET", path)
        answer = connection.getresponse()
        return answer.status, answer.read().decode(errors="replace")
    except OSError:
        return 0, ""
    finally:
        connection.close()


def addresses(config: Config, password: str, seconds: float) -> str:
    web = f"http://127.0.0.1:{config.server.port}"
    lines = (
        f"B25 Analytics is up after {seconds:.0f} s:",
        f"  live page  {web}/",
        f"  events     {web}/api/v1/events?limit=5",
        f"  admin      {web}/admin/  (user admin, password {password})",
        f"  metrics    http://127.0.0.1:{config.metrics.port}{config.metrics.path}",
        f"  health     http://127.0.0.1:{config.health.port}/health",
        "Ctrl-C stops everything; stored events stay.",
    )
    return "\n".join(("", *lines, ""))
