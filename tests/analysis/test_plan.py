"""The plan: margins, scatter, steps and bounds, all fixed from the past before exposure."""

import random
from dataclasses import replace
from math import inf

import pytest
from analysis_streams import BOUNDS, ERRORS, LATENCY, Service, buckets, count, learnt
from hypothesis import given
from hypothesis import strategies as st

from surefoot.analysis.forecast import forecast
from surefoot.analysis.history import History, Pair, Source, dispersion, paired_dispersion
from surefoot.analysis.latency import fix_bounds, limits_of
from surefoot.analysis.margins import RUNGS, choose_rung, looser, rung_not_narrower
from surefoot.analysis.plan import JudgePlan, MetricPlan, Rules, plan_from_history, settle
from surefoot.analysis.ticks import Arm, GapRow, LatencyTick, RatioTick
from surefoot.analysis.weights import split
from surefoot.domain.verdict import Margin


def past(rps: float, base: float, seconds: int = 600, metric: str = "errors") -> History:
    """A past without any scatter."""
    history = History()
    for t in range(0, seconds, 10):
        history.feed(RatioTick(t, metric, Arm.BASELINE, rps * base * 10, rps * 10))
    return history


def rung_for(
    rps: float, base: float, phi: float, largest: float = 10.0, p: float | None = None
) -> str:
    """The rung of errors in a service of that size."""
    errors = replace(ERRORS, phi=phi, p=p)
    plan = JudgePlan(steps=(0.5,), metrics=(errors,), largest_margin=largest)
    margin = settle(plan, past(rps, base)).metrics[0].margin
    assert margin is not None
    return margin.rung


@pytest.mark.parametrize(
    ("rps", "base", "phi", "rung"),
    [
        (1, 0.0, 1.35, "D"),
        (1, 0.01, 1.35, "E"),
        (1, 0.05, 1.35, "E"),
        (10, 0.0, 1.0, "B"),
        (10, 0.0, 1.35, "C"),
        (10, 0.001, 1.35, "C"),
        (10, 0.012, 1.35, "D"),
        (10, 0.05, 1.35, "C"),
        (50, 0.0, 1.35, "A"),
        (50, 0.0102, 1.35, "C"),
        (200, 0.0, 1.35, "A"),
        (200, 0.0102, 1.0, "A"),
        (200, 0.0102, 1.35, "B"),
        (200, 0.0102, 3.0, "B"),
        (200, 0.05, 1.35, "A"),
        (1000, 0.0102, 1.35, "A"),
    ],
)
def test_rungs_are_those_of_the_specification(rps, base, phi, rung):
    """Each service takes the tightest margin that its traffic can prove in time."""
    assert rung_for(rps, base, phi) == rung


def test_widest_rung_needs_consent():
    """Ten points are taken only where the team said that it accepts them."""
    assert rung_for(1, 0.05, 1.35, largest=10.0) == "E"
    assert rung_for(1, 0.05, 1.35, largest=5.0) == "D"
    assert rung_for(200, 0.05, 3.0, largest=0.5) == "A"


@given(st.floats(1, 500), st.floats(1e-5, 0.2), st.floats(1, 10))
def test_more_traffic_never_widens_a_margin(rps, base, phi):
    """Twice the traffic is never given a wider margin, nor is a smaller scatter."""
    usual = rung_for(rps, base, phi, p=base)
    assert rung_for(2 * rps, base, phi, p=base) <= usual
    assert usual <= rung_for(rps, base, phi * 1.5, p=base)


def test_declared_margin_stands():
    """A margin that the team declared is used as it is."""
    declared = Margin(1.2, 0.1, "declared")
    plan = plan_from_history(past(1, 0.05), [replace(ERRORS, margin=declared)], Rules())
    assert plan.metrics[0].margin == declared
    assert plan.metrics[0].required


