"""The benchmarks in their order, in the environment that `benchmarks.place` made."""

import sys
import time

import django

django.setup()

from benchmarks import (  # noqa: E402
    cli,
    http,
    indexes,
    ingest,
    latency,
    machine,
    metrics,
    preload,
    reads,
    retention,
    rollups,
    soak,
    storage,
    store,
)
from benchmarks.figures import say  # noqa: E402
from benchmarks.pool import Pool  # noqa: E402

RUNS = {
    "storage": storage.run,
    "ingest": ingest.run,
    "store": store.run,
    "http": http.run,
    "latency": latency.run,
    "soak": soak.run,
    "reads": reads.run,
    "rollups": rollups.run,
    "metrics": metrics.run,
    "retention": retention.run,
    "indexes": indexes.run,
}


def main() -> None:
    options = cli.read(sys.argv[1:])
    say(machine.describe())
    preload.migrate()
    pool = Pool()
    preload.fill(pool, options.preloaded)
    for name in options.names:
        began = time.monotonic()
        say(name)
        RUNS[name](options, pool)
        say(f"{name} took {time.monotonic() - began:.0f} s")


if __name__ == "__main__":
    main()
