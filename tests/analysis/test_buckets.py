"""Buckets that cannot show what they should: refused where they differ, and said where coarse."""

import json
from math import inf

import pytest

from surefoot.analysis.judge import Judge
from surefoot.analysis.latency import Crowd, crowd
from surefoot.analysis.record import judge_lines, plan_to_json
from surefoot.analysis.ticks import Arm, LatencyTick, ShareRow
from surefoot.domain.errors import BadEvidence
from surefoot.domain.verdict import Word

FINE = {
    0.05: 40,
    0.06: 60,
    0.075: 80,
    0.1: 90,
    0.13: 95,
    0.18: 98,
    0.25: 99,
    0.33: 100,
    0.45: 100,
    inf: 100,
}
COARSE = {0.05: 40, 0.5: 90, 5.0: 99, inf: 100}
CROWDED = {0.05: 5, 0.1: 95, 0.11: 96, 0.2: 98, 0.22: 99, inf: 100}


def lines(canary, baseline=None, seconds=120):
    """Both arms' answers in these buckets, second by second."""
    told = ['{"t": 0, "share": 0.5}']
    for t in range(1, seconds + 1):
        for arm, le in (("canary", canary), ("baseline", baseline or canary)):
            counts = {"+Inf" if bound == inf else f"{bound:g}": n for bound, n in le.items()}
            row = {"t": t, "metric": "latency", "kind": "latency", "arm": arm, "le": counts}
            told.append(json.dumps(row))
    return told


def test_buckets_that_differ_between_the_arms_are_refused_by_line():
    """The bounds that only one has are named, and nothing is judged."""
    other = {0.05: 40, 0.07: 70, inf: 100}
    with pytest.raises(BadEvidence, match=r"60 lines") as refused:
        judge_lines(lines(other, {0.05: 40, 0.06: 70, inf: 100}, seconds=60))
    first = refused.value.message.splitlines()[1]
    assert first.startswith("Line 3: the buckets of 'latency' differ.")
    assert "the canary in line 2 has the bounds 0.06, 0.07" in first
    assert "same buckets" in first


def test_live_buckets_that_differ_are_said_and_never_verified():
    """A release that changed its buckets cannot be compared: the reading warns, and waits."""
    plan = judge_lines(lines(FINE)).plan
    judge = Judge(plan)
    judge.feed(ShareRow(0, 0.5))
    canary = {0.05: 40, 0.07: 60, inf: 100}
    for t in range(1, 200):
        judge.feed(LatencyTick(t, "latency", Arm.CANARY, canary))
        judge.feed(LatencyTick(t, "latency", Arm.BASELINE, FINE))
    judge.close_tick()
    reading = judge.reading
    assert reading.word is Word.WATCHING
    (warning,) = reading.warnings
    assert warning.startswith("latency: the buckets of the two releases differ (only one has 0.06")
    assert "Give both the same" in warning


def test_evidence_that_was_judged_live_is_judged_again_with_such_buckets():
    """Where the plan fixes the bounds, the record is what a daemon kept: it says the same again."""
    plan = plan_to_json(judge_lines(lines(FINE)).plan)
    result = judge_lines([plan, *lines({0.05: 40, 0.07: 60, inf: 100}, FINE)])
    assert result.reading.word is Word.WATCHING
    assert "the buckets of the two releases differ" in result.reading.warnings[0]


def test_coarse_buckets_are_said_aloud():
    """Where no bound lies a little above a judged one, a smaller shift is not seen."""
    coarse = judge_lines(lines(COARSE)).reading
    assert any("coarse buckets" in warning and "0.5" in warning for warning in coarse.warnings)
    assert judge_lines(lines(FINE)).reading.warnings == ()


def test_a_bucket_that_holds_most_answers_is_said_aloud():
    """What moves within it is not seen, and the plan that is kept says so again."""
    result = judge_lines(lines(CROWDED))
    (warning,) = (one for one in result.reading.warnings if "one bucket" in one)
    assert warning.startswith("latency: 90 % of the answers fall into one bucket, from 0.05 to 0.1")
    again = judge_lines([plan_to_json(result.plan), *lines(CROWDED)])
    assert warning in again.reading.warnings


@pytest.mark.parametrize(
    ("slower", "found"),
    [
        ({0.1: 0.1}, Crowd(0.0, 0.1, 0.9)),
        ({0.1: 0.9}, Crowd(0.1, inf, 0.9)),
        ({0.1: 0.5, 0.2: 0.3, 0.4: 0.0}, None),
        ({}, Crowd(0.0, inf, 1.0)),
    ],
)
def test_the_crowded_bucket_is_found_wherever_it_lies(slower, found):
    """The first, the last, and none; over four fifths."""
    assert crowd(slower) == found


def test_a_plan_keeps_a_crowd_without_end():
    """A bucket without an upper bound is null in the file."""
    told = {"plan": {"metrics": {"latency": {"crowd": {"low": 5, "high": None, "part": 0.9}}}}}
    plan = judge_lines([json.dumps(told), *lines(FINE, seconds=5)]).plan
    assert plan.metrics[0].crowd == Crowd(5.0, inf, 0.9)
