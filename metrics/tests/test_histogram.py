"""Percentiles from histograms against exact ones: nearest rank, as percentile_disc, within 1 %."""

import csv
import json
import math
import random
from collections.abc import Iterable, Sequence
from decimal import Decimal, localcontext

import pytest
from django.db import connection

from tests.datasets import folder_of

pytestmark = pytest.mark.django_db
SHARES = (0.01, 0.25, 0.5, 0.75, 0.9, 0.95, 0.99, 0.999, 1.0)
OF_VALUES = """
SELECT metric_percentiles(
    array_agg(bin ORDER BY bin), array_agg(n ORDER BY bin), %(shares)s::numeric[], min(low), max(high))
FROM (SELECT metric_bin(v) AS bin, count(*) AS n, min(v) AS low, max(v) AS high
    FROM unnest(%(values)s::numeric[]) AS v GROUP BY 1) bins
"""


def from_histogram(values: Sequence[Decimal]) -> list[float]:
    with connection.cursor() as cursor:
        cursor.execute(OF_VALUES, {"shares": list(SHARES), "values": list(values)})
        found: list[float] = cursor.fetchone()[0]
    return found


def exact(values: Iterable[Decimal]) -> list[float]:
    """Nearest rank, in plain Python."""
    ordered = sorted(values)
    return [float(ordered[max(math.ceil(share * len(ordered)), 1) - 1]) for share in SHARES]


def assert_close(values: Sequence[Decimal]) -> None:
    # A hair more than 1 %, for the rounding of doubles.
    assert from_histogram(values) == pytest.approx(exact(values), rel=0.0100001, abs=1e-300)


def decimals(values: Iterable[float]) -> list[Decimal]:
    return [Decimal(repr(value)) for value in values]


@pytest.mark.parametrize(
    "values",
    [
        [1.0],
        [-2.5],
        [0.0],
        [0.0, 0.0, 0.0, 1.0],
        [-1.0, 0.0, 1.0],
        [-5.0, -4.0, -3.0, -2.0, -1.0],
        [1e299, 1e-299, -1e299, -1e-299],
        [5.0] * 1000,
    ],
)
def test_edges(values: list[float]) -> None:
    assert_close(decimals(values))


@pytest.mark.parametrize("seed", range(5))
def test_heavy_tails_of_both_signs(seed: int) -> None:
    source = random.Random(seed)
    assert_close(decimals(source.paretovariate(0.5) for _ in range(5000)))
    assert_close(decimals(source.lognormvariate(0, 6) * source.choice((-1, 1)) for _ in range(5000)))


def test_latencies_of_a_virtual_machine() -> None:
    rows = list(csv.DictReader((folder_of("latency_hdr_jhiccup") / "histogram.csv").open()))
    values = [Decimal(row["value"]) for row in rows for _ in range(int(row["count"]))]
    assert len(values) == 48_761

    assert_close(values)
    # The figure that the data set's own test suite publishes; its bins are 0.5 % wide.
    assert from_histogram(values)[SHARES.index(0.999)] == pytest.approx(1_745_879_039, rel=0.015)
    assert from_histogram(values)[-1] == pytest.approx(1_796_210_687, rel=0.015)


def test_metrics_of_the_real_world() -> None:
    series = sorted(folder_of("metrics_nab_a").glob("*__*.csv"))
    assert len(series) == 11
    for path in series:
        with path.open() as file:
            assert_close([Decimal(row["value"]) for row in csv.DictReader(file)])


def test_nothing_has_no_percentile() -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT metric_percentiles('{}', '{}', '{0.5}', NULL, NULL)")
        assert cursor.fetchone()[0] is None


def test_certified_means_and_deviations() -> None:
    """NIST StRD: a naive sum of squares in doubles fails numacc3 and numacc4."""
    sets = json.loads((folder_of("stats_nist_strd_a") / "strd.json").read_text())
    for name, described in sets.items():
        with connection.cursor() as cursor:
            cursor.execute("SELECT count(v), sum(v), sum(v * v) FROM unnest(%s::numeric[]) AS v", [described["data"]])
            count, total, squares = cursor.fetchone()
        with localcontext() as context:
            context.prec = 60
            deviation = ((squares - total * total / count) / (count - 1)).sqrt()
        assert total / count == Decimal(described["certified"]["mean"]), name
        assert float(deviation) == pytest.approx(float(described["certified"]["sd"]), rel=1e-14), name
