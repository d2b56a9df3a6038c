"""A small HTTP/1.1 client on one kept-alive connection, so that measuring costs little.

As a program it is the load of the benchmark `http`, in a process of its own:
`python -m benchmarks.client` reads one JSON object from standard input (see `Load`) and writes
one with the seconds that each request took.
"""

import json
import socket
import sys
import threading
import time
from dataclasses import dataclass
from urllib.parse import urlencode


class Connection:
    """One connection. Requests and answers have a Content-Length; anything else is an error."""

    def __init__(self, port: int, host: str = "127.0.0.1") -> None:
        self.socket = socket.create_connection((host, port), timeout=60)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.stream = self.socket.makefile("rb", buffering=262_144)
        self.host = f"{host}:{port}"

    def get(self, path: str, **parameters: object) -> bytes:
        query = f"?{urlencode(parameters)}" if parameters else ""
        return self.exchange(f"GET {path}{query} HTTP/1.1\r\nHost: {self.host}\r\n\r\n".encode())

    def post(self, path: str, body: bytes) -> bytes:
        head = f"POST {path} HTTP/1.1\r\nHost: {self.host}\r\nContent-Type: application/json\r\n"
        return self.exchange(f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body)

    def exchange(self, request: bytes) -> bytes:
        """The body of a successful answer."""
        self.socket.sendall(request)
        status = self.stream.readline()
        length = 0
        while (line := self.stream.readline()) not in (b"\r\n", b""):
            name, _, value = line.partition(b":")
            if name.lower() == b"content-length":
                length = int(value)
        body: bytes = self.stream.read(length)
        if status.split()[1][:1] != b"2":
            raise RuntimeError(f"{status.decode().strip()}: {body[:300]!r}")
        return body

    def close(self) -> None:
        self.stream.close()
        self.socket.close()


@dataclass(frozen=True)
class Load:
    """Bodies to POST to a path, over so many connections at once."""

    port: int
    path: str
    connections: int
    bodies: list[str]

    def run(self) -> dict[str, object]:
        parts = [self.bodies[number :: self.connections] for number in range(self.connections)]
        seconds: list[list[float]] = [[] for _ in parts]
        threads = [
            threading.Thread(target=self._send, args=(part, into)) for part, into in zip(parts, seconds, strict=True)
        ]
        began = time.perf_counter()
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        wall = time.perf_counter() - began
        return {"wall": wall, "seconds": [each for part in seconds for each in part]}

    def _send(self, bodies: list[str], seconds: list[float]) -> None:
        connection = Connection(self.port)
        for body in bodies:
            raw = body.encode()
            began = time.perf_counter()
            connection.post(self.path, raw)
            seconds.append(time.perf_counter() - began)
        connection.close()


if __name__ == "__main__":
    # A thread that waits for its answer must not wait for the others' turns, too.
    sys.setswitchinterval(0.0002)
    json.dump(Load(**json.load(sys.stdin)).run(), sys.stdout)
