"""The worker's way out of a lost Redis, which kombu's own transport does not always find."""

from typing import Any

from kombu import Connection
from kombu.common import ignore_errors

from analytics_project.celery import app
from analytics_project.lib.queue_transport import Channel


def test_a_task_in_hand_does_not_break_the_close_of_a_lost_connection() -> None:
    connection: Connection = app.connection_for_write()
    queue = connection.SimpleQueue("test-queue-transport")
    queue.put({})
    queue.get(timeout=5)
    channel: Any = queue.channel
    # What a worker has left when Redis vanished: an open channel, no pool, no connection.
    connection.transport.client = None
    channel._disconnect_pools()

    ignore_errors(connection, channel.close)

    assert isinstance(channel, Channel)
    assert channel.closed
