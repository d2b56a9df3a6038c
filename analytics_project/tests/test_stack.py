"""The process runner of `make run`, with small processes instead of ours."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
import pytest

from analytics_project.services.process import ended, wait_for_end

RUN = """
import os, sys
from pathlib import Path
from analytics_project.stack import processes
from analytics_project.stack.parent import end_with_make
end_with_make()
processes.KILL_AFTER = 1
runner = processes.Runner(Path(sys.argv[1]), dict(os.environ))
runner.loop()
print("ended first:", runner.ended_first or "nobody", flush=True)
"""
STUBBORN = "sh -c 'trap \"\" TERM INT; echo ready; while true; do sleep 0.1; done'"


@contextmanager
def started(command: list[str], **options: object) -> Iterator["subprocess.Popen[str]"]:
    program = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, **options)  # type: ignore[call-overload]
    try:
        yield program
    finally:
        if program.poll() is None:
            for child in (*psutil.Process(program.pid).children(recursive=True), program):
                child.kill()


def alive(family: list[psutil.Process]) -> list[psutil.Process]:
    """Those that neither end within a second nor wait as zombies for init."""
    for child in family:
        wait_for_end(child, 1)
    return [child for child in family if not ended(child)]


def run(procfile: Path) -> list[str]:
    return [sys.executable, "-c", RUN, str(procfile)]


def write(path: Path, text: str) -> Path:
    path.write_text(text)
    return path


def wait_for_line(program: "subprocess.Popen[str]", text: str) -> None:
    assert program.stdout
    for line in program.stdout:
        if text in line:
            return
    pytest.fail(f"{text!r} was never printed")


def test_a_process_that_ends_stops_the_others_and_is_named(tmp_path: Path) -> None:
    procfile = write(tmp_path / "Procfile", "steady: sleep 60\nbrief: sleep 0.5; exit 3\n")

    done = subprocess.run(run(procfile), capture_output=True, text=True, timeout=20, check=False)

    assert "brief stopped (rc=3)" in done.stdout
    assert "ended first: brief" in done.stdout


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_even_those_that_ignore_it(tmp_path: Path, number: signal.Signals) -> None:
    procfile = write(tmp_path / "Procfile", f"one: {STUBBORN}\ntwo: {STUBBORN}\n")

    with started(run(procfile)) as program:
        wait_for_line(program, "ready")
        family = psutil.Process(program.pid).children(recursive=True)
        program.send_signal(number)
        rest = program.communicate(timeout=10)[0]

    assert "ended first: nobody" in rest
    assert alive(family) == []


def test_a_signal_in_the_first_moment_is_not_lost(tmp_path: Path) -> None:
    procfile = write(tmp_path / "Procfile", "".join(f"p{number}: sleep 60\n" for number in range(9)))

    with started(run(procfile)) as program:
        wait_for_line(program, "p0 started")
        program.send_signal(signal.SIGTERM)
        rest = program.communicate(timeout=10)[0]

    assert "ended first: nobody" in rest


def test_an_interrupt_for_make_alone_ends_everything(tmp_path: Path) -> None:
    procfile = write(tmp_path / "Procfile", "steady: echo ready; sleep 60\n")
    program_file = write(tmp_path / "run.py", RUN)
    write(tmp_path / "Makefile", f"run:\n\t@exec {sys.executable} {program_file} {procfile}\n")
    env = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}

    with started(["make", "-C", str(tmp_path), "run"], env=env, start_new_session=True) as make:
        wait_for_line(make, "ready")
        family = psutil.Process(make.pid).children(recursive=True)
        time.sleep(0.5)
        os.kill(make.pid, signal.SIGINT)
        make.communicate(timeout=10)

    assert alive(family) == []
