"""The project's own processes, started as the Procfile starts them."""

import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager

import psutil

PATIENCE = 20


def manage(*arguments: str) -> list[str]:
    return [sys.executable, "manage.py", *arguments]


def worker(children: int = 2) -> list[str]:
    return [
        *(sys.executable, "-m", "celery", "-A", "analytics_project", "worker"),
        *("--queues", "ingest", "--concurrency", str(children), "--hostname", "ingest@%h"),
        *("--without-gossip", "--without-mingle", "--loglevel", "WARNING"),
    ]


@contextmanager
def running(command: list[str], env: dict[str, str] | None = None) -> Iterator[psutil.Process]:
    """Run a program for as long as the block lasts. Its output is shown if it fails."""
    with tempfile.TemporaryFile() as log:
        child = psutil.Popen(command, env=env, stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT)
        try:
            yield child
        finally:
            early = child.poll()
            _end(child)
            if early is not None:
                log.seek(0)
                sys.stderr.buffer.write(log.read()[-5000:])
                raise RuntimeError(f"{command} ended by itself with {early}")


def _end(child: psutil.Popen) -> None:
    if child.poll() is not None:
        return
    child.send_signal(signal.SIGTERM)
    try:
        child.wait(PATIENCE)
    except psutil.TimeoutExpired:
        child.kill()
        child.wait()
