"""Gauges by blocks: the direction is found, and what hangs together is not taken for many facts."""

import random
from math import sqrt

import pytest

from surefoot.analysis.gauges import GaugeTest
from surefoot.analysis.judge import Judge
from surefoot.analysis.plan import JudgePlan, MetricPlan
from surefoot.analysis.ticks import Arm, GaugeTick, ShareRow
from surefoot.domain.verdict import Word


def test_signs_of_a_fair_coin_prove_nothing():
    """Blocks that go either way leave the evidence of both directions small."""
    test = GaugeTest()
    for t in range(3600):
        up = (t // 60) % 2
        test.step(t, [up], [1 - up])
    assert max(test.value(higher=True), test.value(higher=False)) < 1


def test_nine_blocks_of_one_sign_are_needed():
    """A canary that is always lower is proven so by its ninth minute."""
    test, reached = GaugeTest(), None
    for t in range(1200):
        test.step(t, [80 + t % 7], [100 + t % 5])
        if reached is None and test.value(higher=False) >= 100:
            reached = test.blocks
    assert reached == 9
    assert test.value(higher=True) < 0.01
    assert test.means == pytest.approx((83, 102), abs=0.1)


def autoregression(seed, alike, ticks):
    """Two independent series of standard normals whose neighbours are correlated by `alike`."""
    dice = random.Random(seed)
    fresh = sqrt(1 - alike**2)
    canary, baseline = dice.gauss(0, 1), dice.gauss(0, 1)
    for _ in range(ticks):
        canary = alike * canary + fresh * dice.gauss(0, 1)
        baseline = alike * baseline + fresh * dice.gauss(0, 1)
        yield canary, baseline


def reached(seed, alike, ticks, step, shift=0.0):
    """Whether either direction ever reaches 100."""
    test = GaugeTest()
    for number, (canary, baseline) in enumerate(autoregression(seed, alike, ticks)):
        test.step(number * step, [canary + shift], [baseline])
        if max(test.value(higher=True), test.value(higher=False)) >= 100:
            return True
    return False


@pytest.mark.parametrize(("alike", "step"), [(0.0, 60), (0.8, 60), (0.95, 60), (0.99, 1)])
def test_samples_that_hang_together_are_not_taken_for_independent_ones(alike, step):
    """Over 240 samples of alike arms at most 1 % of each direction, and 2 standard errors, cross.

    Blocks of a minute, without a look at how samples hang together, cross in 38 % and more at 0.8.
    """
    runs, ticks = (400, 240) if step == 60 else (100, 3600)
    false = sum(reached(f"{alike}/{seed}", alike, ticks, step) for seed in range(runs))
    assert false <= runs * (0.02 + 2 * sqrt(0.02 * 0.98 / runs))


def test_a_plain_shift_is_found_in_an_hour():
    """Two standard deviations of white noise, sampled each minute, are seen in most hours."""
    found = sum(reached(seed, 0.0, 61, 60, shift=2.0) for seed in range(40))
    assert found >= 36


def judged(worse, levels=(1.2e8, 0.9e8), minutes=20):
    """The reading of a gauge that both arms give once in ten seconds, with some noise."""
    dice = random.Random(4)
    judge = Judge(JudgePlan(metrics=(MetricPlan("memory", "gauge", worse=worse),), interval=10.0))
    judge.feed(ShareRow(0, 0.1))
    for t in range(10, minutes * 60, 10):
        for arm, level in zip(Arm, levels, strict=True):
            for instance in "ab":
                value = level + dice.gauss(0, 1e6)
                judge.feed(GaugeTick(float(t), "memory", instance, arm, value))
    judge.close_tick()
    return judge.reading


def test_a_gauge_advises_in_its_direction_and_ends_nothing():
    """Its own reading says worse with both means; the rollout's word does not."""
    reading = judged("higher")
    (memory,) = reading.metrics
    assert memory.word is Word.WORSE
    assert memory.level.canary == pytest.approx(1.2e8, rel=0.01)
    assert memory.level.baseline == pytest.approx(0.9e8, rel=0.01)
    assert memory.level.higher >= 100
    assert memory.level.lower < 1
    assert reading.word is not Word.WORSE
    assert reading.evidence < 2


def test_what_is_worse_when_lower_may_rise():
    """More of what is good is no harm."""
    (memory,) = judged("lower").metrics
    assert memory.word is Word.WATCHING
    assert memory.harm < 1
