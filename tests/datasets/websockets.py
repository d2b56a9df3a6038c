"""Frames of six exchanges as they came over the wire: no two agree on anything."""

import json
from collections.abc import Callable, Iterator
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import Any, NamedTuple

from tests.datasets.envelopes import Dataset, Envelope, envelope, from_ms, from_us


class Trade(NamedTuple):
    symbol: str
    moment: datetime
    price: str
    quantity: str
    side: str
    trade_id: str | None = None


def binance_futures(frame: Any) -> Iterator[Trade]:
    data = frame.get("data", {})
    if data.get("e") == "aggTrade":
        side = "sell" if data["m"] else "buy"
        yield Trade(data["s"], from_ms(data["T"]), data["p"], data["q"], side, str(data["a"]))


def bitget(frame: Any) -> Iterator[Trade]:
    if frame.get("arg", {}).get("channel") == "trade":
        for milliseconds, price, quantity, side in frame.get("data", ()):
            yield Trade(frame["arg"]["instId"], from_ms(milliseconds), price, quantity, side)


def coinbase(frame: Any) -> Iterator[Trade]:
    # `last_match` repeats what happened before the subscription, with the id it had then.
    if frame.get("type") in ("match", "last_match"):
        moment = datetime.fromisoformat(frame["time"])
        symbol = frame["product_id"]
        yield Trade(symbol, moment, frame["price"], frame["size"], frame["side"], str(frame["trade_id"]))


def gateio(frame: Any) -> Iterator[Trade]:
    if frame.get("channel") == "spot.trades" and frame.get("event") == "update":
        trade = frame["result"]
        moment = from_us(int(Decimal(trade["create_time_ms"]) * 1000))
        symbol = trade["currency_pair"]
        yield Trade(symbol, moment, trade["price"], trade["amount"], trade["side"], str(trade["id"]))


def gemini(frame: Any) -> Iterator[Trade]:
    # The first frame of a symbol brings its last fifty trades, the others are trades themselves.
    for trade in (frame, *frame.get("trades", ())):
        if trade.get("type") == "trade":
            moment = from_ms(trade["timestamp"])
            symbol = trade["symbol"]
            yield Trade(symbol, moment, trade["price"], trade["quantity"], trade["side"], str(trade["event_id"]))


def kraken(frame: Any) -> Iterator[Trade]:
    if isinstance(frame, list) and frame[-2] == "trade":
        for price, quantity, seconds, side, *_ in frame[1]:
            moment = from_us(int(Decimal(seconds) * 1_000_000))
            yield Trade(frame[-1], moment, price, quantity, "buy" if side == "b" else "sell")


EXCHANGES: dict[str, Callable[[Any], Iterator[Trade]]] = {
    "BINANCE_FUTURES": binance_futures,
    "BITGET": bitget,
    "COINBASE": coinbase,
    "GATEIO": gateio,
    "GEMINI": gemini,
    "KRAKEN": kraken,
}


def frames(folder: Path) -> Iterator[Envelope]:
    """The trades of each frame; a frame without any becomes one event as it is, under its time of arrival."""
    for exchange, trades_of in EXCHANGES.items():
        with (folder / f"{exchange}.ndjson").open() as file:
            for number, line in enumerate(file, start=1):
                received = json.loads(line, parse_float=Decimal)["recv"]
                frame = json.loads(line)["msg"]
                trades = list(trades_of(frame))
                for index, trade in enumerate(trades):
                    yield market_trade(exchange.lower(), trade, f"{number}.{index}")
                if not trades:
                    moment = from_us(int(received * 1_000_000))
                    properties = {"exchange": exchange.lower(), "frame": frame}
                    yield envelope(exchange.lower(), f"frame/{number}", "exchange.frame", moment, properties)


def market_trade(exchange: str, trade: Trade, place: str) -> Envelope:
    """Where the exchange gives no id, the place in the recording is one."""
    trade_id = trade.trade_id or place
    properties = {
        "symbol": trade.symbol,
        "trade_id": trade_id,
        "price": trade.price,
        "quantity": trade.quantity,
        "taker_side": trade.side.upper(),
        "exchange": exchange,
    }
    return envelope(exchange, f"{trade.symbol}/{trade_id}", "market.trade", trade.moment, properties)


MULTI_EXCHANGE = Dataset("stream_multi_exchange_ws_a", frames, ("price", "quantity"))
