"""The command line of the benchmarks."""

from argparse import ArgumentParser, ArgumentTypeError
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta

from pydantic import TypeAdapter, ValidationError

from analytics_project.config.types import Duration

BENCHMARKS = {
    "storage": "bytes per event, table and indexes",
    "ingest": "Kafka to stored, against raw COPY; CPU and memory of each process",
    "store": "store_kafka in one process, and where its time goes",
    "http": "POST of batches and of single events",
    "latency": "produced to answered by the API, at 2,000 events/s",
    "soak": "memory over a long time (see --soak)",
    "reads": "GET with 10 million events",
    "rollups": "CPU of rolling up, and healing of late events",
    "metrics": "the metrics API and the dashboard, with and without the cache",
    "retention": "dropping a day while others are written (see --dropped)",
    "indexes": "alternatives for the indexes and the storage of `events` (not run unless named)",
}
USUAL = tuple(name for name in BENCHMARKS if name not in ("soak", "indexes"))


@dataclass(frozen=True)
class Options:
    names: tuple[str, ...]
    rounds: int
    events: int
    preloaded: int
    reads: int
    dropped: int
    soak: timedelta


def read(arguments: Sequence[str]) -> Options:
    parser = ArgumentParser(
        prog="python -m benchmarks",
        description="Measure speed, latency, memory and storage on this machine.",
        epilog="; ".join(f"{name}: {what}" for name, what in BENCHMARKS.items()),
    )
    parser.add_argument("names", nargs="*", metavar="benchmark", help=f"default: {' '.join(USUAL)}")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--events", type=int, default=200_000, help="events of one round (default: %(default)s)")
    parser.add_argument("--preloaded", type=int, default=2_000_000, help="stored before (default: %(default)s)")
    parser.add_argument("--reads", type=int, default=10_000_000, help="stored for `reads` (default: %(default)s)")
    parser.add_argument("--dropped", type=int, default=1_000_000, help="events of the day of `retention`")
    parser.add_argument("--soak", type=duration, default=timedelta(0), help="how long, e.g. 30m; runs `soak`")
    given = vars(parser.parse_args(arguments))
    names = given["names"] or (("soak",) if given["soak"] else USUAL)
    if unknown := [name for name in names if name not in BENCHMARKS]:
        parser.error(f"no benchmark is called {unknown[0]!r}; there are: {', '.join(BENCHMARKS)}")
    return Options(**given | {"names": tuple(names)})


def duration(text: str) -> timedelta:
    try:
        return TypeAdapter(Duration).validate_python(text)
    except ValidationError:
        raise ArgumentTypeError(f"{text!r} is no duration, e.g. 30m") from None
