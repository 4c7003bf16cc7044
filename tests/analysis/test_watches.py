"""What stands beside the judge: plain facts, the band, the host, the soak."""

import random
from bisect import bisect_left
from dataclasses import replace
from math import exp, inf, log

import pytest
from hypothesis import given
from hypothesis import strategies as st

from surefoot.analysis.band import HostWatch, in_band, latency_in_band, ratio_in_band
from surefoot.analysis.expect import Expectation, quantile
from surefoot.analysis.interval import RatioSequence
from surefoot.analysis.latency import Bound
from surefoot.analysis.liveness import Liveness, Observation
from surefoot.analysis.plan import MetricPlan
from surefoot.analysis.soak import SoakWatch
from surefoot.analysis.ticks import Fact
from surefoot.analysis.words import duration
from surefoot.domain.errors import Refused

ALIVE = ((100, 1.0, True),)


def seen(t: float, **other: object) -> Observation:
    """A second of a canary that does well, but for what is said."""
    usual = Observation(t, ALIVE, answered=20, active=2, baseline_answered=180, expected=20)
    return replace(usual, **other)  # type: ignore[arg-type] -- fields by name, in a test


def first_fact(observations) -> tuple[float, Fact] | None:
    """When a fact is first said."""
    liveness = Liveness()
    for one in observations:
        fact = liveness.feed(one)
        if fact:
            return one.t, fact
    return None


def test_a_living_canary_shows_no_fact():
    """A canary that answers, and one that is merely idle, shows nothing."""
    assert first_fact(seen(t) for t in range(100)) is None
    idle = {"answered": 0, "active": 0, "baseline_answered": 0, "expected": 0}
    assert first_fact(seen(t, **idle) for t in range(100)) is None


@pytest.mark.parametrize(
    "instances", [((101, 2.0, True),), ((100, 3.0, True),), ((100, 1.0, False),), ()]
)
def test_a_death_shows_within_one_tick(instances):
    """Another pid, another start time, no listener, nobody: dead, at once."""
    told = [seen(0), seen(1), seen(2, instances=instances)]
    assert first_fact(told) == (2, Fact.DEAD)


def test_two_deaths_in_a_minute_are_a_crash_loop():
    """The second death within 60 s is told apart from the first; a later one is not."""
    for apart, fact in ((59, Fact.CRASH_LOOP), (61, Fact.DEAD)):
        liveness = Liveness()
        liveness.feed(seen(0))
        assert liveness.feed(seen(1, instances=((101, 2.0, True),))) is Fact.DEAD
        assert liveness.feed(seen(2, instances=((101, 2.0, True),))) is None
        later = seen(1 + apart, instances=((102, 3.0, True),))
        assert liveness.feed(later) is fact


def test_silence_needs_ten_seconds_and_a_speaking_baseline():
    """No answer for 10 s is silence, if answers were due and the baseline gives them."""
    quiet = [seen(0), *(seen(t, answered=0, active=0) for t in range(1, 30))]
    assert first_fact(quiet) == (10, Fact.SILENT)
    both = [replace(one, baseline_answered=0) for one in quiet]
    assert first_fact(both) is None
    rarely = [replace(one, expected=1) for one in quiet]
    assert first_fact(rarely) == (20, Fact.SILENT)
    broken = [*quiet[:9], seen(9), *(seen(t, answered=0, active=0) for t in range(10, 19))]
    assert first_fact(broken) is None


def test_hanging_needs_waiting_requests_and_no_completion():
    """Five requests that wait while none completes is hanging after 2 s, not before."""
    hung = [seen(0), *(seen(t, answered=0, active=5) for t in range(1, 9))]
    assert first_fact(hung) == (2, Fact.HANGING)
    few = [replace(one, active=4) for one in hung]
    assert first_fact(few) is None
    slow = Liveness(slowest=1.5)
    assert [slow.feed(one) for one in hung[:6]] == [None] * 5 + [Fact.HANGING]


def test_open_streams_are_no_hanging_and_a_slow_service_is_not_silent():
    """Nothing is due where the baseline completes nothing either, or takes as long."""
    streams = [
        seen(t, answered=0, active=14, baseline_answered=0, expected=0) for t in range(1, 30)
    ]
    assert first_fact(streams) is None
    slow = Liveness(slowest=15.0)
    quiet = [seen(t, answered=0, active=0) for t in range(1, 60)]
    assert next(one.t for one in quiet if slow.feed(one)) == 46


