"""The textbook tests, against exact sums and published figures."""

from fractions import Fraction
from math import comb, exp, log

import pytest
from rivals.multinomial import Multinomial, log_bayes_factor
from rivals.repeated import (
    Z,
    fisher_at_ten_looks,
    fisher_each_second,
    fisher_p,
    z_each_second,
    z_score,
)
from rivals.rule import Answer, Counts, Record, Said, Stream


def test_fisher_has_the_lady_tasting_tea():
    """Three of four cups right by chance: 17/70; four of four: 1/70 (Fisher 1935)."""
    assert fisher_p(Counts(3, 4), Counts(1, 4)) == pytest.approx(17 / 70)
    assert fisher_p(Counts(4, 4), Counts(0, 4)) == pytest.approx(1 / 70)


@pytest.mark.parametrize("bad", [(0, 3), (3, 2), (7, 1), (12, 40)])
def test_fisher_is_the_exact_tail(bad):
    """It agrees with the sum in whole numbers, from every start of the tail."""
    (one, two), n, m = bad, 60, 400
    ways = sum(comb(n, k) * comb(m, one + two - k) for k in range(one, min(n, one + two) + 1))
    wanted = Fraction(ways, comb(n + m, one + two))
    assert fisher_p(Counts(one, n), Counts(two, m)) == pytest.approx(float(wanted), rel=1e-9)


def test_z_is_the_pooled_difference():
    """20 of 100 against 10 of 100: 0.1 over sqrt(0.15 * 0.85 * 0.02)."""
    assert z_score(Counts(20, 100), Counts(10, 100)) == pytest.approx(1.9803, abs=1e-4)
    assert z_score(Counts(0, 100), Counts(0, 900)) == 0.0
    assert pytest.approx(2.3263, abs=1e-4) == Z


def test_the_bayes_factor_is_a_fair_bet():
    """Over all splits of 12 failures its mean is exactly 1, at any share."""
    for share in (0.01, 0.1, 0.5):
        mean = sum(
            comb(12, k)
            * share**k
            * (1 - share) ** (12 - k)
            * exp(log_bayes_factor(k, 12 - k, share))
            for k in range(13)
        )
        assert mean == pytest.approx(1.0)


def test_the_bayes_factor_has_its_closed_form():
    """Seven failures, all the canary's, at half the traffic: 2^7 / 8."""
    assert log_bayes_factor(7, 0, 0.5) == pytest.approx(log(2**7 / 8))


def said_by(rule, seconds, canary, baseline):
    """What the rule says as seconds go by in which so many of ten fail."""
    record = Record(share=0.5)
    for _ in range(seconds):
        record.t += 1
        record.canary.add(Counts(canary, 10))
        record.baseline.add(Counts(baseline, 10))
        if record.t % rule.every == 0 and (said := rule.look(record)):
            return said
    return None


@pytest.mark.parametrize(
    ("rule", "at"),
    [(z_each_second, 6), (fisher_each_second, 7), (fisher_at_ten_looks, 60), (Multinomial, 11)],
)
def test_each_finds_the_worse_canary_and_no_better_one(rule, at):
    """A tenth of requests failing is BAD as soon as each rule's formula says so; sparing never."""
    assert said_by(rule(), 300, canary=0, baseline=1) is None
    assert said_by(rule(), 300, canary=1, baseline=0) == Said(Answer.BAD, at)


def test_ten_looks_are_ten_looks():
    """Three minutes in, which is none of them, nothing is asked."""
    record = Record(
        t=180, canary=Stream(1, [0, 180], [0, 900]), baseline=Stream(1, [0, 0], [0, 900])
    )
    assert fisher_at_ten_looks().look(record) is None


def test_a_change_of_share_begins_a_new_factor():
    """Evidence of earlier shares is kept and multiplied, not judged by the new share."""
    rule, record = Multinomial(), Record(share=0.5)
    for second in range(1, 21):
        record.t, record.share = second, 0.5 if second <= 10 else 0.1
        record.canary.add(Counts(int(second <= 2), 10))
        record.baseline.add(Counts(int(second > 10), 10))
        rule.look(record)
    assert rule.kept == pytest.approx(log_bayes_factor(2, 0, 0.5))
    assert rule.seen == (0, 10)
