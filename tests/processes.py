"""Processes of the service as children of a test: started, watched through their logs, and never left behind."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import psutil

ROOT = Path(__file__).resolve().parents[1]


@dataclass
class Running:
    """One started process with the children it makes, which all share its process group."""

    name: str
    popen: subprocess.Popen[bytes]
    log: Path
    told_to_end: bool = False

    @classmethod
    def start(cls, name: str, command: Sequence[str], environment: Mapping[str, str], log: Path) -> "Running":
        with log.open("ab") as output:
            popen = subprocess.Popen(
                [sys.executable, *command],
                cwd=ROOT,
                env=dict(environment),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        return cls(name, popen, log)

    @property
    def alive(self) -> bool:
        return self.popen.poll() is None

    @property
    def failed(self) -> bool:
        """Whether it ended though nobody told it to."""
        return not self.alive and not self.told_to_end

    def text(self) -> str:
        return self.log.read_text(errors="replace")

    def tail(self, lines: int = 15) -> str:
        state = "runs" if self.alive else f"ended with {self.popen.returncode}"
        return f"--- {self.name} ({state})\n" + "\n".join(self.text().splitlines()[-lines:])

    def children(self) -> list[psutil.Process]:
        return psutil.Process(self.popen.pid).children(recursive=True)

    def terminate(self) -> None:
        self.told_to_end = True
        self.popen.send_signal(signal.SIGTERM)

    def wait_for_end(self, seconds: float) -> float:
        """Wait until the process has ended by itself, and answer how long that took."""
        began = time.monotonic()
        try:
            self.popen.wait(seconds)
        except subprocess.TimeoutExpired:
            raise AssertionError(f"{self.name} still runs after {seconds:.0f} s\n{self.tail()}") from None
        return time.monotonic() - began

    def kill_group(self) -> None:
        """SIGKILL for the process and all its children, as when the machine fails."""
        self.told_to_end = True
        try:
            os.killpg(self.popen.pid, signal.SIGKILL)
        except ProcessLookupError:
            return
        finally:
            self.popen.wait()


def wait_until(condition: Callable[[], object], *, seconds: float, what: Callable[[], str]) -> float:
    """Ask every 30 ms until `condition` holds; answers how long it took, fails with `what` it waited for."""
    began = time.monotonic()
    while not condition():
        if time.monotonic() - began > seconds:
            raise AssertionError(f"after {seconds:.0f} s still waiting for {what()}")
        time.sleep(0.03)
    return time.monotonic() - began
