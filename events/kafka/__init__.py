"""Producing to Kafka: topics, keys, and a way out that waits for the broker."""

import logging


def quieten_client() -> None:
    """Keep the client's account of every failed connection out of the logs of a command.

    While a broker is away it writes several lines a second; the command itself says so once.
    """
    logging.getLogger("kafka").setLevel(logging.CRITICAL)
