"""The processes of the Procfile under honcho, which prefixes their output and ends them together."""

import threading
from collections.abc import Callable
from pathlib import Path
from typing import ParamSpec

from honcho.environ import parse_procfile
from honcho.manager import Manager

Arguments = ParamSpec("Arguments")

# Within the ten seconds after Ctrl-C there is also the stop of the services.
KILL_AFTER = 6.0


class Runner(Manager):  # type: ignore[misc]
    """All lines of a Procfile; one that ends takes the others with it.

    `ended_first` then names it; it stays empty when a signal asked for the end.
    """

    def __init__(self, procfile: Path, env: dict[str, str]) -> None:
        super().__init__()
        self.ended_first = ""
        self.over = threading.Event()
        self._threads: list[threading.Thread] = []
        for name, command in parse_procfile(procfile.read_text()).processes.items():
            self.add_process(name, command, env=env, cwd=str(procfile.parent))

    def alongside(self, function: Callable[Arguments, None], *args: Arguments.args, **kwargs: Arguments.kwargs) -> None:
        """Run a function in a thread while the processes run; it returns soon after `over` is set."""
        self._threads.append(threading.Thread(target=function, args=args, kwargs=kwargs, daemon=True))

    def loop(self) -> None:
        """Run until all processes have ended, and with them what runs alongside."""
        super().loop()
        self.over.set()
        for thread in self._threads:
            thread.join()

    def terminate(self) -> None:
        """Ask all processes to end; those that have not done so after a while are killed."""
        if self._terminating:
            return
        if not self._all_started():
            # A signal in the first moments: honcho does not know every pid yet.
            later(0.2, self.terminate)
            return
        self.ended_first = ", ".join(name for name, known in self._processes.items() if "returncode" in known)
        # honcho kills only once one of them has ended: not enough when none does.
        later(KILL_AFTER, self.kill)
        super().terminate()

    def _start(self) -> None:
        super()._start()
        # Only now: honcho forks above, and a fork must not meet a second thread.
        for thread in self._threads:
            thread.start()


def later(seconds: float, action: Callable[[], None]) -> None:
    timer = threading.Timer(seconds, action)
    timer.daemon = True
    timer.start()
