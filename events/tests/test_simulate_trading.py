"""The command as a process: its rate, its end, and what it says of arguments."""

import os
import signal
import subprocess
import sys
import time
from collections import Counter
from io import StringIO
from itertools import islice
from pathlib import Path

import orjson
import pytest
from django.conf import settings
from django.core.management import call_command
from django.core.management.base import CommandError

from events.kafka.outbox import Outbox
from events.kafka.outgoing import Outgoing
from events.kafka.topics import connect, ensure_topics
from events.simulation.disorder import Disorder
from events.simulation.kernel import Simulated
from events.simulation.live import Live
from events.tests.simulated import START, world

ROOT = Path(__file__).resolve().parents[2]


class Collected(Outbox):
    """Keeps what it is given."""

    def __init__(self) -> None:
        super().__init__([], report=print)
        self.sent: list[tuple[float, Outgoing]] = []

    def send(self, record: Outgoing) -> bool:
        self.sent.append((time.time(), record))
        return True


def events(count: int, rate: float = 200.0) -> list[Simulated]:
    return list(islice(world(rate=rate).events(), count))


def test_the_command_ends_soon_after_a_signal() -> None:
    with connect(settings.CONFIG.kafka.brokers, timeout=10, report=print) as admin:
        ensure_topics(admin, settings.CONFIG.kafka.topics)
    command = [sys.executable, "manage.py", "simulate_trading", "--rate", "200"]
    with subprocess.Popen(command, cwd=ROOT, stderr=subprocess.PIPE, text=True, env=os.environ) as process:
        assert process.stderr is not None
        assert "Sending 200 events/s" in process.stderr.readline()
        time.sleep(1)
        process.send_signal(signal.SIGTERM)
        asked = time.monotonic()
        process.wait(20)

        # Two seconds are allowed; a busy machine needs longer to end a process.
        assert time.monotonic() - asked < 6
        assert process.returncode == 0
        assert "0 not delivered" in process.stderr.read()


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (["--rate", "0"], "'0' must be a number above 0"),
        (["--rate", "nan"], "'nan' must be a number above 0"),
        (["--duplicates", "1.5"], "'1.5' must be a fraction from 0 to 1"),
        (["--duration", "30"], "'30' must be a duration such as"),
        (["--start", "yesterday"], "'yesterday' is not a time such as"),
        (["--speed", "60"], "--speed needs --start"),
        (["--symbols", "BTCUSDT,btc"], "'btc' is no symbol"),
    ],
)
def test_wrong_arguments_are_refused_in_one_line(arguments: list[str], complaint: str) -> None:
    with pytest.raises(CommandError) as refusal:
        call_command("simulate_trading", *arguments, stderr=StringIO())

    assert complaint in str(refusal.value)
    assert "\n" not in str(refusal.value)


def test_events_are_sent_when_they_are_due() -> None:
    outbox = Collected()
    start = time.time()
    stream = events(200, rate=200.0)

    Live(outbox, stopping=lambda: False).run(iter(stream), start=START)

    for (sent_at, _), event in zip(outbox.sent, stream, strict=True):
        # Never early; how late, says more about the machine.
        assert -0.01 < sent_at - start - (event.at - START) / 1e6 < 10


def test_speed_makes_the_clock_run_faster() -> None:
    began = time.monotonic()
    outbox = Collected()

    Live(outbox, stopping=lambda: False, speed=60).run(iter(events(200, rate=4.0)), start=START)

    # 200 events at 4 a second take 50 simulated seconds.
    assert 0.5 < time.monotonic() - began < 25
    assert len(outbox.sent) == 200


def test_a_live_stream_skips_the_time_it_missed() -> None:
    b25 = world(rate=1000.0)
    outbox = Collected()
    live = Live(outbox, stopping=lambda: live.sent >= 500, skip=b25.skip)

    # The clock says that the first event was due ten seconds ago.
    live.run(b25.events(), start=START + 10_000_000)

    times = [orjson.loads(record.value)["timestamp"] for _, record in outbox.sent]
    assert live.skipped > 9
    assert times[0] < "2025-11-24T16:00:01" < "2025-11-24T16:00:09" < times[-1]


def test_it_pauses_while_the_broker_is_full(caplog: pytest.LogCaptureFixture) -> None:
    answers = [False, True, True, False]
    outbox = Collected()
    live = Live(
        outbox, stopping=lambda: False, broker_is_full=lambda: answers.pop(0) if len(answers) > 1 else answers[0]
    )

    live.run(iter(events(900, rate=200.0)), start=START)

    assert len(outbox.sent) == 900
    assert [record.message[:6] for record in caplog.records if record.levelname == "ERROR"] == ["PAUSED"]


def test_disorder_repeats_delays_and_mixes_but_loses_nothing() -> None:
    clean = events(5000)
    disorder = Disorder(duplicates=0.1, late=0.05, shuffle=True, seed=3)

    mixed = list(disorder.applied(iter(clean)))

    counts = Counter(event.envelope["id"] for event in mixed)
    assert counts.keys() == {event.envelope["id"] for event in clean}
    assert set(counts.values()) == {1, 2}
    assert len(mixed) - len(clean) == pytest.approx(500, abs=100)
    due = [event.at for event in mixed]
    assert due == sorted(due)
    assert [e.envelope["id"] for e in mixed] == [e.envelope["id"] for e in disorder.applied(iter(clean))]


def test_without_disorder_the_stream_stays_as_it_is() -> None:
    clean = events(100)

    assert list(Disorder().applied(iter(clean))) == clean
