"""All data sets that can be sent as events."""

from tests.datasets.binance import COIN_MARGINED, USD_MARGINED, XRPETH
from tests.datasets.cme import ES_ORDERS
from tests.datasets.envelopes import Dataset
from tests.datasets.lean import EQUITIES, EURUSD, GOLD, NZDUSD
from tests.datasets.web import APACHE, GITHUB
from tests.datasets.websockets import MULTI_EXCHANGE

DATASETS: dict[str, Dataset] = {
    dataset.name: dataset
    for dataset in (
        XRPETH,
        GOLD,
        EQUITIES,
        USD_MARGINED,
        COIN_MARGINED,
        EURUSD,
        NZDUSD,
        ES_ORDERS,
        GITHUB,
        APACHE,
        MULTI_EXCHANGE,
    )
}
