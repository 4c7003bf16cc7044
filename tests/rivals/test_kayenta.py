"""The port of Kayenta's judge, against cases of its own suites."""

import random
from math import isnan, nan
from statistics import NormalDist

import pytest
from rivals.kayenta import (
    Judged,
    Label,
    Metric,
    cles,
    every_five_minutes,
    judge_metric,
    mean_ratio,
    once,
    outliers,
    percentile,
    score,
    transform,
)
from rivals.kayenta_interval import AllTiedError, find_root, shift_between, standardized
from rivals.rule import Answer, Counts, Record, Said

TIGHT = {"tolerance": 0.1, "confidence": 0.95}  # what Kayenta's own suite judges with
HIGH = [20.0, 22.0, 21.0, 25.0, 30.0]
LOW = [1.0, 2.2, 1.1, 2.5, 3.0]


def test_the_interval_is_that_of_its_suite():
    """Four values against four: 6 to 39, estimated 22.5 (MannWhitneySuite)."""
    shift = shift_between([10, 20, 30, 40], [1, 2, 3, 4], 0.95)
    assert shift.low == pytest.approx(6.0, abs=1e-6)
    assert shift.high == pytest.approx(39.0, abs=1e-6)
    assert shift.estimate == pytest.approx(22.5, abs=1e-6)


def test_the_quantile_is_that_of_its_suite():
    """At confidence 0.98 the quantile is -2.326348 (MannWhitneySuite)."""
    assert NormalDist().inv_cdf(0.01) == pytest.approx(-2.326348, abs=1e-6)


def test_the_standardized_rank_sum_corrects_for_ties_and_continuity():
    """By hand: U is 14 of 16 pairs; three pairs of ties take 18/56 from the variance's 9."""
    sigma = (16 / 12 * (9 - 18 / 56)) ** 0.5
    z = standardized(0, [1.1, 2.2, 3.3, 3.3], [1.1, 0.5, 0.7, 2.2])
    assert z == pytest.approx((14 - 8 - 0.5) / sigma)


def test_a_root_is_found_only_to_an_absolute_tolerance():
    """The answer may be off by 1e-4 whatever the unit, and no more."""
    root = find_root(lambda x: x - 0.123456, (-1.0, -1.123456), (1.0, 0.876544))
    assert root == pytest.approx(0.123456, abs=1e-4)
    staircase = find_root(lambda x: 1.0 if x < 3e-5 else -1.0, (-1.0, 1.0), (1.0, -1.0))
    assert staircase != pytest.approx(3e-5, abs=1e-9)
    assert staircase == pytest.approx(3e-5, abs=1e-4)


def test_nothing_is_said_of_values_that_are_all_equal():
    """Without spread there is no interval, and the classifier never asks for one."""
    with pytest.raises(AllTiedError):
        standardized(0, [1.0, 1.0], [1.0])
    assert judge_metric(Metric(**TIGHT), [1.0] * 3, [1.0] * 2).label is Label.PASS


@pytest.mark.parametrize(
    ("settings", "label", "critical"),
    [
        ({"critical": True, "critical_at": (1.0, 1.2)}, Label.HIGH, True),
        ({"critical": True}, Label.HIGH, True),
        (
            {"critical": True, "allowed": (1.0, 5.0), "critical_at": (1.0, 13.0)},
            Label.HIGH,
            False,
        ),
        (
            {"critical": True, "allowed": (1.0, 13.0), "critical_at": (1.0, 15.0)},
            Label.PASS,
            False,
        ),
        ({"direction": "increase"}, Label.HIGH, False),
        ({"direction": "decrease"}, Label.PASS, False),
        ({"measure": "cles", "allowed": (0.2, 0.8)}, Label.HIGH, False),
    ],
)
def test_a_higher_metric_is_labelled_as_in_its_suite(settings, label, critical):
    """ClassifierSuite, "Critical Effect Size" and the directional tests."""
    judged = judge_metric(Metric(**TIGHT, **settings), HIGH, LOW)
    assert (judged.label, judged.critical) == (label, critical)


def test_a_lower_metric_can_be_critical():
    """ClassifierSuite, "Critical Effect Size: Critical Low"."""
    metric = Metric(**TIGHT, critical=True, critical_at=(1.2, 1.0))
    judged = judge_metric(metric, [2.0, 2.0, 2.0, 2.0, 3.0], [10.0, 20.2, 10.1, 20.5, 30.0])
    assert judged.label is Label.LOW
    assert judged.critical


@pytest.mark.parametrize(
    ("experiment", "control", "label"),
    [
        ([10.0] * 5, [1.0] * 5, Label.HIGH),
        ([10.0] * 5, [0.0] * 5, Label.HIGH),
        ([54.9, 54.5, 55.1, 55.6, 57.4], [0.0] * 5, Label.HIGH),
        ([0.0] * 5, [54.9, 54.5, 55.1, 55.6, 57.4], Label.LOW),
        ([0.0] * 5, [0.0] * 5, Label.PASS),
        ([1.0, 2.0, 3.0, 4.0, 5.0], [5.0, 4.0, 3.0, 2.0, 1.0], Label.PASS),
        ([0.0, 1.0, 1.0, 1.0, 1.0], [1.0] * 5, Label.PASS),
    ],
)
def test_ties_and_zeros_are_labelled_as_in_its_suite(experiment, control, label):
    """ClassifierSuite, "Tied Ranks", "Zero Mean", "Identical Populations"."""
    judged = judge_metric(Metric(**TIGHT), experiment, control, random.Random(1))
    assert judged.label is label


