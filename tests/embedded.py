"""A pytest plugin: the embedded services run before Django reads its settings.

What variables already name (DB_HOST, REDIS_HOST, KAFKA_BROKERS) is used as it is: the same tests
then run against other servers. Two test runs at once share the instance; to keep them apart, give
one of them another name: `SERVICES_NAME=test_mine make test`.
"""

import logging
import os
import sys
from contextlib import ExitStack

import pytest

from analytics_project.services import ServiceError, lease

NAME = os.environ.get("SERVICES_NAME", "test")
services = ExitStack()


def report(line: str) -> None:
    """Tell how the start goes; pytest's own last line stays the last."""
    if not line.endswith("stopped"):
        sys.stderr.write(f"{line}\n")


try:
    instance = services.enter_context(lease(NAME, report))
except ServiceError as error:
    raise pytest.UsageError(str(error)) from error
os.environ.update(instance.environment())


def pytest_unconfigure() -> None:
    # Clients that a test left open would tell at length, after pytest's last line, that the broker ended.
    logging.getLogger("kafka").setLevel(logging.CRITICAL + 1)
    services.close()
