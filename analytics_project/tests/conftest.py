import socket
from collections.abc import Iterator
from typing import Any

import pytest
from django.conf import settings


def closed_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


@pytest.fixture
def nowhere() -> str:
    """An address that nobody listens on."""
    return f"127.0.0.1:{closed_port()}"


@pytest.fixture
def database_gone(django_db_blocker: Any) -> Iterator[None]:
    original = settings.DATABASES["default"]["PORT"]
    settings.DATABASES["default"]["PORT"] = str(closed_port())
    with django_db_blocker.unblock():
        yield
    settings.DATABASES["default"]["PORT"] = original
