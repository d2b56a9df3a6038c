"""A process that is started with a wrong value ends at once, with the one line that says why."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from django.conf import settings


def start(**variables: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [sys.executable, "manage.py", "check"],
        cwd=settings.BASE_DIR,
        env=os.environ | variables,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


@pytest.mark.parametrize(
    ("variable", "value", "told"),
    [
        (
            "SERVER_PORT",
            "0",
            "configuration: server.port (SERVER_PORT)='0': Input should be greater than or equal to 1\n",
        ),
        ("CONFIG_FILE", "/none.yaml", "configuration: CONFIG_FILE=/none.yaml: cannot be read: "),
    ],
)
def test_a_wrong_value_stops_the_start_with_one_line(variable: str, value: str, told: str) -> None:
    process = start(**{variable: value})

    assert process.returncode == 1
    assert process.stderr.startswith(told)
    assert process.stderr.count("\n") == 1
    assert process.stdout == ""


def test_the_values_of_a_file_are_started_with(tmp_path: Path) -> None:
    (tmp_path / "b25.yaml").write_text("health: {max_lag: 7}\nlogging: {format: text}\n")

    process = start(CONFIG_FILE=str(tmp_path / "b25.yaml"))

    assert process.returncode == 0, process.stderr
