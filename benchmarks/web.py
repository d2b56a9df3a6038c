"""The web server under measurement."""

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

import orjson
import psutil

from analytics_project.services import ports
from benchmarks import programs
from benchmarks.client import Connection

START_SECONDS = 120


@contextmanager
def serving() -> Iterator[tuple[int, psutil.Process]]:
    """`manage.py serve` on a free port, and its process."""
    port = ports.free_port()
    with programs.running(programs.manage("serve"), os.environ | {"SERVER_PORT": str(port)}) as server:
        wait_until_ready(port)
        yield port, server


def wait_until_ready(port: int) -> None:
    deadline = time.monotonic() + START_SECONDS
    while True:
        try:
            Connection(port).get("/healthz")
            return
        except OSError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.1)


def load(port: int, path: str, connections: int, bodies: list[bytes]) -> tuple[float, list[float]]:
    """Send bodies from another process; answers the wall seconds and those of each request."""
    order = {"port": port, "path": path, "connections": connections, "bodies": [body.decode() for body in bodies]}
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.client"], input=orjson.dumps(order), stdout=subprocess.PIPE, check=True
    )
    answer = orjson.loads(done.stdout)
    return answer["wall"], answer["seconds"]
