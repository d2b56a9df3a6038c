"""An instance is the three services under one name.

`dev` is for people, `test` for the tests (without fsync); names that begin with `real` are made of
the servers used in production instead of the embedded ones.
"""

from analytics_project.services.folder import Folder
from analytics_project.services.kafka import Kafka
from analytics_project.services.postgres import Postgres
from analytics_project.services.real import ApacheKafka, DebianPostgres, DebianRedis
from analytics_project.services.redis import Redis
from analytics_project.services.service import Report, Service, Status

EMBEDDED: tuple[type[Service], ...] = (Postgres, Redis, Kafka)
REAL: tuple[type[Service], ...] = (DebianPostgres, DebianRedis, ApacheKafka)


def silent(_: str) -> None:
    """Report nothing."""


class Instance:
    """The services of one folder. A service whose variables name another server is left alone."""

    def __init__(self, name: str = "dev") -> None:
        self.folder = Folder(name)
        kinds = REAL if name.startswith("real") else EMBEDDED
        self.services = [kind(self.folder) for kind in kinds]

    def __getitem__(self, name: str) -> Service:
        return next(service for service in self.services if service.name == name)

    def start(self, report: Report = silent) -> None:
        """Bring up what does not run yet. Raises ServiceError with one line that says what to do."""
        with self.folder.locked(report):
            for service in self.services:
                elsewhere = service.elsewhere()
                if elsewhere:
                    report(f"{service.title}: using {elsewhere}, as {service.variable} says")
                else:
                    service.start(report)

    def stop(self, report: Report = silent) -> None:
        """End all services; PostgreSQL's data stays, Redis and Kafka start empty the next time."""
        with self.folder.locked(report):
            for service in reversed(self.services):
                if service.running() is not None:
                    service.stop()
                    report(f"{service.title}: stopped")

    def restart(self, name: str, report: Report = silent) -> None:
        """Stop one service and start it again, on the same port: Kafka is empty afterwards."""
        with self.folder.locked(report):
            self[name].stop()
            self[name].start(report)

    def status(self) -> list[Status]:
        return [service.status() for service in self.services]

    def environment(self) -> dict[str, str]:
        """The variables that lead to the services of this instance; those of others are not repeated."""
        variables: dict[str, str] = {}
        for service in self.services:
            port = service.port()
            if port is not None and service.elsewhere() is None:
                variables |= service.environment(port)
        return variables


def start(name: str = "dev", report: Report = silent) -> None:
    Instance(name).start(report)


def stop(name: str = "dev", report: Report = silent) -> None:
    Instance(name).stop(report)


def status(name: str = "dev") -> list[Status]:
    return Instance(name).status()


def environment(name: str = "dev") -> dict[str, str]:
    return Instance(name).environment()
