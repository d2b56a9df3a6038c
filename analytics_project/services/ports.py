"""Ports on 127.0.0.1 that nobody else uses."""

import random
import socket
import time

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


def becomes_free(port: int, patience: float) -> bool:
    """Is it free, now or within so many seconds?"""
    deadline = time.monotonic() + patience
    while not is_free(port):
        if time.monotonic() > deadline:
            return False
        time.sleep(0.05)
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
