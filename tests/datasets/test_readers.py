"""The readers deliver what the files hold: to the last event, and to the last digit."""

from collections import Counter
from collections.abc import Iterable
from datetime import datetime
from decimal import Decimal

import pytest

from custom_events.catalogue import EVENT_TYPES
from tests.datasets import folder_of
from tests.datasets.catalogue import DATASETS
from tests.datasets.envelopes import Envelope
from tests.datasets.expected import EPOCH_DAY, FACTS, Total, expected

# As the index of the data says, and each SOURCE.txt.
COUNTS = {
    "trades_xrpeth_binance_2019": 12_477,
    "trades_gc_gold_futures_1007_1008": 91_740,
    "trades_us_equities_ibm_aig": 67_635,
    "stream_binance_usdm_20240808": 21_313 + 14_076 + 4_000 + 4_000,
    "stream_binance_coinm_20240809": 2_949 + 1_863 + 2_500 + 2_500,
    "quotes_eurusd_oanda_20140501": 24_179,
    "quotes_nzdusd_oanda_20140512": 32_495,
    "orders_cme_mbo_es_a": 36_040,
    "events_github_2021_a": 500,
    "weblog_apache_a": 6_000,
}


def events_of(name: str) -> Iterable[Envelope]:
    return DATASETS[name].events()


def totals_of(name: str) -> dict[tuple[str, int], Total]:
    factors = DATASETS[name].factors
    assert factors is not None
    totals: dict[tuple[str, int], Total] = {}
    for event in events_of(name):
        properties = event["properties"]
        if not set(factors) <= properties.keys():
            continue
        day = datetime.fromisoformat(event["timestamp"]).date().toordinal() - EPOCH_DAY
        total = totals.setdefault((properties["symbol"], day), Total())
        total.count += 1
        total.product += Decimal(properties[factors[0]]) * Decimal(properties[factors[1]])
    return totals


@pytest.mark.parametrize("name", COUNTS)
def test_every_event_of_the_file_is_read(name: str) -> None:
    assert sum(1 for _ in events_of(name)) == COUNTS[name]


@pytest.mark.parametrize("name", FACTS)
def test_counts_and_sums_equal_those_counted_from_the_file(name: str) -> None:
    assert totals_of(name) == expected(name)


@pytest.mark.parametrize("name", DATASETS)
def test_ids_are_unique_and_the_same_each_time(name: str) -> None:
    ids = [event["id"] for event in events_of(name)]

    assert len(set(ids)) == len(ids)
    assert ids[:500] == [event["id"] for event, _ in zip(events_of(name), range(500), strict=False)]


@pytest.mark.parametrize("name", DATASETS)
def test_known_types_have_their_required_properties(name: str) -> None:
    for event in events_of(name):
        known = EVENT_TYPES.get(event["event_type"])
        # The exchange tells neither the filled quantity so far nor the side of an implied order.
        if known is not None and name != "orders_cme_mbo_es_a":
            assert known.required.keys() <= event["properties"].keys()
            assert known.identified_by is None or event[known.identified_by]


def test_binance_trades_are_as_many_as_the_source_says() -> None:
    symbols = Counter(
        event["properties"]["symbol"]
        for name in ("stream_binance_usdm_20240808", "stream_binance_coinm_20240809")
        for event in events_of(name)
        if event["event_type"] == "market.trade"
    )

    assert symbols == {"BTCUSDT": 21_313, "ETHUSDT": 14_076, "BTCUSD_PERP": 2_949, "ETHUSD_PERP": 1_863}


def test_cme_actions_and_sizes_are_as_the_source_says() -> None:
    actions: Counter[str] = Counter()
    sizes: Counter[str] = Counter()
    for event in events_of("orders_cme_mbo_es_a"):
        actions[event["properties"]["action"]] += 1
        sizes[event["properties"]["action"]] += int(event["properties"]["quantity"])

    assert actions == {"A": 12_454, "C": 10_299, "F": 3_782, "M": 7_591, "T": 1_914}
    assert (sizes["T"], sizes["F"]) == (5_804, 6_075)


def test_apache_statuses_and_addresses_are_as_the_source_says() -> None:
    events = list(events_of("weblog_apache_a"))
    statuses = Counter(str(event["properties"]["status"]) for event in events)

    assert statuses == {
        "200": 5382, "404": 135, "304": 330, "301": 124, "206": 24, "500": 2, "403": 1, "416": 2,
    }  # fmt: skip
    assert len({event["session_id"] for event in events}) == 1150


def test_github_actors_and_types_are_as_the_source_says() -> None:
    events = list(events_of("events_github_2021_a"))

    assert Counter(event["event_type"] for event in events)["github.PushEvent"] == 259
    assert len({event["user_id"] for event in events}) == 374
    assert len({event["properties"]["repo"]["id"] for event in events}) == 405


def test_equities_are_told_in_new_york_time() -> None:
    first = next(iter(events_of("trades_us_equities_ibm_aig")))

    # 27,596,477 ms after midnight in New York, which was four hours behind UTC.
    assert first["timestamp"] == "2013-10-08T11:39:56.477000Z"
    assert first["properties"]["price"] == "48.8000"


@pytest.mark.parametrize("name", DATASETS)
def test_the_source_names_the_data_set(name: str) -> None:
    assert (folder_of(name) / "SOURCE.txt").read_text().startswith(f"dataset: {name}")