def test_slow_declared_metric_is_advisory_unless_watched():
    """A declared metric that cannot be proven in time advises; watched, it stays required."""
    orders = MetricPlan("orders", "ratio")
    history = past(0.1, 0.2, metric="orders")
    assert not plan_from_history(history, [orders], Rules()).metrics[0].required
    watching = Rules(watch=frozenset({"orders"}))
    assert plan_from_history(history, [orders], watching).metrics[0].required


def test_errors_are_never_advisory():
    """What the proxy sees stays required at any traffic."""
    assert plan_from_history(past(0.1, 0.2), [ERRORS], Rules()).metrics[0].required


@pytest.mark.parametrize(
    ("rps", "steps"), [(200, (0.1, 0.5)), (20, (0.25, 0.5)), (8, (0.5,)), (1, (0.5,))]
)
def test_first_step_brings_five_requests_a_second(rps, steps):
    """Automatic steps begin where the canary gets 5 requests/s, between a tenth and a half."""
    assert plan_from_history(past(rps, 0.01), [ERRORS], Rules()).steps == pytest.approx(steps, 0.02)


def test_declared_steps_stand():
    """Steps of the manifest are taken as they are."""
    plan = plan_from_history(past(200, 0.01), [ERRORS], Rules(steps=(0.05, 0.3)))
    assert plan.steps == (0.05, 0.3)


def test_too_little_history_leaves_the_metric_open():
    """Less than a minute fixes nothing, so that the judge asks the baseline's first minute."""
    plan = plan_from_history(past(200, 0.01, seconds=40), [ERRORS], Rules())
    assert plan.metrics[0].p is None
    assert not plan.metrics[0].settled


def test_latency_takes_the_rung_of_errors():
    """Latency is as strict as errors; a declared error margin picks a rung not narrower."""
    history = learnt(Service(latency=True), random.Random(1))
    plan = plan_from_history(history, [ERRORS, LATENCY], Rules())
    errors, latency = plan.metrics
    assert errors.margin is not None
    assert latency.margin is not None
    assert latency.margin.rung == errors.margin.rung
    wide = replace(ERRORS, margin=Margin(3, 4, "declared"))
    declared = plan_from_history(history, [LATENCY, wide], Rules()).metrics[0]
    assert declared.margin is not None
    assert declared.margin.rung == "D"
    assert rung_not_narrower(Margin(1.1, 0.1, "declared")).name == "A"


def test_latency_that_scatters_takes_a_wider_rung_than_errors():
    """On a host whose speed jumps, latency is proven in time at a margin that says so."""
    history = past(200, 0.0)
    dice = random.Random(3)
    for t in range(5, 600, 10):
        slow = dice.choice([0.8, 1.0, 1.4])
        le = buckets(dice, 2000, slow)
        history.feed(LatencyTick(t, "latency", Arm.BASELINE, le))
    errors, latency = plan_from_history(history, [ERRORS, LATENCY], Rules()).metrics
    assert errors.margin.rung == "A"
    assert latency.phi == 20.0
    assert latency.margin.rung > "A"
    assert latency.required
    assert {bound.gate_d for bound in latency.bounds} == {0.1}
    plan = plan_from_history(history, [ERRORS, LATENCY], Rules())
    assert forecast(plan).verified.half <= 100


def test_latency_that_does_not_scatter_leaves_a_step_by_the_usual_gate():
    """Five points are enough there, for they are proven within half a minute."""
    history = past(200, 0.0)
    dice = random.Random(3)
    for t in range(5, 600, 10):
        history.feed(LatencyTick(t, "latency", Arm.BASELINE, buckets(dice, 2000, 1.0)))
    _, latency = plan_from_history(history, [ERRORS, LATENCY], Rules()).metrics
    assert {bound.gate_d for bound in latency.bounds} == {0.05}


