"""Ports on 127.0.0.1 that nobody else uses."""

import random
import socket

HOST = "127.0.0.1"
# Below the range from which the kernel takes ports of outgoing connections: what is free at the
# first start is then still free after a reboot.
FIRST, LAST = 20_000, 30_000


def is_free(port: int) -> bool:
    with socket.socket() as probe:
        # As the servers do it; else connections of the last run, still fading, would look like a taken port.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OSError:
            return False
    return True


def free_port() -> int:
    for _ in range(1000):
        port = random.randint(FIRST, LAST)
        if is_free(port):
            return port
    raise OSError(f"no free port between {FIRST} and {LAST}")


def answers(port: int) -> bool:
    """Does anything accept connections there?"""
    with socket.socket() as probe:
        probe.settimeout(1)
        return probe.connect_ex((HOST, port)) == 0
