"""What the three services have in common: start, wait until it answers, find again, stop."""

import os
import signal
import time
from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import ClassVar

import psutil

from analytics_project.services import ports, process
from analytics_project.services.folder import Folder, folders

# A server that was just killed may hold its port a moment longer than its process lives.
PORT_PATIENCE = 2

Report = Callable[[str], None]


class ServiceError(Exception):
    """A service cannot run; the text is one line that says what to do, and the end of its log."""


@dataclass(frozen=True)
class Status:
    """How a service is: `state` is running, stopped or elsewhere (its variables name another server)."""

    service: str
    state: str
    address: str
    pid: int | None = None
    memory: int = 0
    limit: int | None = None


class Service(ABC):
    """One server of an instance. Whoever starts or stops it holds the folder's lock."""

    name: ClassVar[str]
    title: ClassVar[str]
    wheel: ClassVar[str]
    variable: ClassVar[str]
    start_timeout: ClassVar[float] = 30
    # What to send, and how long to wait for it to end.
    stop_signals: ClassVar[tuple[tuple[signal.Signals, float], ...]] = ((signal.SIGTERM, 5), (signal.SIGKILL, 5))

    def __init__(self, folder: Folder) -> None:
        self.folder = folder
        self.path = folder.path / self.name
        self.log = folder.path / f"{self.name}.log"

    @abstractmethod
    def command(self, port: int) -> list[str]:
        """The program and its arguments."""

    @abstractmethod
    def environment(self, port: int) -> dict[str, str]:
        """The variables that lead the project here."""

    @abstractmethod
    def configured(self) -> str | None:
        """The address that the variables of this process name, if any."""

    def prepare(self, report: Report) -> None:
        """Make what the server needs before its first start."""
        self.path.mkdir(exist_ok=True)

    def ready(self, port: int) -> bool:
        """Does it serve requests?"""
        return ports.answers(port)

    def user(self) -> process.User | None:
        """Whom the server runs as, if not as whoever starts it."""
        return None

    def settled(self, port: int) -> None:  # noqa: B027 - only PostgreSQL has something to do
        """Called once, as soon as the server is ready."""

    def elsewhere(self) -> str | None:
        """The address in the variables when it belongs to no instance of this checkout."""
        address = self.configured()
        ours = {f"{ports.HOST}:{folder.read(self.name).get('port')}" for folder in folders()}
        return None if address in ours else address

    def port(self) -> int | None:
        port = self.folder.read(self.name).get("port")
        return port if isinstance(port, int) else None

    def running(self) -> psutil.Process | None:
        known = self.folder.read(self.name)
        return process.find(known.get("pid"), known.get("started"))

    def start(self, report: Report) -> None:
        """Bring the server up and wait until it answers; nothing happens when it already does."""
        if self.running() is None:
            began = time.monotonic()
            self.prepare(report)
            self.launch(report)
            report(f"{self.title}: {ports.HOST}:{self.port()}, ready after {time.monotonic() - began:.1f} s")

    def launch(self, report: Report) -> None:
        for _ in range(3):
            port = self.choose_port(report)
            with self.log.open("ab") as log:
                started = process.spawn(self.command(port), log=log, folder=self.path, user=self.user())
            self.folder.write(self.name, pid=started.pid, started=started.create_time())
            if self.wait_until_ready(started, port):
                self.settled(port)
                return
            # Ended by itself: another program may have been quicker to take the port.
            time.sleep(0.5)
        raise ServiceError(f"{self.title} does not start; the end of {self.log}:\n{process.tail(self.log)}")

    def choose_port(self, report: Report) -> int:
        """The remembered port, or another one when somebody else has it."""
        port = self.port()
        if port is not None and ports.becomes_free(port, PORT_PATIENCE):
            return port
        chosen = ports.free_port()
        if port is not None:
            report(f"{self.title}: port {port} is taken by another program, using {chosen}")
        self.folder.write(self.name, port=chosen)
        return chosen

    def wait_until_ready(self, started: psutil.Process, port: int) -> bool:
        deadline = time.monotonic() + self.start_timeout
        while time.monotonic() < deadline:
            if process.ended(started):
                return False
            if self.ready(port):
                return True
            time.sleep(0.05)
        self.stop()
        raise ServiceError(f"{self.title} does not answer after {self.start_timeout:.0f} s; see {self.log}")

    def stop(self) -> None:
        """End the server, gently first. Nothing happens when it is not running."""
        running = self.running()
        for number, patience in self.stop_signals:
            if running is None or process.ended(running):
                return
            process.send(running, number)
            process.wait_for_end(running, patience)

    def status(self) -> Status:
        elsewhere = self.elsewhere()
        if elsewhere is not None:
            return Status(self.title, "elsewhere", elsewhere)
        running, port = self.running(), self.port()
        address = f"{ports.HOST}:{port}" if port else "-"
        if running is None:
            return Status(self.title, "stopped", address)
        return Status(self.title, "running", address, running.pid, process.memory(running), self.memory_limit())

    def memory_limit(self) -> int | None:
        return None

    def wheel_path(self, module: str) -> Path:
        """The folder of an installed package that is used for its programs only, without importing it."""
        spec = find_spec(module)
        if spec is None or spec.origin is None:
            raise ServiceError(
                f"{self.title}: the package {self.wheel} is missing; "
                f"run `make setup` (or pip install -r requirements/embedded.txt), or set {self.variable}"
            )
        return Path(spec.origin).parent


def variable(name: str) -> str:
    return os.environ.get(name, "").strip()