def test_a_share_of_the_users_says_nothing_of_the_requests():
    """With sticky sessions the canary may have got nobody; requests that hang still hang."""
    quiet = [seen(t, answered=0, active=0) for t in range(1, 30)]
    sticky = Liveness(sticky=True)
    assert not [one for one in quiet if sticky.feed(one)]
    hung = [seen(t, answered=0, active=9) for t in range(30, 40)]
    assert Fact.HANGING in [sticky.feed(one) for one in hung]


def test_band_is_the_old_rate_with_some_slack():
    """Back to normal is at most half as much again or half a point more, give or take chance."""
    assert in_band(0.01, 1, 100)
    assert in_band(0.0, 0, 50)
    assert not in_band(0.01, 20, 100)
    assert in_band(0.01, 15, 1000)
    assert not in_band(0.01, 30, 1000)


@given(st.floats(0, 1), st.integers(0, 49))
def test_fewer_than_fifty_requests_are_no_proof_of_normal(p, everything):
    """Nothing is back in its band on fewer than 50 requests."""
    assert not in_band(p, 0, everything)


@given(st.floats(0, 1), st.integers(50, 10_000), st.data())
def test_band_is_monotone(p, everything, data):
    """One more bad answer never brings a metric back into its band."""
    bad = data.draw(st.integers(0, everything - 1))
    assert in_band(p, bad, everything) or not in_band(p, bad + 1, everything)


def test_latency_is_in_its_band_on_every_bound():
    """One judged bound that is too slow keeps latency out of its band."""
    bounds = tuple(
        Bound(x, x, x, 0.02, x, 0.05, slower, slower, slower)
        for x, slower in ((0.1, 0.5), (1, 0.01))
    )
    assert latency_in_band(bounds, {0.1: 100, 1: 198, inf: 200})
    assert not latency_in_band(bounds, {0.1: 100, 1: 150, inf: 200})
    assert not latency_in_band(bounds, {0.1: 100, inf: 200})


def test_host_is_hurt_when_the_baseline_stays_bad():
    """Gross harm to the old release for 20 s means the host; a short spike does not."""
    watch = HostWatch(0.01, 1.0)
    for _ in range(600):
        watch.feed(2, 200)
    seconds = 0
    while not watch.hurt:
        watch.feed(60, 200)
        seconds += 1
    assert 20 <= seconds <= 25
    for p, phi, usual in ((0.01, 1.0, 2), (0.0001, 3.0, 0)):
        spike = HostWatch(p, phi)
        for _ in range(5):
            spike.feed(60, 200)
        for _ in range(30):
            spike.feed(usual, 200)
            assert not spike.hurt
        assert not spike.alarmed


def test_soak_sees_gross_harm_and_leaves_chance_alone():
    """A fifth of requests failing late is seen in seconds; ten calm minutes raise nothing."""
    dice = random.Random(4)
    watch = SoakWatch(0.01, 3.0)
    for _ in range(600):
        watch.feed(sum(dice.random() < 0.01 for _ in range(200)), 200)
    assert not watch.harmful
    seconds = 0
    while not watch.harmful:
        watch.feed(40, 200)
        seconds += 1
    assert seconds <= 5
    watch.feed(0, 200)
    assert watch.harmful


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (0.4, "1 s"),
        (4, "4 s"),
        (41, "45 s"),
        (101, "110 s"),
        (530, "9 min"),
        (900, "15 min"),
        (8000, "3 h"),
        (inf, "more than a day"),
    ],
)
def test_durations_are_said_as_people_say_them(seconds, words):
    """Times are rounded up to what a person would say."""
    assert duration(seconds) == words


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("export_p95 falls by 10%", Expectation("export", "falls", 10, 0.95)),
        ("orders rises by 2.5 %", Expectation("orders", "rises", 2.5)),
        ("export_used above 0", Expectation("export_used", "above", 0)),
        ("export used", Expectation("export", "used")),
    ],
)
def test_expectations_are_read(text, wanted):
    """Each form of an expectation is understood."""
    assert Expectation.parse(text) == wanted
    assert Expectation.parse(str(wanted)) == wanted


