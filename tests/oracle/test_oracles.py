"""The statistics against implementations that are not ours."""

import random
from math import exp, isclose, log

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from rivals.kayenta_interval import shift_between
from rivals.multinomial import log_bayes_factor
from scipy import optimize, stats
from scipy.special import betaln

from surefoot.analysis.factor import best_a, log_factor, relative_a
from surefoot.analysis.gauges import Likeness
from surefoot.analysis.history import _chi_squared_10, dispersion
from surefoot.analysis.judge import Judge
from surefoot.analysis.plan import JudgePlan, MetricPlan
from surefoot.analysis.ticks import Arm, RatioTick, ShareRow

fractions = st.floats(0.001, 0.4)
weights = st.floats(0.05, 2)


@given(st.integers(0, 60), st.integers(0, 200), weights, st.sampled_from([1.1, 1.5, 3, 10]))
def test_the_bet_on_a_ratio_is_the_binomial_likelihood_ratio(canary, baseline, w, r):
    """T1: of all events, each is the canary's with q = r w/(r w + 1) or w/(w + 1)."""
    n = 1000.0
    ours = log_factor(relative_a(r, 1.0, w), (1.0, 0.0), (canary, w * n), (baseline, n))
    both = canary + baseline
    alternative, null = (stats.binom(both, q * w / (q * w + 1)) for q in (r, 1))
    assert ours == pytest.approx(alternative.logpmf(canary) - null.logpmf(canary), abs=1e-6)


@given(fractions, weights, st.floats(0, 0.1), st.floats(0.01, 3), st.integers(1, 40))
def test_the_mean_of_the_factor_is_at_most_one_by_summing_all_outcomes(p, w, d, a, n):
    """At the null's edge, over every count of both arms, for bets in both directions."""
    m = 1.2
    n_c, n_b = n, max(1, round(n / w))
    odds = n_c / n_b
    if m * odds * (a - 1) >= 1:
        return
    p_c = min(m * p + d, 1.0)
    canary, baseline = np.arange(n_c + 1), np.arange(n_b + 1)
    of_canary = stats.binom.pmf(canary, n_c, p_c) @ (a**canary)
    of_baseline = stats.binom.pmf(baseline, n_b, p) @ ((1 + m * odds * (1 - a)) ** baseline)
    ours = [log_factor(a, (m, d), (c, n_c), (b, n_b)) for c, b in ((0, 0), (1, 0), (0, 1))]
    theirs = [d * (1 - a) * n_c + c * log(a) for c in (0, 1)]
    theirs.append(theirs[0] + log(1 + m * odds * (1 - a)))
    assert ours == pytest.approx(theirs, abs=1e-9)
    slack = exp((1 - a) * n_c * (m * p + d - p_c))  # above one only where p_c was cut at one
    assert of_canary * of_baseline * exp(d * (1 - a) * n_c) <= slack * (1 + 1e-9)


@given(fractions, fractions, weights, st.floats(0.001, 0.2))
def test_the_best_bet_is_where_a_numeric_search_finds_it(p1, p2, w, d):
    """The closed root maximises the growth against an absolute margin."""

    def loss(a):
        return -(p1 * log(a) + p2 / w * log(1 + w * (1 - a)) + d * (1 - a))

    found = optimize.minimize_scalar(
        loss, bounds=(1e-9, 1.0), method="bounded", options={"xatol": 1e-10}
    )
    assert loss(best_a(p1, p2, w, d)) <= found.fun + 1e-9


@given(st.floats(7, 2000))
def test_the_tenth_percentile_of_chi_squared_is_within_a_percent(freedom):
    """Wilson and Hilferty's approximation against the quantile itself."""
    assert isclose(_chi_squared_10(freedom), stats.chi2.ppf(0.1, freedom), rel_tol=0.015)


@pytest.mark.parametrize("phi", [1, 4])
def test_dispersion_bounds_that_of_the_chi_squared_statistic(phi):
    """The upper bound lies above Pearson's estimate in nine of ten runs, and not far above."""
    above, ratios = 0, []
    for seed in range(60):
        dice = np.random.default_rng(seed)
        n = 2000
        events = phi * dice.binomial(n // phi, 0.02, size=60)  # in clumps of phi
        pearson = ((events - events.mean()) ** 2).sum() / 59 / (n * 0.02 * 0.98)
        bound = dispersion([(float(e), float(n)) for e in events])
        above += bound >= min(pearson, phi)
        ratios.append(bound / phi)
    assert above >= 54 - 2 * (60 * 0.1 * 0.9) ** 0.5
    assert np.median(ratios) < 1.6


@given(st.integers(0, 400), st.integers(0, 400), st.floats(0.01, 0.99))
def test_the_multinomial_rival_is_the_beta_binomial(canary, baseline, share):
    """Lindon and Malek's factor with a flat prior, by the beta function."""
    theirs = betaln(canary + 1, baseline + 1) - canary * log(share) - baseline * log(1 - share)
    assert log_bayes_factor(canary, baseline, share) == pytest.approx(theirs, rel=1e-9, abs=1e-9)


def test_the_kayenta_port_agrees_with_mann_whitney():
    """Where its interval leaves zero out, the two-sided test at 2 % finds a difference."""
    dice, agreed, runs = random.Random(5), 0, 200
    for _ in range(runs):
        shift = dice.choice((0.0, 0.5, 1.0))
        canary = [dice.gauss(10 + shift, 1) for _ in range(30)]
        baseline = [dice.gauss(10, 1) for _ in range(30)]
        interval = shift_between(canary, baseline, 0.98)
        p = stats.mannwhitneyu(canary, baseline, method="asymptotic").pvalue
        agreed += (interval.low > 0 or interval.high < 0) == (p < 0.02)
    assert agreed >= runs - 2  # its root finder's tolerance may turn one at the edge


def test_how_long_samples_hang_together_is_that_of_the_autocorrelation():
    """The lag-one correlation within its allowance of 1.5 standard errors and the bias."""
    dice = np.random.default_rng(3)
    for alike in (0.0, 0.5, 0.9):
        series = [0.0]
        for _ in range(4000):
            series.append(alike * series[-1] + dice.normal())
        ours = Likeness()
        for t, value in enumerate(series):
            ours.add(float(t), value)
        found = np.corrcoef(series[:-1], series[1:])[0, 1]
        least = (1 + found) / (1 - found)
        assert least * 0.98 <= ours.seconds <= least * 1.6


@given(st.integers(0, 40), st.integers(0, 400))
def test_the_confidence_sequence_holds_what_fisher_does_not_exclude(canary, baseline):
    """It is never narrower than Fisher's exact 95 % interval of the same ratio, for one look."""
    if not canary + baseline:
        return
    judge = Judge(JudgePlan(metrics=(MetricPlan("errors", "ratio", phi=1.0, group="errors"),)))
    judge.feed(ShareRow(0, 0.5))
    judge.feed(RatioTick(20, "errors", Arm.CANARY, canary, 1000))
    judge.feed(RatioTick(20, "errors", Arm.BASELINE, baseline, 1000))
    judge.close_tick()
    low, high = judge.ratios["errors"]
    exact = stats.binomtest(canary, canary + baseline).proportion_ci(0.95)
    assert low <= exact.low / (1 - exact.low) * 1.001 + 1e-4
    if exact.high < 1:
        assert high >= exact.high / (1 - exact.high) * 0.999
