"""Reading through the API from a table of many millions of events over several days."""

import json
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from typing import Any
from uuid import uuid4

from django.db import connection

from benchmarks import machine, preload, raw_copy, storage, web
from benchmarks.cli import Options
from benchmarks.client import Connection
from benchmarks.figures import percentile, print_table, say
from benchmarks.pool import Pool, yesterday
from events import closing, partitions

# The same events on an earlier day: with the time the first 48 bits of a UUIDv7 move, too.
COPY_DAY = """
INSERT INTO events ("timestamp", project_id, id, event_type, user_id, session_id, properties)
SELECT moved, project_id,
    overlay(replace(id::text, '-', '')
        PLACING lpad(to_hex((extract(epoch FROM moved) * 1000)::bigint), 12, '0') FROM 1 FOR 12)::uuid,
    event_type, user_id, session_id, properties
FROM (SELECT *, "timestamp" - %s AS moved FROM events
    WHERE "timestamp" >= %s AND "timestamp" < %s ORDER BY "timestamp" LIMIT %s) earlier
"""
RAREST = 'SELECT event_type FROM events WHERE "timestamp" >= %s GROUP BY 1 ORDER BY count(*) LIMIT 1'
BUSIEST_USER = "SELECT user_id FROM events WHERE user_id IS NOT NULL GROUP BY 1 ORDER BY count(*) DESC LIMIT 1"
# An id that tells nothing about its time, on the oldest day.
ODD = uuid4()
ODD_ID = """
INSERT INTO events (id, "timestamp", project_id, event_type)
SELECT %s, date_trunc('day', min("timestamp"), 'UTC') + interval '1 hour', 1, 'bench.odd' FROM events
"""
PATH = "/api/v1/events"
LIMIT = 100
PAGES = 1000
REPEATS = 50
Ask = Callable[[], Any]


@dataclass
class Timing:
    """Milliseconds of one question, over all its repeats."""

    name: str
    milliseconds: list[float]

    def cells(self) -> tuple[str, str, str, str]:
        p50, p99 = percentile(self.milliseconds, 0.5), percentile(self.milliseconds, 0.99)
        return self.name, f"{p50:.1f}", f"{p99:.1f}", f"{max(self.milliseconds):.1f}"


def run(options: Options, pool: Pool) -> None:
    grow(options.reads)
    with web.serving() as (port, _):
        client = Connection(port)
        timings = [*questions(client), *pages(client)]
    events = preload.one("SELECT count(*) FROM events")
    print_table(
        f"reads: {events:,} events in {len(partitions.existing())} daily partitions, pages of {LIMIT}, "
        f"{REPEATS} requests each, one connection, {machine.describe()}",
        ("GET /api/v1/events", "p50 ms", "p99 ms", "max ms"),
        [timing.cells() for timing in timings],
    )


def grow(wanted: int) -> None:
    """Copy the day that is there to earlier ones until there are enough events, then close those days."""
    start = yesterday()
    day, back = timedelta(days=1), 0
    available = preload.one('SELECT count(*) FROM events WHERE "timestamp" >= %s', start)
    missing = wanted - preload.one("SELECT count(*) FROM events")
    while missing > 0:
        back += 1
        say(f"{missing:,} events to go")
        partitions.ensure([(start - back * day).date()])
        with raw_copy.connect() as own:
            own.execute(COPY_DAY, [back * day, start, start + day, missing])
        missing -= available
    preload.settle()
    for open_day in closing.open_days():
        say(f"closing {open_day}")
        closing.close_day(open_day)
    storage.show(min(partitions.existing()), "after its closing")


def questions(client: Connection) -> list[Timing]:
    window = {"start_time": (yesterday() - timedelta(days=30)).isoformat(), "limit": LIMIT}
    with connection.cursor() as cursor:
        cursor.execute(RAREST, [yesterday()])
        rare = cursor.fetchone()[0]
        cursor.execute(BUSIEST_USER)
        user = cursor.fetchone()[0]
        cursor.execute(ODD_ID, [str(ODD)])
        cursor.execute('SELECT id, "timestamp" FROM events ORDER BY "timestamp" OFFSET 1000 LIMIT 1')
        id_, timestamp = cursor.fetchone()

    def listing(**filters: object) -> Ask:
        return lambda: client.get(PATH, **window, **filters)

    return [
        repeat("first page of 30 days", listing()),
        repeat("first page of the last day", lambda: client.get(PATH, limit=LIMIT)),
        repeat(f"a rare type ({rare})", listing(event_type=rare)),
        repeat("a type that never was", listing(event_type="bench.never")),
        repeat(f"the busiest user ({user})", listing(user_id=user)),
        repeat("a user that never was", listing(user_id="nobody")),
        repeat("a property (symbol)", listing(**{"properties.symbol": "ETHUSDT"})),
        repeat("by id, UUIDv7", lambda: client.get(f"{PATH}/{id_}")),
        repeat("by id, UUIDv4 (looked for on all days)", lambda: client.get(f"{PATH}/{ODD}")),
        repeat("by id and timestamp", lambda: client.get(f"{PATH}/{id_}", timestamp=timestamp.isoformat())),
    ]


def pages(client: Connection) -> list[Timing]:
    """Follow the cursor to a far page, then ask for that one and the first in turns."""
    first: dict[str, object] = {"start_time": (yesterday() - timedelta(days=30)).isoformat()}
    far = first
    for _ in range(PAGES - 1):
        far = {"cursor": json.loads(client.get(PATH, limit=LIMIT, **far))["next_cursor"]}
    timings = [Timing("page 1", []), Timing("", [])]
    for _ in range(REPEATS):
        for timing, asked in zip(timings, (first, far), strict=True):
            timing.milliseconds.append(milliseconds(partial(client.get, PATH, limit=LIMIT, **asked)))
    shares = [percentile(timing.milliseconds, 0.5) for timing in timings]
    timings[1].name = f"page {PAGES:,} in turns with page 1 ({shares[1] / shares[0]:.2f} of it)"
    return timings


def repeat(name: str, ask: Ask) -> Timing:
    ask()
    return Timing(name, [milliseconds(ask) for _ in range(REPEATS)])


def milliseconds(ask: Ask) -> float:
    began = time.perf_counter()
    ask()
    return (time.perf_counter() - began) * 1000
