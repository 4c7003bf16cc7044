"""The one factor: its mean never exceeds one under the null, and its bets are the best ones."""

from itertools import product
from math import comb, exp, isclose, log

import pytest
from hypothesis import given
from hypothesis import strategies as st

from surefoot.analysis.evidence import (
    HARM_RATIOS,
    Absolute,
    Capital,
    Mixture,
    Relative,
    ShareTest,
)
from surefoot.analysis.factor import best_a, growth_absolute, log_factor, relative_a
from surefoot.analysis.margins import RUNGS, latency_bets, ok_bets
from surefoot.domain.verdict import Margin

counts = st.integers(0, 10**9)


def chance(k: int, n: int, p: float) -> float:
    """The binomial probability."""
    return comb(n, k) * p**k * (1 - p) ** (n - k)


def mean_factor(a: float, null: tuple[float, float], sizes: tuple[int, int], p: float) -> float:
    """The exact mean of F at the edge of the null, by every outcome of a small block."""
    (m, d), (n1, n2) = null, sizes
    p1 = min(m * p + d, 1.0)
    return sum(
        chance(e1, n1, p1) * chance(e2, n2, p) * exp(log_factor(a, null, (e1, n1), (e2, n2)))
        for e1, e2 in product(range(n1 + 1), range(n2 + 1))
    )


SIZES = ((1, 1), (2, 5), (3, 9), (6, 6), (8, 2))
RATES = (0.001, 0.01, 0.1, 0.3)
NULLS = ((1.0, 0.0), (1.1, 0.0001), (2.0, 0.0), (1.0, 0.005), (1.0, 0.1), (3.0, 0.0))


@pytest.mark.parametrize("sizes", SIZES)
@pytest.mark.parametrize("null", NULLS)
def test_mean_of_a_bet_on_health_is_at_most_one(sizes, null):
    """Evidence for "not worse" cannot grow by luck at its margin, whatever the rate."""
    for a, p in product((0.01, 0.2, 0.5, 0.9, 0.99), RATES):
        assert mean_factor(a, null, sizes, p) <= 1 + 1e-12


@pytest.mark.parametrize("sizes", SIZES)
@pytest.mark.parametrize("null", NULLS)
def test_mean_of_a_bet_on_harm_is_at_most_one(sizes, null):
    """Evidence of harm cannot grow by luck while the canary is within the null."""
    w = sizes[0] / sizes[1]
    for r, p in product(HARM_RATIOS, RATES):
        assert mean_factor(relative_a(r, null[0], w), null, sizes, p) <= 1 + 1e-12


@given(st.floats(1e-6, 0.5), st.floats(1e-6, 0.5), st.floats(0.05, 20), st.floats(1e-4, 0.2))
def test_best_bet_beats_its_neighbours(p1, p2, w, d):
    """The closed form is the maximum of the growth it claims to maximise."""
    a = best_a(min(p1, p2), p2, w, d)

    def growth(x: float) -> float:
        return log_factor(x, (1.0, d), (min(p1, p2), 1.0), (p2 / w, 1 / w))

    assert 0 < a <= 1
    for other in (a * 0.98, min(a * 1.02, 1.0)):
        assert growth(a) >= growth(other) - 1e-12
    assert isclose(growth(a), growth_absolute(min(p1, p2), p2, w, d), abs_tol=1e-12)


@given(st.integers(0, 50), st.integers(0, 50), st.integers(50, 500), st.integers(50, 500))
def test_capital_is_the_mean_of_the_factors(e1, e2, n1, n2):
    """One step multiplies the capital of each bet by exactly its factor."""
    capital = Capital(HARM_RATIOS, d=0.0001)
    capital.step(1.1, (e1, n1), (e2, n2), 0.0)
    null, w = (1.1, 0.0001), n1 / n2
    factors = [
        exp(log_factor(relative_a(r, 1.1, w), null, (e1, n1), (e2, n2))) for r in HARM_RATIOS
    ]
    assert isclose(capital.value, sum(factors) / len(factors), rel_tol=1e-9)


@given(
    st.lists(
        st.tuples(st.integers(0, 9), st.integers(0, 9), st.integers(9, 99), st.integers(9, 99)),
        max_size=8,
    ),
    st.sampled_from([(1.1, 0.0001), (1.0, 0.0), (2.0, 0.0), (1.1, 0.02)]),
    st.floats(1, 20),
    st.floats(0, 0.1),
)
def test_capital_restarts_by_its_recursion(ticks, null, phi, fresh):
    """Over many ticks of any w, R <- (R + u) F with F tempered, for each bet on its own."""
    m, d = null
    capital = Capital(HARM_RATIOS, d=d, phi=phi, kept=0.5)
    wanted = [0.5 / len(HARM_RATIOS)] * len(HARM_RATIOS)
    for e1, e2, n1, n2 in ticks:
        capital.step(m, (e1, n1), (e2, n2), fresh)
        for i, r in enumerate(HARM_RATIOS):
            a = relative_a(r, m, n1 / n2)
            grown = exp(log_factor(a, null, (e1, n1), (e2, n2)) / phi)
            wanted[i] = (wanted[i] + fresh / len(HARM_RATIOS)) * grown
    assert isclose(capital.value, sum(wanted), rel_tol=1e-9)