def test_bounds_are_judged_near_the_fractions():
    """The judged bounds lie where known parts of the answers are slower."""
    slower = {0.1: 0.6, 0.11: 0.48, 0.12: 0.3, 0.13: 0.2, 0.2: 0.04, 0.3: 0.001}
    bounds = fix_bounds(slower, limits_of(RUNGS[0]))
    assert [bound.x for bound in bounds] == [0.11, 0.13, 0.2, 0.3]
    first = bounds[0]
    assert (first.y, first.z, first.gate_z) == (0.13, 0.2, 0.2)
    assert first.d == 0.02
    assert first.gate_d == 0.05
    assert not first.coarse


def test_coarse_buckets_are_measured_at_the_same_bound():
    """Without a bound within half as much again, both arms use x with a wider null."""
    bounds = fix_bounds({0.1: 0.3, 1.0: 0.05, 10.0: 0.001}, limits_of(RUNGS[0]))
    assert bounds
    for bound in bounds:
        assert bound.coarse
        assert bound.y == bound.z == bound.x
        assert bound.null == (1.1, 0.02)


def test_exact_stretch_is_not_missed_by_rounding():
    """A bound of 0.11 counts as 1.1 times 0.1."""
    bound = fix_bounds({0.1: 0.4, 0.11: 0.35, 0.12: 0.3}, limits_of(RUNGS[0]), (0.1,))[0]
    assert bound.y == 0.11
    assert bound.z == 0.12


def test_declared_bounds_are_judged():
    """Declared bounds are taken at the histogram's bound nearest below."""
    slower = dict.fromkeys(BOUNDS, 0.1)
    assert [b.x for b in fix_bounds(slower, limits_of(RUNGS[0]), (0.21, 0.5))] == [0.2, 0.5]


def test_no_histogram_means_no_bounds():
    """Without any bucket nothing is judged."""
    assert fix_bounds({}, limits_of(RUNGS[0])) == ()


def scattered(dice: random.Random, phi: int, blocks: int = 60) -> list[tuple[float, float]]:
    """Blocks of 2,000 requests with 1 % errors that come in bursts of phi."""
    return [(float(phi * count(dice, 2000, 0.01 / phi)), 2000.0) for _ in range(blocks)]


@pytest.mark.parametrize(("phi", "median"), [(1, 1.33), (2, 2.67), (3, 4.1)])
def test_phi_is_learnt_as_an_upper_bound(phi, median):
    """The median of phi learnt from ten minutes is that of the specification, within 12 %."""
    dice = random.Random(phi)
    learnt_phis = sorted(dispersion(scattered(dice, phi)) or 0.0 for _ in range(41))
    assert learnt_phis[20] == pytest.approx(median, rel=0.12)
    assert sum(value >= phi for value in learnt_phis) >= 33


