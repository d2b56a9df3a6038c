import os
import signal
import threading
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from analytics_project.monitoring.exposition import Exposition
from analytics_project.monitoring.server import Door, Server, health_door, metrics_door


class Command(BaseCommand):
    help = "Serve Prometheus metrics of all processes (METRICS_PORT) and health (HEALTH_PORT)."

    def handle(self, *args: Any, **options: Any) -> None:
        metrics, health = settings.CONFIG.metrics, settings.CONFIG.health
        exposition = Exposition(os.environ.get("PROMETHEUS_MULTIPROC_DIR", ""))
        servers = [
            self.serve(metrics.host, metrics.port, metrics_door(metrics.path, exposition), metrics.path),
            self.serve(health.host, health.port, health_door, "/health"),
        ]
        stop = threading.Event()
        for signum in (signal.SIGTERM, signal.SIGINT):
            signal.signal(signum, lambda *_: stop.set())
        stop.wait()
        for server in servers:
            server.shutdown()

    def serve(self, host: str, port: int, door: Door, path: str) -> Server:
        try:
            server = Server((host, port), door)
        except OSError as error:
            raise CommandError(f"cannot listen on {host}:{port}: {error.strerror}") from None
        threading.Thread(target=server.serve_forever, daemon=True).start()
        self.stdout.write(f"Serving http://{host}:{port}{path}")
        return server
