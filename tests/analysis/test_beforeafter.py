"""Before and after, without a control: how unusual a difference is among those of the past."""

import random

import pytest
from analysis_streams import count

from surefoot.analysis.beforeafter import before_after, in_words
from surefoot.analysis.history import History
from surefoot.analysis.ticks import Arm, RatioTick


def past(seed, after=0.01, wander=1.0, seconds=3600, live=3000):
    """An hour of 100 requests/s at 1 % errors, and another rate from `live` on.

    `wander`: the rate of each ten minutes is that many times up or down.
    """
    dice, history = random.Random(seed), History()
    rate = 0.01
    for t in range(0, seconds, 10):
        if t % 600 == 0:
            rate = 0.01 * wander ** dice.choice((-1, 1))
        p = after if t >= live else rate
        history.feed(RatioTick(t, "errors", Arm.BASELINE, count(dice, 1000, p), 1000))
    return history


def rank(found):
    """How often chance alone would rank it so high."""
    return (1 + found.as_much) / (1 + found.placebos)


def test_a_plain_rise_ranks_first():
    """Three times the errors since the change: none of the stretches before rose as much."""
    found = before_after(past(1, after=0.03), "errors", (2880, 3000), 3600)
    assert found.after == pytest.approx(0.03, rel=0.1)
    assert found.before == pytest.approx(0.01, rel=0.15)
    assert (found.seconds, found.as_much) == (300, 0)
    assert found.placebos >= 10
    assert rank(found) == 1 / (1 + found.placebos)


def test_ranks_are_those_of_chance_when_nothing_changed():
    """At most a tenth of harmless changes, and 2 standard errors, rank among the first tenth."""
    runs, first = 200, 0
    for seed in range(runs):
        first += rank(before_after(past(seed), "errors", (2880, 3000), 3600)) <= 0.1
    assert first <= runs * (0.1 + 2 * (0.1 * 0.9 / runs) ** 0.5)


class Counting(History):
    """A history that counts how often it is asked."""

    asked = 0

    def counts(self, metric, start, end):
        self.asked += 1
        return super().counts(metric, start, end)


def test_a_month_of_uptime_is_asked_no_more_than_what_is_remembered():
    """The hour that is kept is gone through, not the time since the daemon started."""
    dice, history, month = random.Random(1), Counting(), 30 * 86_400
    for t in range(month - 3600, month, 10):
        history.feed(RatioTick(t, "errors", Arm.BASELINE, count(dice, 1000, 0.01), 1000))
    found = before_after(history, "errors", (month - 720, month - 600), month)
    assert found.placebos >= 10
    assert history.asked < 100


def test_what_came_with_the_change_before_is_no_placebo():
    """Only stretches in which nothing took over are compared with: those of the same release."""
    dice, history = random.Random(1), History()
    for t in range(0, 3600, 10):
        p = 0.005 if t < 1500 else 0.02 if t < 3000 else 0.04
        history.feed(RatioTick(t, "errors", Arm.BASELINE, count(dice, 1000, p), 1000))
    change = (2990, 3000)
    assert before_after(history, "errors", change, 3100).as_much >= 1
    found = before_after(history, "errors", change, 3100, since=1500)
    assert found.as_much == 0
    assert found.placebos >= 10


def test_a_service_that_wanders_by_itself_is_not_called_worse():
    """Where the past rose as much now and then, a rise by half is nothing unusual."""
    ranks = [
        rank(before_after(past(seed, after=0.015, wander=2.0), "errors", (2880, 3000), 3600))
        for seed in range(20)
    ]
    assert sum(one > 0.05 for one in ranks) >= 15


def test_less_of_what_is_good_is_the_rise_that_counts():
    """For a metric whose lower values are worse the direction is turned."""
    found = before_after(past(1, after=0.003), "errors", (2880, 3000), 3600, worse="lower")
    assert found.as_much == 0
    assert before_after(past(1, after=0.003), "errors", (2880, 3000), 3600).as_much > 10


@pytest.mark.parametrize(
    ("change", "now"), [((2880, 3000), 3050), ((300, 400), 700), ((0, 100), 3600)]
)
def test_too_little_is_not_ranked(change, now):
    """Less than a minute since, or hardly any past, gives no answer."""
    assert before_after(past(1), "errors", change, now) is None


def test_it_is_always_called_the_weaker_grade():
    """The sentence says what it is, with both rates and the count."""
    found = before_after(past(1, after=0.03), "errors", (2880, 3000), 3600)
    said = in_words([found])
    assert said.startswith("Before and after, the weaker grade: errors 2.9 % (before")
    assert f"of {found.placebos} such stretches without a change 0 rose as much" in said
    assert in_words([]) == ""
