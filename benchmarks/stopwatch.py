"""Wall time within named functions, by wrapping them for as long as a measurement lasts."""

import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any
from unittest.mock import patch


class Stopwatch:
    """Seconds by label; of nested parts each has its own time only."""

    def __init__(self) -> None:
        self.seconds: defaultdict[str, float] = defaultdict(float)
        self._inner = [0.0]

    def timed(self, label: str, function: Callable[..., Any]) -> Callable[..., Any]:
        def wrapper(*args: Any, **kwargs: Any) -> Any:
            with self.span(label):
                return function(*args, **kwargs)

        return wrapper

    @contextmanager
    def span(self, label: str) -> Iterator[None]:
        began = time.perf_counter()
        self._inner.append(0.0)
        try:
            yield
        finally:
            spent = time.perf_counter() - began
            self.seconds[label] += spent - self._inner.pop()
            self._inner[-1] += spent

    @contextmanager
    def watching(self, parts: dict[str, tuple[object, str]]) -> Iterator[None]:
        """Time `module.function` for each label."""
        with ExitStack() as stack:
            for label, (owner, name) in parts.items():
                stack.enter_context(patch.object(owner, name, self.timed(label, getattr(owner, name))))
            yield
