"""What is produced: an envelope as bytes, with the topic and the key it travels under."""

from collections.abc import Mapping
from typing import Any, NamedTuple

import orjson

from custom_events.catalogue import topic_of


class Outgoing(NamedTuple):
    topic: str
    key: bytes | None
    value: bytes


def outgoing(envelope: Mapping[str, Any]) -> Outgoing:
    return Outgoing(topic_of(envelope["event_type"]), key_of(envelope), orjson.dumps(envelope))


def key_of(envelope: Mapping[str, Any]) -> bytes | None:
    """The symbol, else the user, else the session: what belongs together stays in order."""
    properties = envelope.get("properties")
    symbol = properties.get("symbol") if isinstance(properties, Mapping) else None
    for name in (symbol, envelope.get("user_id"), envelope.get("session_id")):
        if isinstance(name, str) and name:
            # Lone surrogates survive in JSON; as part of a key they only need to be the same each time.
            return name.encode(errors="surrogatepass")
    return None
