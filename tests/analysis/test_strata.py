"""Strata: each part of a metric's events is compared with its like alone."""

import json
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from surefoot.analysis.record import judge_lines
from surefoot.domain.errors import BadEvidence
from surefoot.domain.verdict import Word

# Of each route: requests a second of canary and baseline, and the part that fails on both.
MIX = {"/search": (40, 60, 0.02), "/export": (60, 40, 0.1)}


def lines(harm=None, seconds=300, *, stratified=True):
    """Two routes whose mix differs between the arms; on one of them the canary may do harm."""
    dice = random.Random(7)
    told = ['{"plan": {"metrics": {"errors": {"phi": 1}}}}', '{"t": 0, "share": 0.5}']
    for t in range(1, seconds + 1):
        for route, (canary, baseline, p) in MIX.items():
            for arm, n in (("canary", canary), ("baseline", baseline)):
                rate = 3 * p if arm == "canary" and route == harm else p
                bad = sum(dice.random() < rate for _ in range(n))
                row = {"t": t, "metric": "errors", "kind": "ratio", "arm": arm}
                row |= {"bad": bad, "all": n} | ({"stratum": route} if stratified else {})
                told.append(json.dumps(row))
    return told


def test_a_shift_of_the_mix_is_no_harm():
    """The canary gets more of the route that fails more; with strata that counts for nothing."""
    assert judge_lines(lines(stratified=False)).reading.word is Word.WORSE
    reading = judge_lines(lines()).reading
    assert reading.word is not Word.WORSE
    assert reading.evidence < 1


@pytest.mark.parametrize("route", MIX)
def test_harm_on_one_route_is_found(route):
    """Three times the errors of one route are seen, whatever the other does."""
    reading = judge_lines(lines(harm=route)).reading
    assert (reading.word, reading.metric) == (Word.WORSE, "errors")


def test_counts_are_those_of_all_strata():
    """What people read is the whole metric."""
    (errors,) = judge_lines(lines(seconds=20)).reading.metrics
    assert (errors.canary_all, errors.baseline_all) == (2000, 2000)


@given(st.randoms(use_true_random=False))
def test_the_order_of_lines_does_not_matter(dice):
    """Rows of one moment may come in any order."""
    told = lines(seconds=30)
    mixed = told[2:]
    dice.shuffle(mixed)
    mixed.sort(key=lambda line: json.loads(line)["t"])
    assert judge_lines([*told[:2], *mixed]).as_json() == judge_lines(told).as_json()


def test_strata_beyond_the_twentieth_are_one():
    """The plan's strata, or the first twenty of the rows, are kept apart."""
    row = {"metric": "errors", "kind": "ratio", "arm": "canary", "bad": 0, "all": 9}
    many = [json.dumps({"t": t, **row, "stratum": f"/{t}"}) for t in range(30)]
    (errors,) = judge_lines(many).plan.metrics
    assert set(errors.strata) == {f"/{t}" for t in range(20)}
    plan = {"plan": {"metrics": {"errors": {"strata": ["/7", "/8"]}}}}
    (errors,) = judge_lines([json.dumps(plan), *many]).plan.metrics
    assert errors.strata == ("/7", "/8")


@pytest.mark.parametrize("strata", [["/a", "/a"], ["/a", 3], [f"/{n}" for n in range(21)]])
def test_strata_are_at_most_twenty_names(strata):
    """Others are refused by the place and the cure."""
    with pytest.raises(BadEvidence, match="strata") as refused:
        judge_lines([json.dumps({"plan": {"metrics": {"errors": {"strata": strata}}}})])
    assert "20" in refused.value.cure
