"""Programs that outlive the command which started them, recognised again by pid and start time."""

import os
import signal
import subprocess
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO

import psutil


@dataclass(frozen=True)
class User:
    """Whom a program runs as instead of root."""

    uid: int
    gid: int


def spawn(command: Sequence[str], *, log: IO[bytes], folder: Path, user: User | None = None) -> psutil.Process:
    """Start a program in a session of its own, so that no Ctrl-C of a terminal reaches it."""
    child = subprocess.Popen(
        command,
        cwd=folder,
        stdin=subprocess.DEVNULL,
        stdout=log,
        stderr=subprocess.STDOUT,
        start_new_session=True,
        **run_as(user),  # type: ignore[call-overload]
    )
    # The program is to outlive this one, so nobody waits for it; else Popen warns when collected.
    child.returncode = 0
    return psutil.Process(child.pid)


def run(command: Sequence[str], *, cwd: Path, user: User | None) -> subprocess.CompletedProcess[str]:
    """Run a program to its end and keep what it says."""
    done: subprocess.CompletedProcess[str] = subprocess.run(
        command,
        cwd=cwd,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
        **run_as(user),  # type: ignore[call-overload]
    )
    return done


def run_as(user: User | None) -> dict[str, object]:
    """Arguments for subprocess that drop root and all its groups."""
    return {} if user is None else {"user": user.uid, "group": user.gid, "extra_groups": []}


def find(pid: object, started: object) -> psutil.Process | None:
    """The remembered process, unless it has ended or its pid now belongs to another program."""
    if not isinstance(pid, int) or not isinstance(started, float):
        return None
    try:
        process = psutil.Process(pid)
        if abs(process.create_time() - started) > 1 or process.status() == psutil.STATUS_ZOMBIE:
            return None
    except psutil.NoSuchProcess:
        return None
    return process


def ended(process: psutil.Process) -> bool:
    """True once the process is gone; one that this very process started is reaped on the way."""
    try:
        os.waitpid(process.pid, os.WNOHANG)
    except ChildProcessError:
        # Started by an earlier command: init reaps it.
        return not process.is_running() or process.status() == psutil.STATUS_ZOMBIE
    return not process.is_running()


def send(process: psutil.Process, number: signal.Signals) -> None:
    try:
        process.send_signal(number)
    except psutil.NoSuchProcess:
        return


def wait_for_end(process: psutil.Process, patience: float) -> None:
    """Return when the process has ended, or after so many seconds."""
    deadline = time.monotonic() + patience
    while time.monotonic() < deadline and not ended(process):
        time.sleep(0.02)


def memory(process: psutil.Process) -> int:
    """Resident bytes of the process and its children; 0 when it ends meanwhile."""
    try:
        family = [process, *process.children(recursive=True)]
        # Shared memory would be counted once for each process that touched it.
        return sum(resident - shared for resident, shared in map(sizes, family)) + sizes(process)[1]
    except psutil.NoSuchProcess:
        return 0


def sizes(process: psutil.Process) -> tuple[int, int]:
    """Resident bytes, and those of them that are shared, where the system tells."""
    info = process.memory_info()
    return info.rss, getattr(info, "shared", 0)


def tail(path: Path, lines: int = 5) -> str:
    """The end of a log, for error messages."""
    if not path.exists():
        return ""
    return "\n".join(path.read_text(errors="replace").splitlines()[-lines:])
