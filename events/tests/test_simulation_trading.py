"""Orders, positions and balances of the simulated stream agree with each other, to the last digit."""

from collections import defaultdict
from decimal import Decimal
from typing import Any

from events.tests.simulated import number, of_type, stream

FILLS = ("order.partially_filled", "order.filled")
ENDS = {"order.filled", "order.canceled", "order.rejected", "order.expired"}
NEXT = {
    None: {"order.placed", "order.rejected"},
    "order.placed": {*FILLS, "order.canceled", "order.expired"},
    "order.partially_filled": {*FILLS, "order.canceled", "order.expired"},
}
STATUS = {
    "order.placed": "SUBMITTED",
    "order.partially_filled": "PARTIALLY_FILLED",
    "order.filled": "FILLED",
    "order.canceled": "CANCELED",
    "order.rejected": "REJECTED",
    "order.expired": "EXPIRED",
}


def lives() -> dict[str, list[dict[str, Any]]]:
    """The events of each order, in order of time."""
    orders: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for event in of_type(*STATUS):
        orders[event["properties"]["order_id"]].append(event)
    return orders


def signed(fill: dict[str, Any]) -> Decimal:
    quantity = number(fill["last_fill_quantity"])
    return quantity if fill["side"] == "BUY" else -quantity


def test_every_life_of_an_order_is_legal() -> None:
    endings = set()
    for life in lives().values():
        previous = None
        for event in life:
            assert event["event_type"] in NEXT[previous]
            assert event["properties"]["status"] == STATUS[event["event_type"]]
            previous = None if event["event_type"] in ENDS else event["event_type"]
        endings.add(life[-1]["event_type"])

    assert endings >= ENDS


def test_all_orders_end_but_the_last_ones() -> None:
    all_lives = list(lives().values())
    unfinished = [life for life in all_lives if life[-1]["event_type"] not in ENDS]

    assert len(unfinished) < 60 < len(all_lives)


def test_filled_quantities_add_up_and_averages_follow() -> None:
    for life in lives().values():
        filled = cost = Decimal(0)
        for event in life:
            properties = event["properties"]
            if event["event_type"] in FILLS:
                filled += number(properties["last_fill_quantity"])
                cost += number(properties["last_fill_quantity"]) * number(properties["last_fill_price"])
                assert abs(number(properties["avg_fill_price"]) - cost / filled) <= Decimal("5e-9")
            assert number(properties["filled_quantity"]) == filled
            assert number(properties["remaining_quantity"]) == number(properties["quantity"]) - filled
            assert (filled == number(properties["quantity"])) == (event["event_type"] == "order.filled")


def test_limit_orders_are_never_filled_at_a_worse_price() -> None:
    for life in lives().values():
        limit = life[0]["properties"].get("price")
        for event in life:
            if limit is not None and event["event_type"] in FILLS:
                better = number(limit) - number(event["properties"]["last_fill_price"])
                assert better >= 0 if event["properties"]["side"] == "BUY" else better <= 0


def test_orders_are_answered_after_a_believable_time() -> None:
    latencies = sorted(event["properties"]["latency_ms"] for event in of_type("order.placed"))

    assert latencies[0] > 2
    assert 8 < latencies[len(latencies) // 2] < 25
    assert latencies[-1] < 500


def test_every_fill_is_a_trade_of_the_market() -> None:
    trades = {
        (event["properties"]["symbol"], str(event["properties"]["trade_id"])): event["properties"]
        for event in of_type("market.trade")
    }
    for event in of_type(*FILLS):
        fill = event["properties"]
        trade = trades[fill["symbol"], fill["trade_id"]]
        assert trade["quantity"] == fill["last_fill_quantity"]
        assert trade["price"] == fill["last_fill_price"]
        assert trade["taker_side"] == fill["side"] or fill["is_maker"]


def test_positions_equal_the_sum_of_their_fills() -> None:
    fills: dict[tuple[str, str], Decimal] = defaultdict(Decimal)
    seen = 0
    for event in stream():
        properties = event["properties"]
        if event["event_type"] in FILLS:
            fills[properties["strategy_id"], properties["symbol"]] += signed(properties)
        elif event["event_type"] in ("position.opened", "position.updated"):
            held = fills[properties["strategy_id"], properties["symbol"]]
            assert number(properties["quantity"]) == abs(held)
            assert properties["side"] == ("LONG" if held > 0 else "SHORT")
            seen += 1

    assert seen > 200


def test_a_position_is_opened_once_and_closed_once() -> None:
    opened: dict[str, int] = defaultdict(int)
    for event in of_type("position.opened", "position.updated", "position.closed"):
        position = event["properties"]["position_id"]
        expected = 0 if event["event_type"] == "position.opened" else 1
        assert opened[position] == expected
        opened[position] = 2 if event["event_type"] == "position.closed" else 1


def test_realized_profits_of_fills_equal_those_of_closed_positions() -> None:
    earned: dict[tuple[str, str], Decimal] = defaultdict(Decimal)
    for event in stream():
        properties = event["properties"]
        key = (properties.get("strategy_id"), properties.get("symbol"))
        if event["event_type"] in FILLS:
            earned[key] += number(properties["realized_pnl"])
        elif event["event_type"] == "position.closed":
            assert earned.pop(key) == number(properties["realized_pnl"])


def test_balances_go_on_from_where_they_were() -> None:
    balances: dict[tuple[str, str], Decimal] = {}
    for event in of_type("balance.updated"):
        change = event["properties"]
        key = (event["user_id"], change["asset"])
        before, after = number(change["balance_before"]), number(change["balance_after"])
        assert balances.get(key, before) == before
        assert before + number(change["amount"]) == after == number(change["total"])
        assert number(change["free"]) + number(change["locked"]) == after
        balances[key] = after


def test_every_fill_moves_the_balance_by_profit_and_fee() -> None:
    moves = {
        event["properties"]["reference_id"]: number(event["properties"]["amount"])
        for event in of_type("balance.updated")
        if event["properties"]["reason"] == "TRADE"
    }
    fills = of_type(*FILLS)
    for event in fills[:-5]:
        fill = event["properties"]
        assert moves[fill["fill_id"]] == number(fill["realized_pnl"]) - number(fill["commission"])


def test_an_emergency_stops_every_strategy() -> None:
    running: set[str] = set()
    emergencies = 0
    events = iter(stream())
    for event in events:
        if event["event_type"] == "strategy.started":
            running.add(event["properties"]["strategy_id"])
        elif event["event_type"] == "strategy.stopped":
            running.discard(event["properties"]["strategy_id"])
        elif event["event_type"] == "risk.emergency_stop":
            emergencies += 1
            stopped = {next(events)["properties"]["strategy_id"] for _ in range(len(running))}
            assert stopped == running
            running.clear()

    assert emergencies
