from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand
from granian import Granian
from granian.constants import Interfaces


class Command(BaseCommand):
    help = "Serve the API, the admin and the live page (SERVER_HOST, SERVER_PORT)."

    def handle(self, *args: Any, **options: Any) -> None:
        server = settings.CONFIG.server
        # Whitenoise warns of a missing folder; only images collect the static files into it.
        Path(settings.STATIC_ROOT).mkdir(exist_ok=True)
        self.stdout.write(f"Serving http://{server.host}:{server.port}/")
        Granian(
            "analytics_project.wsgi:application",
            address=server.host,
            port=server.port,
            interface=Interfaces.WSGI,
            workers=server.workers,
            blocking_threads=server.threads,
            # A thread that ends takes its database connection with it.
            blocking_threads_idle_timeout=600,
            websockets=False,
            log_dictconfig=settings.LOGGING,
            respawn_failed_workers=True,
            workers_kill_timeout=4,
        ).serve()