@given(
    st.lists(
        st.tuples(st.integers(0, 9), st.integers(0, 9), st.integers(9, 99), st.integers(9, 99)),
        max_size=8,
    ),
    st.floats(1, 20),
)
def test_mixture_is_the_weighted_product_of_the_factors(ticks, phi):
    """Over any ticks, the mixture is the weighted sum of tempered products, and reaches no more."""
    bets = (Relative(0.5, 2.0, 0.5), Relative(0.2, 2.0, 0.35), Absolute(0.3, 0.4, 0.01))
    mixture = Mixture(bets, phi=phi)
    logs = [0.0, 0.0, 0.0]
    for e1, e2, n1, n2 in ticks:
        mixture.step((e1, n1), (e2, n2))
        for i, bet in enumerate(bets):
            if isinstance(bet, Relative):
                a, null = relative_a(bet.r, bet.m, n1 / n2), (bet.m, 0.0)
            else:
                a, null = bet.a, (1.0, bet.d)
            logs[i] += log_factor(a, null, (e1, n1), (e2, n2)) / phi
    wanted = sum(bet.weight * exp(x) for bet, x in zip(bets, logs, strict=True))
    assert isclose(mixture.value, wanted, rel_tol=1e-7)
    for part in (0.5, 0.999, 1.001, 2.0):
        assert mixture.reaches(part * mixture.value) == (part <= 1)


@given(st.integers(1, 40), st.integers(0, 40), st.integers(400, 4000), st.integers(400, 4000))
def test_more_bad_answers_of_the_canary_never_speak_for_it(e1, e2, n1, n2):
    """One more bad answer raises the evidence of harm and lowers that of health."""
    harm, harmless = Capital(HARM_RATIOS, d=0.0001), Capital(HARM_RATIOS, d=0.0001)
    harm.step(1.1, (e1, n1), (e2, n2), 0.0)
    harmless.step(1.1, (e1 - 1, n1), (e2, n2), 0.0)
    assert harm.value > harmless.value
    bets = ok_bets(0.01, 1.0, RUNGS[1].margin)
    worse, better = Mixture(bets), Mixture(bets)
    worse.step((e1, n1), (e2, n2))
    better.step((e1 - 1, n1), (e2, n2))
    assert worse.value < better.value


@given(st.lists(st.tuples(counts, counts, counts, counts), min_size=1, max_size=5))
def test_a_billion_events_overflow_nothing(ticks):
    """Evidence stays a finite number, and not negative, at any size of the counts."""
    capital = Capital(HARM_RATIOS, d=0.0001, kept=0.5)
    mixture = Mixture(ok_bets(0.001, 1.0, RUNGS[0].margin))
    share = ShareTest()
    for n1, n2, e1, e2 in ticks:
        if not (n1 and n2):
            continue
        one, two = (min(e1, n1), n1), (min(e2, n2), n2)
        capital.step(1.1, one, two, 0.001)
        mixture.step(one, two)
        share.step(0.1, n1, n2)
        for value in (capital.value, mixture.value, share.value):
            assert 0 <= value < 1e250


@pytest.mark.parametrize("p", [1e-5, 0.001, 0.01, 0.2, 0.9])
@pytest.mark.parametrize("margin", [*(rung.margin for rung in RUNGS), Margin(1.0, 0.0, "x")])
def test_weights_of_every_mixture_add_up_to_one(p, margin):
    """No mixture stakes more capital than it has."""
    for bets in (ok_bets(p, 1.0, margin), latency_bets(p / 2, p, 1.0, margin.points / 100)):
        assert isclose(sum(bet.weight for bet in bets), 1.0)
        assert isclose(Mixture(bets).value, 1.0)


def test_restarts_find_late_harm_that_a_spent_capital_misses():
    """Half the capital held back sees harm soon, even after an hour of health."""
    kept, spent = Capital(HARM_RATIOS, kept=0.5), Capital(HARM_RATIOS)
    for _ in range(3600):
        for capital, fresh in ((kept, 0.5 / 3700), (spent, 0.0)):
            capital.step(1.0, (0.2, 20), (1.8, 180), fresh)
    for _ in range(60):
        for capital, fresh in ((kept, 0.5 / 3700), (spent, 0.0)):
            capital.step(1.0, (2.0, 20), (1.8, 180), fresh)
    assert kept.value > 100 > spent.value


def test_share_test_accuses_a_starved_canary_only():
    """The traffic share speaks when the canary gets a quarter of its due, not at its due."""
    starved, fair = ShareTest(), ShareTest()
    for _ in range(100):
        starved.step(0.1, 5, 195)
        fair.step(0.1, 20, 180)
    assert starved.value > 1000
    assert fair.value < 1


@given(st.floats(0.01, 0.99), st.integers(1, 40))
def test_mean_of_the_share_test_is_at_most_one(share, n):
    """At exactly the tolerated share, the exact mean of each untempered bet is one."""
    s0 = ShareTest.TOLERATED * share
    test_mean = 0.0
    for k in range(n + 1):
        test = ShareTest(phi=1.0)
        test.step(share, k, n - k)
        test_mean += chance(k, n, s0) * test.value
    assert test_mean <= 1 + 1e-9


def test_an_empty_arm_is_no_evidence():
    """A tick in which one arm had no events contributes nothing."""
    assert log_factor(0.5, (1.0, 0.01), (0, 0), (1, 10)) == 0
    assert log_factor(0.5, (1.0, 0.01), (1, 10), (0, 0)) == 0


def test_zero_errors_on_both_sides_are_evidence_of_health():
    """Without any error the exponential term alone proves an absolute margin."""
    mixture = Mixture(ok_bets(1e-4, 1.0, RUNGS[0].margin))
    for _ in range(20):
        mixture.step((0, 100), (0, 100))
    assert log(mixture.value) > log(20)
