from dataclasses import dataclass
from datetime import timedelta


@dataclass(frozen=True)
class Options:
    """What the command line asks for."""

    names: tuple[str, ...]
    rounds: int
    events: int
    preloaded: int
    reads: int
    soak: timedelta
