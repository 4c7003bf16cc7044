"""Raw samples made into ticks: exact counts, the same interval for both arms, nothing invented."""

from itertools import pairwise
from math import inf

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from surefoot.adapters.prometheus.client import Series
from surefoot.adapters.prometheus.scrapes import Scrapes
from surefoot.analysis.ticks import Arm, GapRow, LatencyTick, RatioTick
from surefoot.domain.errors import BadEvidence

ARMS = {Arm.CANARY: "b", Arm.BASELINE: "a"}


def series(arm, values, instance="1", **labels):
    """A series of one instance: (seconds, value) pairs."""
    told = {"job": "shop", "release": ARMS[arm], "instance": f"{arm}-{instance}", **labels}
    return Series(told, [(at, str(value)) for at, value in values])


def counting(arm, grown, *, start=1000.0, step=10.0, before=500, instance="1", **labels):
    """A counter scraped each `step` seconds, growing by `grown` from scrape to scrape."""
    values, total = [(start, before)], before
    for number, one in enumerate(grown, 1):
        total += one
        values.append((start + number * step, total))
    return series(arm, values, instance, **labels)


def ticks(answers, until=1e6, pages=None):
    """The rows of all answers, in one page or cut into pages at these times."""
    scrapes, rows, at = Scrapes(), [], 0.0
    for end in [*(pages or []), until]:
        page = {
            key: [
                Series(one.metric, [value for value in one.values if at < value[0] <= end])
                for one in found
            ]
            for key, found in answers.items()
        }
        scrapes.take(page)
        rows += scrapes.rows(end)
        at = end
    return rows, scrapes


def alls(rows, arm):
    return [row.all for row in rows if isinstance(row, RatioTick) and row.arm is arm]


def both(canary, baseline, bad_canary=(), bad_baseline=()):
    return {
        (Arm.CANARY, "all"): canary,
        (Arm.BASELINE, "all"): baseline,
        (Arm.CANARY, "bad"): list(bad_canary),
        (Arm.BASELINE, "bad"): list(bad_baseline),
    }


def test_counts_are_exact_and_side_by_side():
    """Instances scraped at different moments give one exact row an arm and interval."""
    canary = [counting(Arm.CANARY, [10, 20, 30], start=1003.2)]
    baseline = [
        counting(Arm.BASELINE, [100, 110, 120], start=1000.0),
        counting(Arm.BASELINE, [7, 8, 9], start=1008.9, instance="2"),
    ]
    rows, scrapes = ticks(both(canary, baseline), until=1041)
    assert scrapes.interval == 10
    assert alls(rows, Arm.CANARY) == [10, 20, 30]
    assert alls(rows, Arm.BASELINE) == [100, 117, 128]  # the second begins a cell later
    assert {row.bad for row in rows} == {0}
    times = sorted({row.t for row in rows})
    assert [later - one for one, later in pairwise(times)] == [10, 10]
    assert times[0] == 1016.05  # midway between the scrapes that lie furthest apart


def test_restart_counts_from_zero():
    """A counter that falls was reset: what it shows is what it counted since."""
    canary = [series(Arm.CANARY, [(1000, 500), (1010, 600), (1020, 40), (1030, 100)])]
    rows, scrapes = ticks(both(canary, [counting(Arm.BASELINE, [1] * 3)]), until=1040)
    assert alls(rows, Arm.CANARY) == [100, 40, 60]
    assert scrapes.seen.resets == 1


def test_histogram_is_reset_as_a_whole():
    """A bucket that overtook its own past was reset with the others."""
    grown = {
        "0.1": [(1000, 50), (1010, 60), (1020, 20)],
        "+Inf": [(1000, 50), (1010, 60), (1020, 90)],
    }
    answers = {
        (arm, "buckets"): [series(arm, values, le=le) for le, values in grown.items()]
        for arm in Arm
    }
    rows, _ = ticks(answers, until=1030)
    assert rows[0] == LatencyTick(rows[0].t, "latency", Arm.CANARY, {0.1: 10, inf: 10})
    assert rows[-1].le == {0.1: 20, inf: 90}


def test_missed_scrape_joins_the_intervals_of_both_arms():
    """What one instance lacks is waited for, so that no arm's tick covers more time."""
    full = counting(Arm.CANARY, [10] * 6)
    gappy = Series(full.metric, [v for v in full.values if v[0] not in {1020.0, 1030.0}])
    rows, scrapes = ticks(both([gappy], [counting(Arm.BASELINE, [90] * 6)]), until=1070)
    assert alls(rows, Arm.CANARY) == [10, 30, 10, 10]
    assert alls(rows, Arm.BASELINE) == [90, 270, 90, 90]
    assert scrapes.seen.joined == 2


def test_instance_that_goes_is_not_waited_for_and_begins_anew():
    """After five intervals an absent instance is left out; what it did meanwhile is unknown."""
    steady = counting(Arm.CANARY, [10] * 20)
    leaving = counting(Arm.CANARY, [5] * 20, instance="2")
    away = {1030.0 + 10 * number for number in range(10)}
    leaving = Series(leaving.metric, [v for v in leaving.values if v[0] not in away])
    rows, _ = ticks(both([steady, leaving], [counting(Arm.BASELINE, [90] * 20)]), until=1210)
    assert alls(rows, Arm.CANARY) == [15, 15, 50, *[10] * 6, *[15] * 7]
    assert alls(rows, Arm.BASELINE) == [90, 90, 450, *[90] * 13]


