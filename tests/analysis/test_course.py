"""The course of a judgement: thinned to a fixed size, no crossing lost, told in sentences."""

from math import inf

import pytest

from surefoot.analysis.course import STRETCHES, Course
from surefoot.analysis.explain import explain
from surefoot.analysis.record import judge_lines, row_to_json
from surefoot.analysis.ticks import (
    Arm,
    Fact,
    FactRow,
    GapRow,
    GaugeTick,
    LatencyTick,
    RatioTick,
    ShareRow,
)


def course_of(seconds, canary_bad=0, *more):
    """A rollout at a tenth of 200 requests/s, and `more` rows at its end, with its course."""
    rows = [ShareRow(0, 0.1)]
    for t in range(1, seconds + 1):
        rows += [
            RatioTick(t, "errors", Arm.CANARY, canary_bad, 20),
            RatioTick(t, "errors", Arm.BASELINE, 2 * (t % 2), 180),
            LatencyTick(t, "latency", Arm.CANARY, {0.1: 15, 0.2: 19, inf: 20}),
            LatencyTick(t, "latency", Arm.BASELINE, {0.1: 135, 0.2: 171, inf: 180}),
            GaugeTick(t, "memory", "a", Arm.CANARY, t),
        ]
    course = Course()
    result = judge_lines([row_to_json(row) for row in [*rows, *more]], course)
    return result, course


@pytest.mark.parametrize("seconds", [1, 240, 241, 3_000])
def test_course_is_thinned_and_loses_no_count(seconds):
    """However long the record, at most 240 stretches are kept, and they sum to all of it."""
    _, course = course_of(seconds)
    stretches = course.stretches
    assert STRETCHES / 3 < len(stretches) <= STRETCHES or len(stretches) == seconds + 1
    canary = [stretch.ratios.get(("errors", Arm.CANARY), (0, 0)) for stretch in stretches]
    assert sum(everything for _, everything in canary) == 20 * seconds
    timed = [stretch.latencies.get(("latency", Arm.BASELINE)) for stretch in stretches]
    assert sum(one.within[0.2] for one in timed if one) == 171 * seconds
    gauged = [stretch.gauges.get(("memory", Arm.CANARY)) for stretch in stretches]
    assert sum(one.count for one in gauged if one) == seconds
    assert max(one.most for one in gauged if one) == seconds
    assert [one.start for one in stretches[1:]] == [one.end for one in stretches[:-1]]


def test_course_keeps_the_highest_evidence():
    """What thinning joins keeps its peak, so that the picture crosses where the judge did."""
    result, course = course_of(2_000, 4)
    assert max(one.evidence for one in course.stretches) == course.highest[0] >= 100
    assert course.reached[1.0] == result.reading.at == course.decided.at
    assert course.decided.evidence == result.reading.evidence
    assert sum(course.decided.against.values()) == pytest.approx(course.decided.evidence)


def test_harm_is_explained():
    """Worse: when, by how much evidence, by which metric, on which counts, at which shares."""
    result, course = course_of(30, 4)
    told = explain(result.reading, result.plan, course)
    whole = "\n".join(told)
    at, evidence = result.reading.at, result.reading.evidence
    assert f"Decided {at:.0f} s after first exposure" in told[0]
    assert f"came to {evidence:,.0f} of 100" in told[0]
    assert "at most 1 % of rollouts" in told[0]
    assert told[1].startswith("Of that evidence against it: errors ")
    assert f"100 at {at:.0f} s" in told[2]
    assert "120 of the canary's 600 (20 %) and 30 of the baseline's 5,400 (0.556 %)" in whole
    assert "Shares and facts on the way: 10 % at 0 s." in whole
    assert "phi 3 for errors (taken until learnt)" in whole


def test_proof_is_explained():
    """Verified: what was proven of each metric, at which margin, and when."""
    result, course = course_of(200)
    told = explain(result.reading, result.plan, course)
    assert "every required metric had at that moment the 20" in told[0]
    assert "never above 1 of 100" in told[1]
    for name in ("errors", "latency"):
        (line,) = (line for line in told if line.startswith(f"{name}: "))
        assert "first proven at " in line
        assert str(result.plan.metric(name).margin.points) in line
    assert "memory: read for what is expected of it alone." in told


def test_facts_and_gaps_are_explained():
    """A plain fact is said to need no statistics; unwatched time, to count for nothing."""
    dead = FactRow(9, Fact.DEAD)
    told = "\n".join(explained(course_of(5, 0, GapRow(9, 4), dead)))
    assert "by a plain fact, which needs no statistics" in told
    assert "dead at 9 s" in told
    assert "4 s were not watched" in told


def test_undecided_records_are_explained():
    """Too short, or never exposed: what is lacking is said in numbers."""
    short = "\n".join(explained(course_of(20)))
    assert "The record ends 20 s after first exposure" in short
    assert "still open" in short
    course = Course()
    result = judge_lines(['{"t": 0, "share": 0}'], course)
    assert "No user was exposed" in explain(result.reading, result.plan, course)[0]


def explained(both):
    result, course = both
    return explain(result.reading, result.plan, course)
