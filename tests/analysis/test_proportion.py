"""The interval of a rate, against what is known of it."""

from math import comb

import pytest
from hypothesis import given
from hypothesis import strategies as st

from surefoot.analysis.proportion import clopper_pearson


def chance(hits: int, runs: int, p: float) -> float:
    return comb(runs, hits) * p**hits * (1 - p) ** (runs - hits)


@pytest.mark.parametrize(
    ("hits", "runs", "low", "high"),
    [
        (0, 0, 0.0, 1.0),
        (0, 1, 0.0, 0.975),
        (0, 3, 0.0, 1 - 0.025 ** (1 / 3)),
        (3, 3, 0.025 ** (1 / 3), 1.0),
        (1, 10, 1 - 0.975 ** (1 / 10), 0.44501612),
        (10, 100, 0.04900469, 0.17622260),
        (0, 1000, 0.0, 1 - 0.025 ** (1 / 1000)),
    ],
)
def test_the_limits_are_those_of_the_tables(hits: int, runs: int, low: float, high: float):
    """Closed forms at the ends, and the well-known 10 of 100: 4.90 % to 17.62 %."""
    assert clopper_pearson(hits, runs) == pytest.approx((low, high), abs=1e-7)


@given(st.integers(1, 60), st.floats(0.001, 0.999))
def test_the_interval_holds_the_truth_as_often_as_it_says(runs: int, p: float):
    """Summed exactly over all that could be seen: at least 95 in 100, whatever the truth."""
    holds = 0.0
    for hits in range(runs + 1):
        low, high = clopper_pearson(hits, runs)
        assert low <= hits / runs <= high
        holds += chance(hits, runs, p) if low <= p <= high else 0.0
    assert holds >= 0.95 - 1e-9
