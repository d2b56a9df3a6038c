"""Start everything in its order, and end it in the reverse one."""

import os
import secrets
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

from analytics_project.config import Config, ConfigError, load_config
from analytics_project.services import Instance, ServiceError, lease
from analytics_project.services.ports import answers
from analytics_project.stack.announce import announce_when_ready
from analytics_project.stack.parent import end_with_make
from analytics_project.stack.processes import Runner
from analytics_project.stack.recycle import keep_broker_small

CHECKOUT = Path(__file__).resolve().parents[2]


def say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def main() -> int:
    started = time.monotonic()
    signal.signal(signal.SIGTERM, interrupt)
    end_with_make()
    try:
        config = load_config()
        refuse_taken_ports(config)
        with lease(os.environ.get("SERVICES_NAME", "dev"), say) as instance:
            env = environment(instance)
            prepare(env)
            return run_processes(instance, env, config, started)
    except (ConfigError, ServiceError) as error:
        say(f"make run: {error}")
    except subprocess.CalledProcessError:
        say("make run: the preparation failed, see above")
    except KeyboardInterrupt:
        say("make run: interrupted")
        return 0
    return 1


def prepare(env: dict[str, str]) -> None:
    # In a session of its own, so that Ctrl-C reaches this process only, which then ends the other.
    subprocess.run(
        [sys.executable, "manage.py", "prepare_dev"], cwd=CHECKOUT, env=env, check=True, start_new_session=True
    )


def interrupt(*_: object) -> None:
    """End on SIGTERM as on Ctrl-C, so that the services are stopped on the way out."""
    raise KeyboardInterrupt


def refuse_taken_ports(config: Config) -> None:
    for section, port in (
        ("SERVER", config.server.port),
        ("METRICS", config.metrics.port),
        ("HEALTH", config.health.port),
    ):
        if answers(port):
            raise ServiceError(f"port {port} is taken by another program; set {section}_PORT to a free one")


def environment(instance: Instance) -> dict[str, str]:
    """What every process gets: the services, a clean folder for metrics, and readable logs."""
    metrics = instance.folder.path / "prometheus"
    # Counters of the last run would be added to those of this one.
    shutil.rmtree(metrics, ignore_errors=True)
    metrics.mkdir()
    return {
        "LOG_FORMAT": "text",
        **os.environ,
        **instance.environment(),
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
        "PROMETHEUS_MULTIPROC_DIR": str(metrics),
        "PYTHONUNBUFFERED": "1",
        # Celery's advice about root is for servers; here a fresh machine often has nobody else.
        "PYTHONWARNINGS": "ignore:You're running the worker",
        "DEV_ADMIN_PASSWORD": admin_password(instance.folder.path / "admin_password"),
    }


def admin_password(path: Path) -> str:
    """The password of the admin user in development, made once and kept in the ignored folder."""
    if not path.exists():
        path.touch(mode=0o600)
        path.write_text(secrets.token_urlsafe(9))
    return path.read_text()


def run_processes(instance: Instance, env: dict[str, str], config: Config, started: float) -> int:
    runner = Runner(CHECKOUT / "Procfile", env)
    runner.alongside(announce_when_ready, runner.over, config, env["DEV_ADMIN_PASSWORD"], started, say)
    runner.alongside(keep_broker_small, runner.over, instance, env, say)
    runner.loop()
    if runner.ended_first:
        say(f"make run: {runner.ended_first} ended by itself, so everything was stopped; its last lines are above")
        return 1
    say("make run: stopped")
    return 0
