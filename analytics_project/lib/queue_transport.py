"""kombu's Redis transport, with one error turned into the kind that its callers expect."""

from typing import Any

from kombu.transport import redis


class Channel(redis.Channel):
    """A channel that says it is closed when it is used after its connection was.

    When Redis goes away, a worker closes its channels, and a channel with a task in hand wants to
    put it back. If its connection is gone by then, kombu 5.7 raises AttributeError; no caller
    takes that for a lost connection, and the worker ends instead of connecting again.
    """

    def _connparams(self, *args: Any, **kwargs: Any) -> Any:
        if self.connection.client is None:
            raise ConnectionError("the connection to the queue is closed already")
        return super()._connparams(*args, **kwargs)  # type: ignore[misc]  # the stubs leave it out


class Transport(redis.Transport):
    Channel = Channel
