"""Apache Kafka, one node in KRaft mode, from the jars of Maven Central that deploy/kafka names.

Unlike the embedded broker it keeps its records on disk through a stop, a kill and a restart.
"""

import shutil
import signal
import subprocess
from pathlib import Path

from analytics_project.services import ports
from analytics_project.services.kafka import Kafka
from analytics_project.services.real.debian import require
from analytics_project.services.real.jars import ensure_jars
from analytics_project.services.service import Report, ServiceError

# One cluster, known only to this machine; the id is fixed so that formatting twice agrees.
CLUSTER_ID = "B25AnalyticsTestBroker"
PROPERTIES = """\
process.roles=broker,controller
node.id=1
controller.quorum.voters=1@{host}:{controller}
controller.listener.names=CONTROLLER
listeners=PLAINTEXT://{host}:{port},CONTROLLER://{host}:{controller}
advertised.listeners=PLAINTEXT://{host}:{port}
log.dirs={data}
auto.create.topics.enable=false
offsets.topic.replication.factor=1
offsets.topic.num.partitions=4
transaction.state.log.replication.factor=1
transaction.state.log.num.partitions=4
transaction.state.log.min.isr=1
group.initial.rebalance.delay.ms=0
"""


class ApacheKafka(Kafka):
    title = "Apache Kafka"
    start_timeout = 90
    stop_signals = ((signal.SIGTERM, 20), (signal.SIGKILL, 5))

    def prepare(self, report: Report) -> None:
        require("openjdk-17-jre-headless", "java", report)
        self.path.mkdir(exist_ok=True)
        ensure_jars(self.path / "jars", report)

    def command(self, port: int) -> list[str]:
        """The broker's own command; writes its settings first, since the ports may have changed."""
        controller = self.controller_port(port)
        data, settings = self.path / "data", self.path / "server.properties"
        settings.write_text(PROPERTIES.format(host=ports.HOST, port=port, controller=controller, data=data))
        if not (data / "meta.properties").exists():
            self.format(settings)
        return [*self.java("-Xms256m", "-Xmx512m"), "kafka.Kafka", str(settings)]

    def controller_port(self, port: int) -> int:
        known = self.folder.read(self.name).get("controller")
        if isinstance(known, int) and known != port and ports.is_free(known):
            return known
        chosen = ports.free_port()
        self.folder.write(self.name, controller=chosen)
        return chosen

    def format(self, settings: Path) -> None:
        tool = [
            *self.java(),
            "kafka.tools.StorageTool",
            "format",
            "--cluster-id",
            CLUSTER_ID,
            "--config",
            str(settings),
        ]
        done = subprocess.run(tool, capture_output=True, text=True, check=False)
        if done.returncode:
            raise ServiceError(f"{self.title}: its storage cannot be formatted: {done.stdout}{done.stderr}")

    def java(self, *options: str) -> list[str]:
        program = shutil.which("java") or "java"
        return [program, *options, "-Dlog4j2.level=WARN", "-cp", str(self.path / "jars" / "*")]

    def environment(self, port: int) -> dict[str, str]:
        return {"KAFKA_BROKERS": f"{ports.HOST}:{port}"}

    def ready(self, port: int) -> bool:
        """Its port opens before the broker serves, so ask it for its brokers."""
        if not super().ready(port):
            return False
        # Imported here: its half second would slow every `manage.py services` down.
        from kafka.admin import KafkaAdminClient
        from kafka.errors import KafkaError

        try:
            client = KafkaAdminClient(bootstrap_servers=f"{ports.HOST}:{port}", bootstrap_timeout_ms=2000)
        except KafkaError:
            return False
        try:
            return bool(client.describe_cluster()["brokers"])
        except KafkaError:
            return False
        finally:
            client.close()

    def memory_limit(self) -> None:
        return None