def paired(dice: random.Random, phi: int, blocks: int = 24) -> list:
    """Two arms on one busy host: their common rate jumps from block to block."""
    found = []
    for _ in range(blocks):
        p = dice.uniform(0.1, 0.5)
        arms = (float(phi * count(dice, n // phi, p)) for n in (200, 1800))
        one, two = arms
        found.append(((one, 200.0), (two, 1800.0)))
    return found


@pytest.mark.parametrize("phi", [1, 2, 3])
def test_what_shakes_both_arms_alike_does_not_count_in_pairs(phi):
    """By itself the baseline scatters without bounds; beside the canary, no more than phi."""
    dice = random.Random(phi)
    rollouts = [paired(dice, phi) for _ in range(41)]
    assert all(dispersion(two for _, two in rollout) == 20.0 for rollout in rollouts)
    learnt_phis = sorted(paired_dispersion([rollout]) or 0.0 for rollout in rollouts)
    assert learnt_phis[20] == pytest.approx(1.65 * phi, rel=0.15)
    assert sum(value >= phi for value in learnt_phis) >= 33


def test_a_lasting_difference_of_a_pair_does_not_count():
    """A release that is somewhat better for good is no scatter."""
    dice = random.Random(1)
    rollout = [
        ((float(count(dice, 1000, 0.1)), 1000.0), (float(count(dice, 1000, 0.3)), 1000.0))
        for _ in range(40)
    ]
    assert paired_dispersion([rollout]) < 2


def test_pairs_are_asked_before_the_baseline_alone():
    """A verified rollout teaches phi; the oldest make room, and memory stays bounded."""
    dice = random.Random(2)
    history, t = History(), 0.0
    for n in range(30):
        p = 0.1 if n % 2 else 0.4
        history.feed(RatioTick(t := t + 10, "errors", Arm.BASELINE, 2000 * p, 2000))
    assert history.phi("errors") == 20.0
    pair = Pair()
    for second in range(400):
        p = 0.1 if second // 10 % 2 else 0.4
        for arm in Arm:
            pair.feed(RatioTick(second, "errors", arm, count(dice, 100, p), 100))
    history.learn(pair)
    assert len(pair) == 40
    assert 1.0 <= history.phi("errors") < 2.0
    assert history.rate("errors") == pytest.approx(200)


def wandering(dice: random.Random, *, apart: float) -> Pair:
    """Two arms of 100 requests a second, one of which is worse by `apart` all the time."""
    pair = Pair()
    for second in range(400):
        for arm in Arm:
            p = 0.2 + (apart if arm is Arm.CANARY else 0.0)
            pair.feed(RatioTick(second, "errors", arm, count(dice, 100, p), 100))
    return pair


def test_a_pair_forgets_what_is_old_behind_a_gap_too():
    """It holds the last 120 blocks of ten seconds, whatever was not seen in between."""
    pair = Pair()
    for second in (0, 10, 20, 5000, 5010, 9000):
        pair.feed(RatioTick(second, "errors", Arm.CANARY, 1, 9))
    assert len(pair) == 1


@pytest.mark.parametrize("apart", [0.0, 0.05])
def test_instances_beside_each_other_teach_phi(apart):
    """Two halves of one release: what they differ by is noise, asked after placebo runs alone."""
    dice, history = random.Random(3), History()
    history.learn(wandering(random.Random(5), apart=0.05))
    for second in range(200):
        halves = [
            RatioTick(0.0, "errors", arm, count(dice, 100, 0.2 + apart * (arm is Arm.CANARY)), 100)
            for arm in Arm
        ]
        history.compare(halves, float(second))
    assert history.learnt_from("errors") is Source.INSTANCES
    assert (history.phi("errors") > 5.0) is (apart > 0)
    history.learn(wandering(random.Random(4), apart=0.0), placebo=True)
    assert history.learnt_from("errors") is Source.PLACEBOS


def test_pairs_of_one_release_are_asked_first_and_show_slow_noise():
    """What two of the same differ by for long is noise; of two releases it may be the change."""
    history = History()
    assert history.learnt_from("errors") is Source.NOTHING
    history.learn(wandering(random.Random(3), apart=0.05))
    assert history.learnt_from("errors") is Source.ROLLOUTS
    assert history.phi("errors") < 2.0
    history.learn(wandering(random.Random(3), apart=0.05), placebo=True)
    assert history.learnt_from("errors") is Source.PLACEBOS
    assert history.phi("errors") > 5.0
    calm = History()
    calm.learn(wandering(random.Random(4), apart=0.0), placebo=True)
    assert 1.0 <= calm.phi("errors") < 2.0


def test_phi_ignores_slow_drift():
    """A rate that drifts slowly scatters no more than a steady one."""
    drifting = [(20.0 + b // 3, 2000.0) for b in range(60)]
    assert dispersion(drifting) == 1.0


@pytest.mark.parametrize(
    "blocks",
    [
        [],
        [(10.0, 100.0)] * 11,
        [(1.0, 100.0)] * 20,
        [(100.0, 100.0)] * 20,
        [(0.0, 0.0)] * 50,
    ],
)
def test_phi_is_three_until_learnt(blocks):
    """Few blocks, few events or none leave phi unknown, and 3 is used."""
    assert dispersion(blocks) is None
    history = History()
    for t, (bad, everything) in enumerate(blocks):
        history.feed(RatioTick(10.0 * t, "errors", Arm.BASELINE, bad, everything))
    assert history.phi("errors") == 3.0


@given(st.lists(st.tuples(st.integers(0, 50), st.integers(50, 500)), min_size=12, max_size=40))
def test_phi_stays_within_its_limits(blocks):
    """Whatever the blocks, phi lies between 1 and 20, or is unknown."""
    phi = dispersion(blocks)
    assert phi is None or 1 <= phi <= 20


def test_history_keeps_an_hour_of_the_baseline():
    """Older blocks are dropped; the canary's rows count for the traffic alone, gaps not at all."""
    history = History()
    for t in range(0, 7200, 10):
        bad = 1 if t < 3600 else 3
        history.feed(RatioTick(t, "errors", Arm.BASELINE, bad, 100))
        history.feed(RatioTick(t, "errors", Arm.CANARY, 100, 100))
    history.feed(GapRow(7300, 100))
    assert history.seconds == 3600
    assert history.all("errors") == 36_000
    assert history.p("errors") == pytest.approx(0.03, 0.01)
    assert history.rate("errors") == pytest.approx(20)


def test_history_never_says_zero_errors():
    """The rate is smoothed, and unknown where nothing was seen."""
    history = past(100, 0.0)
    p = history.p("errors")
    assert p is not None
    assert 0 < p < 1e-4
    assert history.p("nothing") is None
    assert history.rate("nothing") == 0
    assert history.seconds_of("nothing") == 0


def test_history_knows_the_fraction_slower_than_each_bound():
    """The fractions of a latency fall with the bound, and infinity is left out."""
    history = History()
    for t in range(100):
        history.feed(LatencyTick(t, "latency", Arm.BASELINE, {0.1: 50, 0.2: 90, inf: 100}))
    slower = history.slower("latency")
    assert list(slower) == [0.1, 0.2]
    assert slower[0.1] == pytest.approx(0.5, 0.01)
    assert slower[0.2] == pytest.approx(0.1, 0.01)


def test_weights_are_those_of_the_specification():
    """All groups present get their part; two guards share theirs."""
    metrics = [ERRORS, LATENCY, MetricPlan("a", "ratio"), MetricPlan("b", "latency")]
    weights = split(metrics, share_known=True)
    assert weights.gross == pytest.approx(0.40)
    assert weights.share == pytest.approx(0.05)
    assert weights.metrics == pytest.approx({"errors": 0.2, "latency": 0.15, "a": 0.1, "b": 0.1})


@given(
    st.booleans(),
    st.sets(st.sampled_from([ERRORS, LATENCY, MetricPlan("a", "ratio"), MetricPlan("g", "gauge")])),
)
def test_weights_of_absent_groups_are_shared(share_known, metrics):
    """Whatever is absent, the weights of the rest add up to one."""
    weights = split(metrics, share_known=share_known)
    total = weights.gross + weights.share + sum(weights.metrics.values())
    assert total == pytest.approx(1.0 if any(metric.guards for metric in metrics) else 0.0)


def test_looser_margin_is_the_one_that_allows_more():
    """Which of two margins is looser depends on the rate."""
    ratio, points = Margin(10, 0, "x"), Margin(1, 2, "y")
    assert looser(ratio, points, 0.1) is ratio
    assert looser(ratio, points, 0.0001) is points


def test_rung_that_is_never_in_time_is_the_widest_allowed():
    """A metric that no traffic proves keeps the widest margin it may have, and says so."""
    rung, in_time = choose_rung(lambda _: inf, 900, 5.0)
    assert (rung.name, in_time) == ("D", False)
    rung, in_time = choose_rung(lambda _: inf, 900, 10.0)
    assert (rung.name, in_time) == ("E", False)
