"""The two small servers of `serve_monitoring`: Prometheus metrics and health."""

import logging
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import NamedTuple

from analytics_project.monitoring.exposition import Exposition
from analytics_project.monitoring.views import REPLIES

logger = logging.getLogger(__name__)


class Answer(NamedTuple):
    status: int
    content_type: str
    body: bytes


# From path and Accept header to an answer; None: there is nothing at that path.
Door = Callable[[str, str], Answer | None]


class Handler(BaseHTTPRequestHandler):
    server_version = "b25-analytics"
    sys_version = ""
    timeout = 30  # seconds; a client that says nothing does not keep its thread
    door: Door

    def do_GET(self) -> None:
        path = self.path.partition("?")[0]
        answer = self.door(path, self.headers.get("Accept", ""))
        answer = answer or Answer(404, "application/json", b'{"error":"Not found","details":"no such path"}')
        self.send_response(answer.status)
        self.send_header("Content-Type", answer.content_type)
        self.send_header("Content-Length", str(len(answer.body)))
        self.send_header("Cache-Control", "no-store")
        self.end_headers()
        if self.command == "GET":
            self.wfile.write(answer.body)

    do_HEAD = do_GET  # noqa: N815

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        logger.debug(format, *args)


class Server(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, address: tuple[str, int], door: Door) -> None:
        super().__init__(address, type("DoorHandler", (Handler,), {"door": staticmethod(door)}))


def metrics_door(metrics_path: str, exposition: Exposition) -> Door:
    def door(path: str, accept: str) -> Answer | None:
        if path != metrics_path:
            return None
        return Answer(200, *exposition.render(accept))

    return door


def health_door(path: str, accept: str) -> Answer | None:
    reply = REPLIES.get(path)
    if reply is None:
        return None
    status, body = reply(None)
    return Answer(status, "application/json", body)
