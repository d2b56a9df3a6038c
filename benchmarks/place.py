"""Where the benchmarks run: services of their own name and a database made anew each time."""

import fcntl
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import psycopg
from psycopg import sql

from analytics_project.services import Instance, lease

INSTANCE = "bench"
DATABASE = "analytics_bench"


def run_suite(arguments: Sequence[str]) -> int:
    """Run `benchmarks.suite` against the instance `bench`, or wherever the environment points.

    In a process of its own, because Django reads its settings once, from the environment.
    """
    with lease(INSTANCE, report) as instance, alone(instance), tempfile.TemporaryDirectory(prefix="metrics-") as shared:
        env = os.environ | instance.environment()
        make_database(env)
        env |= {
            "DB_NAME": DATABASE,
            "DJANGO_SETTINGS_MODULE": "analytics_project.settings",
            # As in production: the processes share their instruments.
            "PROMETHEUS_MULTIPROC_DIR": shared,
            "LOG_LEVEL": "WARNING",
        }
        return subprocess.run([sys.executable, "-m", "benchmarks.suite", *arguments], env=env, check=False).returncode


@contextmanager
def alone(instance: Instance) -> Iterator[None]:
    """Wait for another benchmark to end: both would be wrong, and each drops the other's database."""
    with (instance.folder.path / "benchmark").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def make_database(env: dict[str, str]) -> None:
    name = sql.Identifier(DATABASE)
    with psycopg.connect(
        host=env["DB_HOST"],
        port=env.get("DB_PORT", "5432"),
        dbname=env.get("DB_NAME", "analytics"),
        user=env.get("DB_USER", "analytics"),
        password=env.get("DB_PASSWORD", ""),
        autocommit=True,
    ) as connection:
        connection.execute(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(name))
        connection.execute(sql.SQL("CREATE DATABASE {}").format(name))


def report(line: str) -> None:
    print(f"... {line}", file=sys.stderr, flush=True)
