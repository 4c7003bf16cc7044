"""The factor for common events: its mean never exceeds one, and it is the block bet it claims."""

from itertools import product
from math import comb, exp, inf, isclose, log, log1p

import pytest
from hypothesis import given
from hypothesis import strategies as st

from surefoot.analysis.bernoulli import COMMON_RATIOS, GUESSED, SAFE, BlockCapital, stake
from surefoot.analysis.evidence import HARM_RATIOS, Capital

SIZES = ((1, 1), (2, 5), (3, 9), (6, 6), (8, 2))
RATES = (0.01, 0.1, 0.3, 0.5, 0.8)
NULLS = ((1.0, 0.0), (1.1, 0.0001), (1.5, 0.0), (1.0, 0.05), (0.9, 0.0))


def log_block(
    bet: tuple[float, float],
    null: tuple[float, float],
    one: tuple[float, float],
    two: tuple[float, float],
) -> float:
    """The natural log of F for one tick.

    Args:
        bet: q2 and s, from `stake`; s is cut to what keeps F positive.
        null: m and d of the null rate `m p2 + d`; m q2 + d below 1.
        one: events and all of arm 1.
        two: events and all of arm 2.

    Returns:
        log F; 0 when an arm is empty.
    """
    (q2, s), (m, d), (e1, n1), (e2, n2) = bet, null, one, two
    if n1 <= 0 or n2 <= 0:
        return 0.0
    q1, each = m * q2 + d, n2 / (m * n1)
    if s > 0:
        s = min(s, SAFE / (each * q1), SAFE / (1 - q2))
    else:
        s = max(s, -SAFE / (each * (1 - q1)), -SAFE / q2)
    k = s * each
    return (
        e1 * log1p(k * (1 - q1))
        + (n1 - e1) * log1p(-k * q1)
        + e2 * log1p(-s * (1 - q2))
        + (n2 - e2) * log1p(s * q2)
    )


def chance(k: int, n: int, p: float) -> float:
    """The binomial probability."""
    return comb(n, k) * p**k * (1 - p) ** (n - k)


def mean_block(bet, null, sizes, p1, p2) -> float:
    """The exact mean of F by every outcome of a small block."""
    n1, n2 = sizes
    return sum(
        chance(e1, n1, p1) * chance(e2, n2, p2) * exp(log_block(bet, null, (e1, n1), (e2, n2)))
        for e1, e2 in product(range(n1 + 1), range(n2 + 1))
    )


@pytest.mark.parametrize("sizes", SIZES)
@pytest.mark.parametrize("null", NULLS)
def test_mean_of_a_bet_on_harm_is_at_most_one(sizes, null):
    """Whatever rate was guessed, evidence of harm cannot grow by luck within the null."""
    (m, d), w = null, sizes[0] / sizes[1]
    for r, guess, p2 in product((1.25, 2, 10, 400), RATES, RATES):
        bet = stake(r, guess, null, w)
        for part in (1.0, 0.7, 0.0):
            assert mean_block(bet, null, sizes, min(part * (m * p2 + d), 1), p2) <= 1 + 1e-12


@pytest.mark.parametrize("sizes", SIZES)
@pytest.mark.parametrize("null", NULLS)
def test_mean_of_a_bet_on_health_is_at_most_one(sizes, null):
    """Nor can evidence of "not worse" while the canary is at its margin or beyond."""
    (m, d), w = null, sizes[0] / sizes[1]
    for r, guess, p2 in product((0.8, 0.5, 0.1, 0.001), RATES, RATES):
        bet = stake(r, guess, null, w)
        edge = m * p2 + d
        for p1 in (edge, (1 + edge) / 2, 1.0):
            if edge <= p1 <= 1:
                assert mean_block(bet, null, sizes, p1, p2) <= 1 + 1e-12


def test_the_mean_is_one_at_the_guess():
    """There the bound is sharp: nothing is given away."""
    for r, p in product((1.25, 2, 10), RATES):
        bet = stake(r, p, (1.0, 0.0), 0.5)
        assert isclose(mean_block(bet, (1.0, 0.0), (3, 6), bet[0], bet[0]), 1.0, abs_tol=1e-12)


@given(
    st.floats(1.05, 50),
    st.floats(0.01, 0.95),
    st.tuples(st.integers(0, 40), st.integers(0, 40), st.integers(1, 400), st.integers(1, 400)),
)
def test_it_is_the_block_e_variable_of_two_bernoulli_streams(r, p, counts):
    """With no margin it equals the published form: both rates over the rate of both together."""
    e1, e2, others1, others2 = counts
    n1, n2 = e1 + others1, e2 + others2
    one = r * p / (1 - p + r * p)
    both = (n1 * one + n2 * p) / (n1 + n2)
    published = (
        e1 * log(one / both)
        + others1 * log((1 - one) / (1 - both))
        + e2 * log(p / both)
        + others2 * log((1 - p) / (1 - both))
    )
    ours = log_block(stake(r, p, (1.0, 0.0), n1 / n2), (1.0, 0.0), (e1, n1), (e2, n2))
    assert isclose(ours, published, rel_tol=1e-9, abs_tol=1e-9)


