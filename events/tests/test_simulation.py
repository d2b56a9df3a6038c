"""The simulated stream as a whole: complete, well-formed, reproducible, at its rate."""

from collections import Counter
from decimal import Decimal
from itertools import islice
from typing import Any
from uuid import UUID

import orjson
import pytest

from custom_events.catalogue import CHOICES, EVENT_TYPES, Kind
from events.envelope import parse
from events.limits import Limits
from events.simulation.identity import SECOND
from events.simulation.symbols import symbol_named
from events.tests.simulated import EVENTS, START, number, of_type, stream, world

LIMITS = Limits(event=65_536, string=8192, depth=32, keys=256)
LAWFUL: dict[Kind, tuple[type, ...]] = {
    Kind.TEXT: (str,),
    Kind.IDENTIFIER: (str, int),
    Kind.DECIMAL: (int, float, str),
    Kind.INTEGER: (int,),
    Kind.BOOLEAN: (bool,),
    Kind.TIME: (str,),
    Kind.TEXTS: (list,),
    Kind.OBJECT: (dict,),
}


@pytest.mark.parametrize("rate", [5.0, 200.0, 8000.0])
def test_every_type_of_the_catalogue_appears_at_any_rate(rate: float) -> None:
    assert {event["event_type"] for event in stream(rate=rate)} == set(EVENT_TYPES)


@pytest.mark.parametrize("rate", [5.0, 200.0, 8000.0])
def test_most_events_are_market_data_at_any_rate(rate: float) -> None:
    counts = Counter(event["event_type"].partition(".")[0] for event in stream(rate=rate))

    assert 0.5 < counts["market"] / EVENTS < 0.8
    assert counts["order"] > counts["position"] > counts["risk"] > counts["config"]


@pytest.mark.parametrize("name", EVENT_TYPES)
def test_properties_are_as_the_catalogue_says(name: str) -> None:
    event_type = EVENT_TYPES[name]
    kinds = {**event_type.required, **event_type.optional}
    for event in of_type(name):
        properties = event["properties"]
        assert event_type.required.keys() <= properties.keys()
        assert event_type.identified_by is None or event[event_type.identified_by]
        for key in kinds.keys() & properties.keys():
            assert isinstance(properties[key], LAWFUL[kinds[key]])
            # Signals write order types as the engine does, in lower case.
            assert key not in CHOICES or name.startswith("signal.") or properties[key] in CHOICES[key]


def test_every_decimal_has_at_most_eight_places() -> None:
    for event in stream():
        for key, value in event["properties"].items():
            if isinstance(value, float):
                assert -number(value).as_tuple().exponent <= 8, (event["event_type"], key, value)  # type: ignore[operator]


def test_prices_and_quantities_of_trades_are_whole_ticks_and_lots() -> None:
    for event in of_type("market.trade"):
        properties = event["properties"]
        symbol = symbol_named(properties["symbol"])
        assert number(properties["price"]) % (Decimal(1) / symbol.price_units) == 0
        assert number(properties["quantity"]) % (Decimal(1) / symbol.quantity_units) == 0


def test_trade_ids_of_a_symbol_count_up_by_one() -> None:
    last: dict[str, int] = {}
    for event in of_type("market.trade"):
        symbol, trade_id = event["properties"]["symbol"], event["properties"]["trade_id"]
        assert last.get(symbol, trade_id - 1) == trade_id - 1
        last[symbol] = trade_id


def test_bids_are_below_asks() -> None:
    for event in of_type("market.data.update"):
        assert event["properties"]["bid_price"] < event["properties"]["ask_price"]


def test_ids_are_unique_uuids_of_version_7_in_order_of_time() -> None:
    ids = [event["id"] for event in stream()]

    assert len(set(ids)) == len(ids)
    assert all(UUID(text).version == 7 and str(UUID(text)) == text for text in ids)
    assert [text[:18] for text in ids] == sorted(text[:18] for text in ids)


def test_timestamps_never_go_back() -> None:
    timestamps = [event["timestamp"] for event in stream()]

    assert timestamps == sorted(timestamps)


def test_the_service_accepts_every_event_as_it_is() -> None:
    for event in stream():
        assert parse(orjson.dumps(event), LIMITS).event_type == event["event_type"]


def test_the_same_seed_and_start_give_the_same_stream() -> None:
    first = [event.envelope for event in islice(world().events(), 5000)]

    assert first == [event.envelope for event in islice(world().events(), 5000)]
    assert first != [event.envelope for event in islice(world(seed=8).events(), 5000)]


@pytest.mark.parametrize("rate", [1.0, 20.0, 5000.0])
def test_the_rate_is_kept_without_drift(rate: float) -> None:
    count = min(30_000, int(rate * 60) + 2000)
    *_, last = islice(world(rate=rate).events(), count)
    elapsed = (last.at - START) / SECOND

    # However long it runs, it is never further off than what half a second or a burst brings.
    assert abs(count - rate * elapsed) < max(rate, 60)


def test_skipped_time_moves_the_following_events_only() -> None:
    b25 = world()
    events = b25.events()
    before = next(events)
    b25.skip(3600 * SECOND)
    after = [event for event in islice(events, 50) if event.at > before.at][-1]

    assert 3600 * SECOND <= after.at - before.at < 3700 * SECOND


def test_nobody_logs_in_after_logging_out() -> None:
    logged_out: set[str] = set()
    for event in of_type("user.login", "user.logout"):
        assert event["session_id"] not in logged_out
        if event["event_type"] == "user.logout":
            logged_out.add(event["session_id"])

    assert logged_out


def counted(events: list[dict[str, Any]], key: str) -> Counter[str]:
    return Counter(event["properties"][key] for event in events)


def test_strategies_start_and_stop_in_turn() -> None:
    running: set[str] = set()
    for event in of_type("strategy.started", "strategy.stopped"):
        strategy = event["properties"]["strategy_id"]
        starts = event["event_type"] == "strategy.started"
        assert (strategy in running) != starts
        running ^= {strategy}


def test_every_rejected_signal_was_generated() -> None:
    generated = counted(of_type("signal.generated"), "signal_id")
    rejected = counted(of_type("signal.rejected"), "signal_id")

    assert rejected.keys() <= generated.keys()
    assert 0 < len(rejected) < len(generated) / 2