@pytest.mark.parametrize(
    "text", ["", "better", "x falls", "x falls by much%", "x above nan", "x above"]
)
def test_other_sentences_are_refused_with_the_cure(text):
    """A sentence of another form is refused, and the forms are told."""
    with pytest.raises(Refused) as refused:
        Expectation.parse(text)
    assert "falls|rises" in refused.value.cure


def test_quantiles_are_interpolated():
    """A quantile lies within its bucket, at the right part of it on a log scale."""
    le = {0.1: 50.0, 0.4: 100.0, inf: 100.0}
    assert quantile(le, 0.5) == pytest.approx(0.1)
    assert quantile(le, 0.75) == pytest.approx(0.2)
    assert quantile(le, 0.25) == pytest.approx(0.05)
    assert quantile({0.1: 10.0, inf: 100.0}, 0.5) == 0.1
    assert quantile({0.1: 0.0, inf: 0.0}, 0.5) is None
    assert quantile({}, 0.5) is None


@pytest.mark.parametrize(
    ("usual", "now", "well"),
    [(0.99, 0.99, True), (0.99, 0.9, False), (0.03, 0.03, True), (0.03, 0.003, False)],
)
def test_a_metric_whose_lower_values_are_worse_has_a_band_too(usual, now, well):
    """Good events must be back where they were: the many, and the few."""
    good = MetricPlan("sold", "ratio", p=usual, worse="lower")
    assert ratio_in_band(good, now * 2000, 2000) is well
    assert not ratio_in_band(good, now * 40, 40)


def interval(ticks, phi=1.0):
    """The interval after ticks of (canary's events, baseline's events, w)."""
    sequence = RatioSequence()
    for canary, baseline, w in ticks:
        sequence.add((canary, 1000 * w), (baseline, 1000.0))
    return sequence.at(phi)


@given(st.integers(1, 30), st.integers(1, 60), st.floats(0.01, 100), st.floats(1, 5))
def test_interval_holds_what_was_seen(canary, baseline, w, phi):
    """The interval holds the ratio that was observed, and widens with phi."""
    ticks = [(float(canary), float(baseline), w)] * 5
    narrow, wide = interval(ticks), interval(ticks, phi)
    observed = canary / baseline / w
    assert narrow[0] <= observed <= narrow[1]
    assert wide[0] <= narrow[0] * 1.01
    assert wide[1] >= narrow[1] * 0.99


@given(st.lists(st.tuples(st.integers(0, 3), st.integers(0, 20), st.floats(0.05, 0.2)), min_size=5))
def test_interval_of_bands_is_hardly_wider_than_that_of_ticks(ticks):
    """What shares a band of w loses two percent and wins nothing: it holds the exact interval."""
    low, high = interval(ticks) or (0.0, inf)
    exact_low, exact_high = exact_interval(ticks)
    assert exact_low * 0.97 - 2e-4 <= low <= exact_low * 1.003
    assert exact_high * 0.997 <= high
    assert high <= exact_high * 1.03 or exact_high > 0.96e6


def exact_interval(ticks):
    """The same, tick by tick, by the definition and a search of its own."""

    def evidence(null, ratios):
        canary = sum(c for c, _, _ in ticks)
        total = 0.0
        for r in ratios:
            split = sum((c + b) * log((1 + null * w) / (1 + r * null * w)) for c, b, w in ticks)
            total += exp(min(canary * log(r) + split, 460.0))
        return total / len(ratios)

    above = (1.25, 1.5, 2.0, 3.0, 5.0, 10.0, 30.0)
    below = [1 / r for r in above]
    grid = [10 ** (x / 1000) for x in range(-4000, 6001)]
    if not any(c + b for c, b, _ in ticks):
        return 0.0, inf
    lower = bisect_left(grid, True, key=lambda null: evidence(null, above) < 40)
    upper = bisect_left(grid, True, key=lambda null: evidence(null, below) >= 40)
    return (
        grid[lower] if any(c for c, _, _ in ticks) and lower else 0.0,
        grid[upper] if any(b for _, b, _ in ticks) and upper < len(grid) else inf,
    )


def test_interval_without_events_is_unknown():
    """Nothing bad on either side bounds no ratio; on one side it bounds one end."""
    assert interval([]) is None
    only_canary = interval([(3.0, 0.0, 0.1)] * 5)
    assert only_canary is not None
    assert only_canary[1] == inf
    only_baseline = interval([(0.0, 30.0, 0.1)] * 5)
    assert only_baseline is not None
    assert only_baseline[0] == 0