@given(st.integers(0, 60), st.integers(0, 60), st.integers(60, 500), st.integers(60, 500))
def test_capital_is_the_mean_of_the_factors(e1, e2, n1, n2):
    """One step multiplies the capital of each bet by its factor at the rate of the past."""
    capital = BlockCapital(COMMON_RATIOS, (200.0, 1000.0), d=0.0001)
    capital.step(1.1, (e1, n1), (e2, n2), 0.0)
    null, guess = (1.1, 0.0001), 200.5 / 1001
    factors = [
        exp(log_block(stake(r, guess, null, n1 / n2), null, (e1, n1), (e2, n2)))
        for r in COMMON_RATIOS
    ]
    assert isclose(capital.value, sum(factors) / len(factors), rel_tol=1e-9)


@given(st.lists(st.tuples(*[st.integers(0, 30)] * 2, *[st.integers(30, 300)] * 2), max_size=25))
def test_each_tick_multiplies_by_the_factor_of_a_guess_from_before_it(ticks):
    """The guess is made anew every ten ticks, of what arm 2 did until then; stakes follow w."""
    null, past = (1.1, 0.0001), [200.0, 1000.0]
    capital, logs, bets = BlockCapital((1.5, 3.0), tuple(past), d=null[1], phi=1.3), [0.0, 0.0], ()
    for number, (e1, e2, n1, n2) in enumerate(ticks):
        if number % GUESSED == 0:
            guess = (past[0] + 0.5) / (past[1] + 1)
            bets = tuple(stake(r, guess, null, n1 / n2) for r in (1.5, 3.0))
        for place, bet in enumerate(bets):
            logs[place] += log_block(bet, null, (e1, n1), (e2, n2)) / 1.3
        past = [past[0] + e2 - past[0] / 600, past[1] + n2 - past[1] / 600]
        capital.step(null[0], (e1, n1), (e2, n2), 0.0)
    assert capital.value == pytest.approx(sum(map(exp, logs)) / 2, rel=1e-6)


@pytest.mark.parametrize("p2", RATES)
@pytest.mark.parametrize(("m", "d"), [(1.0, 0.0), (1.1, 0.0001), (1.1, 0.02)])
def test_mean_of_the_capital_is_at_most_one_over_ticks_of_different_sizes(p2, m, d):
    """The second tick is bet on by the guess of the first, though its arms are another w apart."""
    p1, mean = min(m * p2 + d, 1.0), 0.0
    first, second = (2, 5), (4, 3)
    for a1, a2 in product(range(first[0] + 1), range(first[1] + 1)):
        weight = chance(a1, first[0], p1) * chance(a2, first[1], p2)
        for b1, b2 in product(range(second[0] + 1), range(second[1] + 1)):
            capital = BlockCapital(COMMON_RATIOS, (3.0, 10.0), d=d)
            capital.step(m, (a1, first[0]), (a2, first[1]), 0.0)
            capital.step(m, (b1, second[0]), (b2, second[1]), 0.0)
            mean += weight * chance(b1, second[0], p1) * chance(b2, second[1], p2) * capital.value
    assert mean <= 1 + 1e-12


def test_where_events_are_rare_it_is_the_one_factor():
    """At one in ten thousand both see a threefold harm alike."""
    block, one = BlockCapital((3.0,), (10.0, 100_000.0)), Capital((3.0,))
    for _ in range(50):
        for capital in (block, one):
            capital.step(1.0, (3, 10_000), (9, 90_000), 0.0)
    assert log(block.value) == pytest.approx(log(one.value), rel=0.01)


def test_where_events_are_common_it_sees_harm_twice_as_soon():
    """A quarter more of what half of the requests have, in counts as they are expected."""
    ticks = {}
    for name, capital in (
        ("block", BlockCapital(COMMON_RATIOS, (500.0, 1000.0))),
        ("one", Capital(HARM_RATIOS)),
    ):
        ticks[name] = 0
        while capital.value < 100:
            capital.step(1.0, (31.25, 50), (25, 50), 0.0)
            ticks[name] += 1
    assert ticks["block"] <= ticks["one"] / 2


@given(st.integers(0, 10**9), st.integers(0, 10**9))
def test_billions_of_events_stay_finite(e1, e2):
    """No count overflows, and what was lost can be won again with restarts."""
    capital = BlockCapital(COMMON_RATIOS, (3e8, 1e9), kept=0.5)
    capital.step(1.0, (e1, 10**9), (e2, 10**9), 0.01)
    assert 0 <= capital.value < inf
    capital.step(1.0, (9 * 10**8, 10**9), (10**8, 10**9), 0.01)
    assert 1 < capital.value < inf


def test_an_empty_arm_says_nothing():
    """A tick without requests of one release is no evidence."""
    assert log_block((0.3, 0.1), (1.0, 0.0), (0, 0), (3, 10)) == 0.0
    assert log_block((0.3, 0.1), (1.0, 0.0), (3, 10), (0, 0)) == 0.0
