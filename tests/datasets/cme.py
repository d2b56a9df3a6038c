"""The order book of the E-mini S&P 500, order by order."""

import csv
from collections.abc import Iterator
from pathlib import Path

from tests.datasets.envelopes import Dataset, Envelope, envelope, from_us

SYMBOL = "ESH4"
SIDES = {"B": "BUY", "A": "SELL"}
EVENT_TYPES = {"A": "order.placed", "M": "order.modified", "T": "market.trade"}


class Book:
    """How much is open of each order: whether a fill was the last one, the messages do not say."""

    def __init__(self) -> None:
        self._open: dict[str, int] = {}

    def event_type(self, action: str, order_id: str, size: int) -> str:
        if action in "AM":
            self._open[order_id] = size
        elif action == "F":
            self._open[order_id] = self._open.get(order_id, size) - size
            return "order.filled" if self._open[order_id] <= 0 else "order.partially_filled"
        elif action == "C":
            # The exchange takes filled orders out of the book with the same message.
            return "order.canceled" if self._open.pop(order_id, size) > 0 else "order.removed"
        return EVENT_TYPES[action]


def messages(folder: Path) -> Iterator[Envelope]:
    book = Book()
    with (folder / "es_mbo.csv").open(newline="") as file:
        for number, row in enumerate(csv.DictReader(file), start=1):
            event_type = book.event_type(row["action"], row["order_id"], int(row["size"]))
            properties = {
                "symbol": SYMBOL,
                "action": row["action"],
                "price": row["price"],
                "quantity": row["size"],
                "sequence": int(row["sequence"]),
                # Nanoseconds do not fit the timestamp of an event.
                "exchange_time_ns": row["ts_event_ns"],
            }
            if row["action"] == "T":
                properties["trade_id"] = f"{row['sequence']}-{number}"
            else:
                properties |= {"order_id": row["order_id"], "order_type": "LIMIT"}
            if row["side"] in SIDES:
                properties["side"] = SIDES[row["side"]]
            moment = from_us(int(row["ts_event_ns"]) // 1000)
            yield envelope("cme", f"{SYMBOL}/{number}", event_type, moment, properties)


ES_ORDERS = Dataset("orders_cme_mbo_es_a", messages, ("price", "quantity"))