@pytest.mark.parametrize(
    ("settings", "judged"),
    [
        ({}, Judged(Label.NODATA)),
        ({"critical": True}, Judged(Label.NODATA, critical=True)),
        ({"replace_nan": True}, Judged(Label.PASS)),
        ({"must_have_data": True}, Judged(Label.NODATA_FAIL)),
    ],
)
def test_missing_data_is_labelled_as_in_its_suite(settings, judged):
    """ClassifierSuite, "Missing Experiment Data"; only a NaN strategy of zeros lets it pass."""
    assert judge_metric(Metric(**settings), [], [1.0, 2.0, 3.0, 4.0, 5.0]) == judged


def test_values_that_are_no_number_are_removed_or_zero():
    """TransformSuite."""
    assert transform([0.0, 1.0, nan, 1.0, 0.0], Metric()) == [0.0, 1.0, 1.0, 0.0]
    assert transform([nan, nan, nan], Metric()) == []
    assert transform([nan, 10.1, nan], Metric(replace_nan=True)) == [0.0, 10.1, 0.0]


def test_outliers_lie_beyond_the_quartiles():
    """DetectorSuite, plain; the judge's own fences are no narrower than the percentiles."""
    values = [21.0, 23.0, 24.0, 25.0, 50.0, 29.0, 23.0, 21.0]
    assert outliers(values, 1.5, calm=False) == [value == 50.0 for value in values]
    both = [1.0, 1.0, 1.0, 5.0, -1.0, -1.0, -1.0, -5.0]
    assert outliers(both, 1.5, calm=False) == [abs(value) == 5.0 for value in both]
    assert outliers([], 1.5) == []
    assert transform([*[1.0, 2.0] * 100, 90.0], Metric(outlier_factor=3.0)) == [1.0, 2.0] * 100


def test_percentiles_are_interpolated():
    """StatisticSuite."""
    values = [0.0, 0.5, 1.0, 1.5, 2.0, 2.5, 3.0, 3.5]
    assert [percentile(values, p) for p in (5, 50, 100)] == pytest.approx([0.175, 1.75, 3.5])


def test_effects_are_those_of_its_suite():
    """StatisticSuite: the ratio of means, none with a zero, and the common language effect."""
    assert mean_ratio([1.0] * 5, [10.0] * 5) == 10.0
    assert mean_ratio([100.0] * 5, [10.0] * 5) == 0.1
    assert isnan(mean_ratio([0.0] * 5, [10.0] * 5))
    assert cles([1, 2, 3, 4, 5], [1, 2, 3, 4, 5]) == 0.5
    assert cles([25.0, 26.0], [2.0, 3.0]) == 0.0


PASS, FAIL, LESS = Judged(Label.PASS), Judged(Label.HIGH), Judged(Label.LOW)
NODATA, CRITICAL = Judged(Label.NODATA), Judged(Label.HIGH, critical=True)


@pytest.mark.parametrize(
    ("results", "weights", "points"),
    [
        ([("g", PASS)], None, 100.0),
        ([("g", FAIL)], None, 0.0),
        ([("g", NODATA)], None, 0.0),
        ([("a", PASS), ("a", PASS), ("b", NODATA)], None, 100.0),
        ([("g", PASS), ("g", FAIL)], None, 50.0),
        ([("g", PASS), ("g", FAIL), ("g", LESS)], None, 33.33),
        ([("a", PASS), ("a", PASS), ("b", FAIL)], {"a": 75.0, "b": 25.0}, 75.0),
        ([("a", PASS), ("a", FAIL), ("b", FAIL)], {"a": 50.0, "b": 50.0}, 25.0),
        ([("a", PASS), ("a", NODATA), ("b", FAIL)], {"a": 50.0, "b": 50.0}, 50.0),
        ([("g", PASS), ("g", CRITICAL)], None, 0.0),
        ([("g", PASS), ("g", Judged(Label.NODATA, critical=True))], None, 0.0),
        (
            [("a", FAIL), ("a", LESS), ("a", PASS), ("b", FAIL)],
            {"a": 15.0, "b": 85.0},
            5.0,
        ),
    ],
)
def test_scores_are_those_of_its_suite(results, weights, points):
    """ScorerSuite."""
    assert score(results, weights) == points


def minutes(canary_bad, baseline_bad, count):
    record = Record()
    for minute in range(count):
        record.t += 60
        for stream, bad in ((record.canary, canary_bad), (record.baseline, baseline_bad)):
            for second in range(60):
                stream.add(Counts(bad + minute % 2 if second == 0 else 0, 10))
    return record


def test_the_rule_fails_a_canary_that_is_plainly_higher_and_passes_an_even_one():
    """After an hour of minutes; before its time it says nothing."""
    assert once().look(minutes(9, 1, 59)) is None
    assert once().look(minutes(9, 1, 60)) == Said(Answer.BAD, 3600)
    assert once().look(minutes(1, 1, 60)) == Said(Answer.GOOD, 3600)
    assert every_five_minutes().look(minutes(9, 1, 10)) == Said(Answer.BAD, 600)
