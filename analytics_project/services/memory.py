"""How large the embedded broker has grown, for those who would fill it.

It keeps every record for as long as it lives, about 420 bytes each, and gives nothing back when a
topic is deleted. So producers of demo events ask here and pause, and a restart empties it.
"""

import os

from analytics_project.services import ports, process
from analytics_project.services.folder import Folder, folders

DEFAULT_LIMIT_MB = 1024


def broker_memory_limit() -> int:
    """Bytes above which no more demo events should be produced (SERVICES_BROKER_LIMIT_MB)."""
    return int(os.environ.get("SERVICES_BROKER_LIMIT_MB") or DEFAULT_LIMIT_MB) * 1024 * 1024


def broker_memory(name: str = "dev") -> int:
    """Resident bytes of an instance's broker; 0 when it does not run."""
    return folder_memory(Folder(name))


def broker_memory_exceeded() -> bool:
    """Has the embedded broker that KAFKA_BROKERS names outgrown its limit? False for any other broker."""
    brokers = os.environ.get("KAFKA_BROKERS", "").strip()
    return any(
        folder_memory(folder) > broker_memory_limit()
        for folder in folders()
        if brokers == f"{ports.HOST}:{folder.read('kafka').get('port')}"
    )


def folder_memory(folder: Folder) -> int:
    known = folder.read("kafka")
    running = process.find(known.get("pid"), known.get("started"))
    return process.memory(running) if running else 0
