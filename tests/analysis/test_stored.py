"""A judge that was stored and resumed says what one says that never stopped, in constant space."""

import pickle
import random
from dataclasses import replace

import pytest
from analysis_streams import LATENCY, Service, plan_of, rows_of
from hypothesis import given
from hypothesis import strategies as st

from surefoot.analysis.expect import Expectation
from surefoot.analysis.judge import Judge
from surefoot.analysis.plan import JudgePlan, MetricPlan
from surefoot.analysis.ticks import Arm, GaugeTick

OPEN = JudgePlan(
    metrics=(
        MetricPlan("errors", "ratio", group="errors"),
        LATENCY,
        MetricPlan("good", "ratio", worse="lower"),
        MetricPlan("memory", "gauge"),
    ),
    expect=(Expectation.parse("memory falls by 10%"), Expectation.parse("errors falls by 5%")),
    interval=1.0,
)


def stream(seconds, seed):
    """Rows of errors, latency and a gauge, at a tenth of the requests."""
    dice = random.Random(seed)
    rows = rows_of(Service(rps=60, base=0.02, latency=True), dice, seconds)
    for t in range(1, seconds + 1, 5):
        rows += [GaugeTick(t, "memory", "a", arm, dice.gauss(9, 1)) for arm in Arm]
    return sorted(rows, key=lambda row: row.t)


def settled(seed):
    """A plan that was fixed before exposure."""
    return plan_of(Service(rps=60, base=0.02, latency=True), random.Random(seed))


@given(st.integers(0, 5), st.lists(st.integers(1, 900), max_size=4), st.booleans())
def test_a_stop_changes_nothing(seed, stops, fixed):
    """Wherever it is stored and resumed, in the middle of a tick too, the reading is the same."""
    rows = stream(90, seed)
    plan = settled(seed) if fixed else OPEN
    judge, other = Judge(plan), Judge(plan)
    for number, row in enumerate(rows):
        judge.feed(row)
        if number in stops:
            other = pickle.loads(pickle.dumps(other))
        other.feed(row)
    judge.close_tick()
    other.close_tick()
    assert other.reading == judge.reading
    assert other.standing == judge.standing
    assert other.ratios == judge.ratios


@pytest.mark.parametrize("plan", [settled(1), OPEN], ids=["fixed before", "open"])
def test_its_state_is_small_and_does_not_grow(plan):
    """After two hours it takes what it took after ten minutes, a few kilobytes for a metric."""
    judge = Judge(plan)
    sizes = []
    rows = stream(600, 3)
    for turn in range(12):
        for row in rows:
            judge.feed(replace(row, t=row.t + 600 * turn))
        sizes.append(len(pickle.dumps(judge)))
    assert sizes[-1] <= sizes[0] * 1.1
    assert sizes[-1] <= 8192 * len(plan.metrics)
