"""The port of PipeCD's analysis, against cases of its own tests."""

from math import isnan, nan
from statistics import NormalDist

import pytest
from rivals.pipecd import (
    Deviation,
    canary_baseline,
    compare,
    p_value,
    points,
    previous,
    threshold,
    within,
)
from rivals.rule import Answer, Counts, Record, Said

LOW, EITHER, HIGH = Deviation.LOW, Deviation.EITHER, Deviation.HIGH
PLAIN = [2, 1, 3, 5]
LONG = [2 * i for i in range(500)]
SHIFTED = [2 * i - 41 for i in range(600)]


@pytest.mark.parametrize(
    ("first", "second", "less", "differing", "greater"),
    [
        (PLAIN, [12, 11, 13, 15], 0.014285714285714289, 0.028571428571428577, 1),
        ([12, 11, 13, 15], PLAIN, 1, 0.028571428571428577, 0.014285714285714289),
        (PLAIN, [0, 4, 6, 7], 0.24285714285714288, 0.48571428571428577, 0.8285714285714285),
        (PLAIN, PLAIN, 0.6285714285714286, 1, 0.6285714285714286),
        (PLAIN, [2, 2, 2, 2], 0.8571428571428571, 0.7142857142857143, 0.3571428571428571),
        (PLAIN, [1, 1, 1, 1, 1], 1, 0, 0.04761904761904767),
        (LONG, SHIFTED, 0.0024667680407086112, 0.0049335360814172224, 0.9975346930458906),
        (LONG, LONG, 0.5000436801680628, 1, 0.5000436801680628),
        (
            LONG,
            LONG[:30] + SHIFTED[30:],
            0.0019351907119808942,
            0.0038703814239617884,
            0.9980659818257166,
        ),
    ],
)
def test_p_values_are_those_of_its_tests(first, second, less, differing, greater):
    """mannwhitney_test.go: exact without and with ties, and normal for long samples."""
    found = [p_value(first, second, deviation) for deviation in (LOW, EITHER, HIGH)]
    assert found == pytest.approx([less, differing, greater], abs=1e-9)


def test_equal_values_have_no_p_value():
    """mannwhitney_test.go, ErrSamplesEqual; a look then accepts."""
    assert isnan(p_value([2, 2, 2, 2], [2, 2, 2, 2], EITHER))
    assert compare([0.0] * 6, [0.0] * 6)


@pytest.mark.parametrize(
    ("experiment", "control", "deviation", "accepted"),
    [
        ([], [0.1, 0.2, 0.3, 0.4, 0.5], EITHER, False),
        ([0.1, 0.2, 0.3, 0.4, 0.5], [0.1, 0.2, 0.3, 0.4, 0.5], EITHER, True),
        ([10.1, 10.2, 10.3, 10.4, 10.5], [0.1, 0.2, 0.3, 0.4, 0.5], LOW, True),
        ([0.1, 0.2, 0.3, 0.4, 0.5], [10.1, 10.2, 10.3, 10.4, 10.5], HIGH, True),
        ([10.1, 10.2, 10.3, 10.4, 10.5], [0.1, 0.2, 0.3, 0.4, 0.5], HIGH, False),
        ([0.1, 0.2, 0.3, 0.4, 0.5], [10.1, 10.2, 10.3, 10.4, 10.5], LOW, False),
        ([0.1, 0.2, 5.3, 0.2, 0.5], [0.1, 0.1, 0.1, 0.1, 0.1], EITHER, False),
        ([], [], EITHER, True),
        ([nan, 0.1], [0.1, 0.2], EITHER, False),
    ],
)
def test_series_are_compared_as_in_its_tests(experiment, control, deviation, accepted):
    """metrics_analyzer_test.go, Test_metricsAnalyzer_compare; NaN is an error, so a failure."""
    assert compare(experiment, control, deviation) is accepted


def test_one_point_out_of_range_fails():
    """metrics_analyzer_test.go, Test_metricsAnalyzer_analyzeWithThreshold."""
    assert not within([0.9, 1.1, 0.8], most=1)
    assert within([0.9, 0.9, 0.8], most=1)
    assert within([], most=1)
    assert not within([nan], most=1)


def traffic(seconds, canary, baseline, earlier):
    """Failures in each second of 100 requests, but for every third minute, which has one more."""
    record = Record(t=seconds, share=0.5)
    for second in range(seconds):
        more = second // 60 % 3 == 0
        record.canary.add(Counts(canary + more, 100))
        record.baseline.add(Counts(baseline + more, 100))
        if second % 60 == 59:
            record.previous.add(Counts(60 * earlier, 6000))
    return record


def test_a_look_sees_overlapping_windows_at_each_minute():
    """Five values in the first look, six later, each over up to five minutes."""
    record = traffic(600, canary=1, baseline=1, earlier=1)
    assert len(points(record.canary, 300)) == 5
    assert points(record.canary, 600)[-1] == pytest.approx(0.01 + 2 / 500)
    assert len(points(record.canary, 600)) == 6


def test_each_strategy_asks_its_own_question():
    """A threshold looks at the canary alone, the others at what they compare it with."""
    harmed = traffic(300, canary=4, baseline=1, earlier=4)
    assert threshold().look(harmed) == Said(Answer.BAD, 300)
    assert canary_baseline().look(harmed) == Said(Answer.BAD, 300)
    assert canary_baseline().look(traffic(300, canary=4, baseline=4, earlier=1)) is None
    assert previous().look(traffic(300, canary=4, baseline=4, earlier=1)) == Said(Answer.BAD, 300)
    assert threshold().look(traffic(1800, canary=0, baseline=0, earlier=0)) == Said(
        Answer.GOOD, 1800
    )


def test_the_normal_approximation_is_used_for_long_tied_series():
    """With ties and 26 values a side, p agrees with z by hand to four places."""
    first, second = [0, 1] * 13, [0] * 26
    # U = 13 * 26 + 13 * 13 = 507, mean 338, sigma^2 = 676/12 * (53 - (39^3 - 39 + 13^3 - 13)/2652)
    sigma = (676 / 12 * (53 - (39**3 - 39 + 13**3 - 13) / (52 * 51))) ** 0.5
    wanted = 1 - NormalDist().cdf((507 - 338 - 0.5) / sigma)
    assert p_value(first, second, HIGH) == pytest.approx(wanted, rel=1e-9)
