"""PostgreSQL 15 and Redis 7 from Debian's packages, installed when missing."""

import os
import shutil
import subprocess
from pathlib import Path

from analytics_project.services.postgres import Postgres
from analytics_project.services.redis import Redis
from analytics_project.services.service import Report, ServiceError
from analytics_project.services.unprivileged import Home, home_of


def require(package: str, program: str, report: Report) -> None:
    """Install a Debian package unless its program is there."""
    if shutil.which(program) is not None:
        return
    if os.geteuid() != 0 or shutil.which("apt-get") is None:
        raise ServiceError(f"{program} is missing; install it first (Debian: apt-get install {package})")
    report(f"installing {package}")
    # RUNLEVEL=1 keeps the package from starting a server of its own.
    env = os.environ | {"DEBIAN_FRONTEND": "noninteractive", "RUNLEVEL": "1"}
    for arguments in (["update"], ["install", "--yes", "--no-install-recommends", package]):
        done = subprocess.run(["apt-get", "-qq", *arguments], env=env, capture_output=True, text=True, check=False)
    if done.returncode:
        raise ServiceError(f"apt-get cannot install {package}: {done.stderr.strip()}")


class DebianPostgres(Postgres):
    title = "PostgreSQL 15"
    programs = Path("/usr/lib/postgresql/15")
    # Version 15 has no locale provider of its own.
    locale = ("--locale", "C.UTF-8")

    def prepare(self, report: Report) -> None:
        require("postgresql-15", str(self.programs / "bin" / "postgres"), report)
        super().prepare(report)

    def home(self) -> Home:
        return home_of(self.programs, self.path)


class DebianRedis(Redis):
    title = "Redis 7"

    def prepare(self, report: Report) -> None:
        require("redis-server", "redis-server", report)
        super().prepare(report)

    def program(self) -> Path:
        return Path(shutil.which("redis-server") or "redis-server")
