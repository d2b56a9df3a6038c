"""The command line of the services: `manage.py services`, or `python -m analytics_project.services`."""

import shlex
import sys
from argparse import ArgumentParser, Namespace
from collections.abc import Callable

from analytics_project.services.instance import Instance
from analytics_project.services.service import ServiceError, Status

Write = Callable[[str], None]


def add_arguments(parser: ArgumentParser) -> None:
    actions = {
        "start": "bring up what does not run yet",
        "status": "state, address, pid and memory of each; exit code 1 unless all are up",
        "env": "print the variables to export",
        "recycle": "restart the Kafka broker, which forgets every record and its memory",
        "stop": "end all; PostgreSQL's data stays",
    }
    parser.add_argument("action", choices=actions, help="; ".join(f"{name}: {text}" for name, text in actions.items()))
    parser.add_argument(
        "--name",
        default="dev",
        help="which instance (default: %(default)s; the tests use test; real: servers as in production)",
    )


def run(action: str, name: str, *, write: Write, progress: Write) -> int:
    """Do what was asked; results go to `write`, progress to `progress`. Returns the exit code."""
    try:
        return ACTIONS[action](Instance(name), write, progress)
    except (ServiceError, ValueError) as error:
        progress(f"services: {error}")
        return 1


def do_start(instance: Instance, write: Write, progress: Write) -> int:
    instance.start(progress)
    return do_status(instance, write, progress)


def do_stop(instance: Instance, write: Write, progress: Write) -> int:
    instance.stop(progress)
    return 0


def do_recycle(instance: Instance, write: Write, progress: Write) -> int:
    instance.restart("kafka", progress)
    progress("Its topics are gone: run `manage.py create_topics`.")
    return 0


def do_env(instance: Instance, write: Write, progress: Write) -> int:
    for name, value in instance.environment().items():
        write(f"export {name}={shlex.quote(value)}")
    return 0


def do_status(instance: Instance, write: Write, progress: Write) -> int:
    states = instance.status()
    write(f"{'service':<14}{'state':<11}{'address':<23}{'pid':<9}memory")
    for state in states:
        write(f"{state.service:<14}{state.state:<11}{state.address:<23}{state.pid or '-':<9}{size(state)}")
    return int(any(state.state == "stopped" for state in states))


def size(state: Status) -> str:
    if not state.memory:
        return "-"
    text = f"{state.memory / 1e6:.0f} MB"
    if state.limit is None:
        return text
    return f"{text} of {state.limit / 1e6:.0f} MB" + (", FULL: services recycle" if state.memory > state.limit else "")


ACTIONS: dict[str, Callable[[Instance, Write, Write], int]] = {
    "start": do_start,
    "status": do_status,
    "env": do_env,
    "recycle": do_recycle,
    "stop": do_stop,
}


def main() -> int:
    parser = ArgumentParser(prog="python -m analytics_project.services", description=__doc__)
    add_arguments(parser)
    options: Namespace = parser.parse_args()
    return run(
        options.action,
        options.name,
        write=lambda line: print(line),  # noqa: T201
        progress=lambda line: print(line, file=sys.stderr),  # noqa: T201
    )