def test_arm_without_samples_has_no_row():
    """Missing is unknown, never zero: no row of the canary, and a gap where nobody was scraped."""
    canary = counting(Arm.CANARY, [10] * 3)
    baseline = counting(Arm.BASELINE, [90] * 30)
    quiet = {1150.0 + 10 * number for number in range(8)}
    baseline = Series(baseline.metric, [v for v in baseline.values if v[0] not in quiet])
    rows, _ = ticks(both([canary], [baseline]), until=1310)
    assert alls(rows, Arm.CANARY) == [10, 10, 10]
    assert all(all_ % 90 == 0 for all_ in alls(rows, Arm.BASELINE))
    (gap,) = (row for row in rows if isinstance(row, GapRow))
    assert gap.gap == 90  # the silence, and the interval at whose end it began anew
    assert [row.t for row in rows] == sorted(row.t for row in rows)
    assert max(one.t for one in rows) - gap.t == 7 * 10


def test_first_error_of_a_known_instance_is_counted():
    """A series that appears later began at zero; one that was there at the start did not."""
    canary = [counting(Arm.CANARY, [100] * 5)]
    fresh = series(Arm.CANARY, [(1030, 4), (1040, 6), (1050, 6)], code="500")
    old = series(Arm.CANARY, [(1000, 70), (1010, 70), (1020, 71)], code="502")
    rows, _ = ticks(both(canary, [counting(Arm.BASELINE, [100] * 5)], [fresh, old]), until=1060)
    bad = [row.bad for row in rows if row.arm is Arm.CANARY]
    assert bad == [0, 1, 4, 2, 0]


def test_more_bad_than_all_is_one_each():
    """A failure that is counted before its request is no fraction above one."""
    bad = counting(Arm.CANARY, [3, 0], code="500")
    rows, _ = ticks(
        both([counting(Arm.CANARY, [2, 1])], [counting(Arm.BASELINE, [9, 9])], [bad]), until=1030
    )
    assert [(row.bad, row.all) for row in rows if row.arm is Arm.CANARY] == [(3, 3), (0, 1)]


def test_different_buckets_are_refused():
    """The bounds that only one arm has are named, with the arms."""
    answers = {
        (Arm.CANARY, "buckets"): [counting(Arm.CANARY, [1], le=le) for le in ("0.1", "+Inf")],
        (Arm.BASELINE, "buckets"): [counting(Arm.BASELINE, [1], le=le) for le in ("0.2", "+Inf")],
    }
    with pytest.raises(BadEvidence, match=r"bounds 0\.1, 0\.2") as refused:
        ticks(answers)
    assert "baseline" in refused.value.message
    assert refused.value.cure


def test_same_bounds_written_differently_are_the_same():
    """`1` and `1.0` are one bound."""
    answers = {
        (Arm.CANARY, "buckets"): [counting(Arm.CANARY, [1], le=le) for le in ("1", "+Inf")],
        (Arm.BASELINE, "buckets"): [counting(Arm.BASELINE, [1], le=le) for le in ("1.0", "+Inf")],
    }
    rows, _ = ticks(answers, until=1020)
    assert [set(row.le) for row in rows] == [{1.0, inf}] * 2


def test_series_of_both_arms_is_refused():
    """Matchers that overlap would judge a release against itself."""
    shared = counting(Arm.CANARY, [1, 1])
    with pytest.raises(BadEvidence, match=r'both select .*release="b"'):
        ticks(both([shared], [shared]))


def test_not_a_number_is_missing():
    """A sample that is no number is as if it had not been scraped."""
    canary = series(Arm.CANARY, [(1000, 5), (1010, "NaN"), (1020, 25), (1030, 35)])
    rows, _ = ticks(both([canary], [counting(Arm.BASELINE, [90] * 3)]), until=1040)
    assert alls(rows, Arm.CANARY) == [20, 10]
    assert alls(rows, Arm.BASELINE) == [180, 90]


@given(
    st.lists(st.floats(1001, 1240), max_size=12).map(sorted),
    st.sets(st.integers(3, 20), max_size=4),
    st.floats(0, 9.9),
)
@example([], {3, 4, 5, 6}, 0.005)  # 50 s apart, and a rounding
@example([1060.0], {3, 5}, 0.0)  # as many gaps as not, on the first page
@example([1085.0], {3, 5, 7}, 0.0)  # more gaps than not
def test_ticks_do_not_depend_on_the_pages(cuts, missed, phase):
    """However the time is cut into pages, as in following, the rows are those of one look."""
    full = counting(Arm.CANARY, range(10, 34), start=1000 + phase)
    gappy = Series(full.metric, [v for n, v in enumerate(full.values) if n not in missed])
    answers = both([gappy], [counting(Arm.BASELINE, range(90, 114))])
    whole, _ = ticks(answers, until=1400)
    paged, scrapes = ticks(answers, until=1400, pages=cuts)
    assert scrapes.interval == 10
    assert paged == whole
    for arm, first in ((Arm.CANARY, 10), (Arm.BASELINE, 90)):
        everything = sum(range(first, first + 24))
        assert sum(alls(whole, arm)) in {everything, everything - first}  # the first may be alone
