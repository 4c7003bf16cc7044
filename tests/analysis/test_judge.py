"""The judge: the four words, when each is said, and what they never depend on."""

import random
import re
from dataclasses import replace

import pytest
from analysis_streams import (
    ERRORS,
    LATENCY,
    Service,
    count,
    judged,
    plan_of,
    rollout,
    rows_of,
    second,
)
from hypothesis import given, settings
from hypothesis import strategies as st

from surefoot.analysis.evidence import HARM_RATIOS, Capital
from surefoot.analysis.expect import Expectation
from surefoot.analysis.judge import Judge
from surefoot.analysis.latency import Bound
from surefoot.analysis.plan import JudgePlan, MetricPlan
from surefoot.analysis.ticks import (
    Arm,
    Fact,
    FactRow,
    GapRow,
    GaugeTick,
    LatencyTick,
    RatioTick,
    Row,
    ShareRow,
)
from surefoot.analysis.words import promise_in_words
from surefoot.domain.errors import BadEvidence
from surefoot.domain.verdict import Margin, Reading, Word

WIDE = Margin(3.0, 2.0, "declared")
PLAN = JudgePlan(
    steps=(0.1, 0.5),
    metrics=(replace(ERRORS, phi=1.0, p=0.01, rate=200.0, margin=WIDE),),
)


def pair(t: float, canary: tuple[float, float], baseline: tuple[float, float], metric="errors"):
    """One tick of a ratio in both arms."""
    return [
        RatioTick(t, metric, Arm.CANARY, *canary),
        RatioTick(t, metric, Arm.BASELINE, *baseline),
    ]


def steady(
    seconds: int, canary: tuple[float, float], baseline: tuple[float, float], share: float = 0.5
) -> list[Row]:
    """The same counts each second, from first exposure on."""
    rows: list[Row] = [ShareRow(0, share)]
    for t in range(1, seconds + 1):
        rows.extend(pair(t, canary, baseline))
    return rows


def told(reading: Reading) -> str:
    """The one promise of a plan, in words."""
    (promise,) = reading.promises
    return promise_in_words(promise)


def test_harmless_change_is_verified_and_says_its_margin():
    """A harmless change with errors and latency climbs both steps and is verified."""
    dice = random.Random(1)
    service = Service(latency=True)
    plan = plan_of(service, dice)
    reading, rows = rollout(service, dice, plan)
    assert reading.word is Word.VERIFIED
    assert 60 <= reading.at <= 300
    assert str(plan.metrics[0].margin) in reading.because
    assert "(95 %)" in reading.because
    assert "latency" in reading.because
    assert any(isinstance(row, ShareRow) and row.share == 0.5 for row in rows)
    assert all(metric.word is Word.VERIFIED for metric in reading.metrics)


def test_a_fifth_failing_is_found_within_seconds():
    """A fifth of requests failing at 200 requests/s and a share of 10 % is worse within 9 s."""
    times = []
    for seed in range(20):
        dice = random.Random(f"fifth/{seed}")
        service = Service(canary=0.2)
        reading, _ = rollout(service, dice, replace(PLAN, metrics=PLAN.metrics), 60)
        assert reading.word is Word.WORSE
        assert reading.metric == "errors"
        times.append(reading.at)
    assert sorted(times)[18] <= 6
    assert max(times) <= 9


def test_everything_failing_is_found_at_once():
    """A canary that fails every request is worse within 3 s."""
    for seed in range(10):
        reading, _ = rollout(Service(canary=1.0), random.Random(seed), PLAN, 10)
        assert reading.word is Word.WORSE
        assert reading.at <= 3


def test_harm_names_its_numbers_and_its_interval():
    """The sentence of *worse* tells the counts of both arms; the interval excludes no harm."""
    reading = judged(PLAN, steady(5, (10, 40), (2, 400), share=0.1))
    assert reading.word is Word.WORSE
    assert reading.because.endswith("WORSE")
    assert "errors: canary" in reading.because
    assert "baseline" in reading.because
    assert reading.ratio is not None
    low, high = reading.ratio
    assert 1.1 < low < 50 < high


def test_declared_metric_is_named_when_it_alone_is_worse():
    """Harm of a declared ratio, with healthy errors, names that ratio."""
    orders = MetricPlan("checkout_errors", "ratio", phi=1.0, p=0.01, margin=WIDE)
    plan = replace(PLAN, metrics=(*PLAN.metrics, orders))
    rows: list[Row] = [ShareRow(0, 0.1)]
    for t in range(1, 200):
        rows += pair(t, (0, 20), (2, 180))
        rows += pair(t, (1, 10), (1, 90), "checkout_errors")
    reading = judged(plan, rows)
    assert reading.word is Word.WORSE
    assert reading.metric == "checkout_errors"


def test_slower_canary_is_worse_by_latency():
    """A canary twice as slow is worse, and the sentence tells the bounds in seconds."""
    dice = random.Random(5)
    service = Service(latency=True, slowed=2.0)
    reading, _ = rollout(service, dice, plan_of(service, dice), 60)
    assert reading.word is Word.WORSE
    assert reading.metric == "latency"
    assert "slower than" in reading.because
    assert reading.at <= 30


def test_slightly_slower_canary_is_not_worse():
    """A canary 3 % slower is verified, for the bounds in between count for nothing."""
    dice = random.Random(6)
    service = Service(latency=True, slowed=1.03)
    reading, _ = rollout(service, dice, plan_of(service, dice))
    assert reading.word is Word.VERIFIED


def test_a_service_without_any_error_is_verified_soon():
    """Zero errors on both sides at 200 requests/s, phi not learnt: verified within 90 s."""
    dice = random.Random(7)
    service = Service(base=0.0, latency=True)
    reading, _ = rollout(service, dice, plan_of(service, dice, phi=None))
    assert reading.word is Word.VERIFIED
    assert reading.at <= 90


@pytest.mark.parametrize(
    ("canary", "baseline"), [((0, 0), (0, 0)), ((0, 0), (2, 200)), ((0, 50), (0, 0))]
)
def test_no_data_is_never_a_pass(canary, baseline):
    """Without requests in one arm, or in both, the end is inconclusive and never verified."""
    plan = replace(PLAN, sticky=True)
    reading = judged(plan, steady(900, canary, baseline))
    assert reading.word is Word.INCONCLUSIVE
    assert reading.at == 900


def test_silence_of_both_arms_is_never_a_pass():
    """No row at all but the passing of time ends inconclusive."""
    reading = judged(PLAN, [ShareRow(0, 0.5), GapRow(500, 500), GapRow(901, 400)])
    assert reading.word is Word.INCONCLUSIVE


def test_no_metric_is_no_proof():
    """A plan without a required metric is never verified."""
    advisory = replace(PLAN, metrics=(replace(PLAN.metrics[0], required=False),))
    assert judged(advisory, steady(300, (0, 100), (0, 100))).word is Word.WATCHING
    assert judged(JudgePlan(), [ShareRow(0, 0.5), GapRow(901, 901)]).word is Word.INCONCLUSIVE


def test_verified_waits_for_sixty_seconds():
    """However strong the evidence, nothing is verified before 60 s."""
    rows = steady(200, (10, 1000), (10, 1000))
    judge = Judge(PLAN)
    said = {}
    for row in rows:
        judge.feed(row)
        said.setdefault(judge.reading.word, judge.reading.at)
    assert judge.reading.metrics[0].ok > 1e6
    assert said[Word.VERIFIED] == 60


def test_verified_waits_for_every_required_metric():
    """A required metric without events holds *verified* up, however good the others."""
    quiet = MetricPlan("orders", "ratio", phi=1.0, p=0.01, margin=WIDE)
    rows = steady(300, (1, 100), (1, 100))
    required = judged(replace(PLAN, metrics=(*PLAN.metrics, quiet)), rows)
    assert required.word is Word.WATCHING
    assert "orders" in required.because
    advisory = replace(quiet, required=False)
    assert judged(replace(PLAN, metrics=(*PLAN.metrics, advisory)), rows).word is Word.VERIFIED


def test_harm_beyond_the_margin_is_not_verified():
    """A canary at its margin for the whole time limit is not found to be within it."""
    reading = judged(PLAN, steady(900, (0.75, 25), (0.25, 25)))
    assert reading.word is not Word.VERIFIED


def test_a_slow_guard_is_inconclusive_and_says_why():
    """Too little traffic ends inconclusive at the time limit, naming what is not proven."""
    reading = judged(PLAN, steady(900, (0, 0.02), (0, 0.02)))
    assert reading.word is Word.INCONCLUSIVE
    assert reading.metric == "errors"
    assert "15 min" in reading.because


@pytest.mark.parametrize("fact", list(Fact))
def test_facts_are_worse_at_once(fact):
    """A plain fact needs no evidence, not even the end of warm-up."""
    reading = judged(PLAN, [ShareRow(0, 0.1), FactRow(2, fact)])
    assert reading.word is Word.WORSE
    assert reading.metric == fact
    assert reading.at == 2
    assert reading.ratio is None


def test_worse_stays_worse_and_goes_on_counting():
    """After *worse* the word stands whatever follows; the counts of requests go on."""
    harmful = steady(5, (20, 40), (2, 400), share=0.1)
    first = judged(PLAN, harmful)
    later: list[Row] = []
    for t in range(6, 400):
        later += pair(t, (0, 100), (5, 100))
    last = judged(PLAN, harmful + later)
    assert (last.word, last.at, last.because) == (first.word, first.at, first.because)
    assert last.metrics[0].canary_all > first.metrics[0].canary_all


def test_verified_stays_unless_harm_comes_late():
    """*Verified* stands while nothing speaks against it, and falls to late harm."""
    healthy = steady(120, (1, 100), (1, 100))
    assert judged(PLAN, healthy).word is Word.VERIFIED
    quiet: list[Row] = [GapRow(1000, 880)]
    assert judged(PLAN, healthy + quiet).word is Word.VERIFIED
    harm = [row for t in range(121, 200) for row in pair(t, (30, 100), (1, 100))]
    late = judged(PLAN, healthy + harm)
    assert late.word is Word.WORSE
    assert late.at < 140


def test_late_harm_is_found_after_the_time_limit():
    """An inconclusive change that is held is still watched."""
    rows = steady(900, (0, 0.02), (0, 0.02))
    rows += [row for t in range(901, 960) for row in pair(t, (30, 100), (1, 100))]
    assert judged(PLAN, rows).word is Word.WORSE


def test_warm_up_counts_only_for_gross_harm():
    """Ten seconds of warm-up are no evidence, but for what is plainly broken."""
    rows = steady(9, (2, 20), (2, 180), share=0.1)
    warming = judged(PLAN, rows).metrics[0]
    assert warming.ok == 1.0
    broken = judged(PLAN, steady(9, (20, 20), (2, 180), share=0.1))
    assert broken.word is Word.WORSE


def test_seconds_after_a_switch_are_not_judged():
    """Two seconds after a change of share count for nothing but gross harm, by time alone."""
    before = steady(30, (0, 20), (2, 180), share=0.1)
    known = judged(PLAN, before).metrics[0].ok
    switched = [*before, ShareRow(31, 0.5), *pair(31, (1, 100), (1, 100))]
    switched += pair(32, (1, 100), (1, 100))
    assert judged(PLAN, switched).metrics[0].ok == known
    switched += pair(33, (1, 100), (1, 100))
    assert judged(PLAN, switched).metrics[0].ok != known


def test_the_gate_opens_by_evidence_and_never_in_warm_up():
    """A step may be left once errors are proven at x3/+2 with E of 10, not before."""
    judge = Judge(PLAN)
    opened = None
    for row in steady(60, (0.2, 20), (1.8, 180), share=0.1):
        judge.feed(row)
        if judge.reading.gate and opened is None:
            opened = judge.reading.at
    assert opened is not None
    assert 10 < opened < 60
    bad = judged(PLAN, steady(60, (1, 20), (1.8, 180), share=0.1))
    assert not bad.gate


def test_the_gate_needs_latency_too():
    """Errors alone do not open the gate where latency is judged as well."""
    bound = Bound(0.1, 0.11, 0.13, 0.05, 0.13, 0.05, 0.1, 0.05, 0.05)
    latency = replace(LATENCY, bounds=(bound,), margin=WIDE)
    plan = replace(PLAN, metrics=(*PLAN.metrics, latency))
    rows = steady(60, (0.2, 20), (1.8, 180), share=0.1)
    assert judged(PLAN, rows).gate
    assert not judged(plan, rows).gate


def test_missing_buckets_are_unknown():
    """A histogram without the judged bound is no evidence, for or against."""
    bound = Bound(0.1, 0.11, 0.13, 0.05, 0.13, 0.05, 0.1, 0.05, 0.05)
    plan = replace(PLAN, metrics=(replace(LATENCY, bounds=(bound,), margin=WIDE),))
    rows: list[Row] = [ShareRow(0, 0.5)]
    for t in range(1, 100):
        rows += [LatencyTick(t, "latency", arm, {0.2: 90, float("inf"): 100}) for arm in Arm]
    reading = judged(plan, rows)
    assert reading.word is Word.WATCHING
    assert reading.metrics[0].ok == 1.0


def of_good_events(canary: float, usual: float, *, told: bool = True) -> Reading:
    """What is said when the canary has so many good events of a hundred, and the baseline usual."""
    good = MetricPlan("sold", "ratio", phi=1.0, p=usual / 100, margin=WIDE, worse="lower")
    metric = good if told else replace(good, p=None, margin=None)
    rows: list[Row] = [ShareRow(0, 0.5)]
    for t in range(1, 200):
        rows += pair(t, (canary, 100), (usual, 100), "sold")
    return judged(JudgePlan(steps=(0.5,), metrics=(metric,)), rows)


def test_lower_is_worse_for_good_events():
    """Where good events are counted, fewer of the canary are worse, more never are."""
    assert of_good_events(15, 30).word is Word.WORSE
    assert of_good_events(30, 30).word is Word.VERIFIED
    assert of_good_events(60, 30).word is Word.VERIFIED


def test_where_good_events_are_the_rule_the_missing_ones_are_judged():
    """99 of 100 succeed: a fall to 95 is worse, and no margin of good events could show it."""
    assert of_good_events(95, 99).word is Word.WORSE
    assert of_good_events(95, 99, told=False).word is Word.WORSE
    assert of_good_events(100, 99).word is Word.VERIFIED
    well = of_good_events(99, 99)
    assert well.word is Word.VERIFIED
    assert "sold missing at most" in well.because


def test_starved_canary_is_worse_by_its_traffic_share():
    """A canary that gets a tenth of its due is worse, unless sessions are sticky."""
    rows = steady(300, (0, 2), (2, 198), share=0.1)
    starved = judged(PLAN, rows)
    assert starved.word is Word.WORSE
    assert starved.metric == "traffic share"
    assert judged(replace(PLAN, sticky=True), rows).word is not Word.WORSE


def test_phi_tempers_all_evidence():
    """With a larger phi the same rows say less, for and against."""
    scattered = replace(PLAN, metrics=(replace(PLAN.metrics[0], phi=3.0),))
    harm = steady(30, (2, 20), (2, 180), share=0.1)
    assert judged(scattered, harm).evidence < judged(PLAN, harm).evidence
    health = steady(50, (1, 100), (1, 100))
    assert judged(scattered, health).metrics[0].ok < judged(PLAN, health).metrics[0].ok


def test_history_is_learnt_from_the_first_minute():
    """Without p the baseline's first 60 s serve, and only later ticks speak for the canary."""
    plan = JudgePlan(steps=(0.5,), metrics=(replace(ERRORS, phi=1.0),))
    rows = steady(60, (1, 100), (1, 100))
    young = judged(plan, rows)
    assert young.metrics[0].ok == 1.0
    assert judged(PLAN, rows).metrics[0].ok > 20
    older = rows + [row for t in range(61, 200) for row in pair(t, (1, 100), (1, 100))]
    reading = judged(plan, older)
    assert reading.word is Word.VERIFIED
    assert reading.metrics[0].margin is not None


def test_history_before_exposure_counts():
    """A minute of the baseline before the first user makes the judge ready at once."""
    plan = JudgePlan(steps=(0.5,), metrics=(replace(ERRORS, phi=1.0, margin=WIDE),))
    rows: list[Row] = [RatioTick(t, "errors", Arm.BASELINE, 2, 200) for t in range(70)]
    rows.append(ShareRow(70, 0.5))
    rows += [row for t in range(71, 135) for row in pair(t, (1, 100), (1, 100))]
    reading = judged(plan, rows)
    assert reading.word is Word.VERIFIED
    assert reading.at == 60


def test_rows_that_run_backwards_are_refused():
    """A row from the past is refused, also after its tick was closed by hand."""
    judge = Judge(PLAN)
    judge.feed(ShareRow(5, 0.1))
    with pytest.raises(BadEvidence, match="order of time"):
        judge.feed(ShareRow(4, 0.1))
    judge.close_tick()
    with pytest.raises(BadEvidence, match="order of time"):
        judge.feed(ShareRow(5, 0.1))


def test_counts_of_several_instances_add_up():
    """Two rows of one arm and metric at one moment are one tick."""
    rows: list[Row] = [ShareRow(0, 0.5)]
    for t in range(1, 40):
        rows += pair(t, (1, 60), (1, 100)) + pair(t, (0, 40), (1, 100))
    joined = steady(39, (1, 100), (2, 200))
    assert judged(PLAN, rows) == judged(PLAN, joined)


@settings(max_examples=15)
@given(st.data())
def test_reading_depends_on_nothing_but_the_rows(data):
    """Readings are the same however rows are grouped, when one looks, or after a resume."""
    dice = random.Random(data.draw(st.integers(0, 10**6)))
    service = Service(rps=20, base=0.05, canary=data.draw(st.sampled_from([0.05, 0.3])))
    rows = rows_of(service, dice, 40, 0.3)
    rows.insert(60, ShareRow(rows[60].t, 0.5))
    whole = judged(PLAN, rows)
    cut = data.draw(st.integers(0, len(rows)))
    first, resumed = Judge(PLAN), Judge(PLAN)
    for row in rows[:cut]:
        first.feed(row)
        assert first.reading.at <= row.t
    for row in rows[:cut] + rows[cut:]:
        resumed.feed(row)
        if data.draw(st.booleans()):
            _ = resumed.reading
    resumed.close_tick()
    assert resumed.reading == whole


@settings(max_examples=15)
@given(st.randoms(use_true_random=False), st.integers(1, 30))
def test_order_within_a_tick_does_not_matter(dice, seed):
    """Rows of one moment may come in any order."""
    rows = rows_of(Service(rps=30, base=0.1), random.Random(seed), 30, 0.5)
    shuffled = sorted(rows, key=lambda row: (row.t, dice.random()))
    assert judged(PLAN, shuffled) == judged(PLAN, rows)


def test_expectation_above_is_needed_for_verified():
    """`above N` holds *verified* up until the canary's counter has passed it."""
    used = MetricPlan("export_used", "counter", required=False)
    plan = replace(
        PLAN,
        metrics=(*PLAN.metrics, used),
        expect=(Expectation.parse("export_used above 3"),),
    )
    rows = steady(100, (1, 100), (1, 100))
    unused = judged(plan, rows)
    assert unused.word is Word.WATCHING
    assert "export_used above 3" in unused.because
    assert told(unused) == "not seen yet: export_used above 3: nothing is known of it yet"
    for t in (20.0, 30.0, 40.0, 50.0):
        rows.append(GaugeTick(t, "export_used", None, Arm.CANARY, 1.0))
    rows.sort(key=lambda row: row.t)
    reading = judged(plan, rows)
    assert reading.word is Word.VERIFIED
    assert told(reading) == "as designed: export_used above 3: 4 so far"
    often = judged(replace(plan, expect=(Expectation.parse("export_used used"),)), rows)
    assert told(often) == "not seen yet: export_used used: 4 times so far, 10 are needed"


def test_expectation_of_latency_is_proven_in_its_direction():
    """`latency_p95 falls by 20%` is met by a canary a third faster, not by one as slow."""
    expect = (Expectation.parse("latency_p95 falls by 20%"),)
    ends, words = {}, {}
    for slowed in (0.67, 1.0):
        dice = random.Random(9)
        service = Service(latency=True, slowed=slowed)
        plan = replace(plan_of(service, dice), expect=expect, time_limit=300)
        reading = rollout(service, dice, plan, 301)[0]
        ends[slowed], words[slowed] = reading.word, told(reading)
        (promise,) = reading.promises
        assert promise.met == (slowed < 1)
        assert promise.canary == pytest.approx(slowed * promise.baseline, rel=0.1)
    assert ends == {0.67: Word.VERIFIED, 1.0: Word.INCONCLUSIVE}
    number = r"[\d.]+ ms"
    seen = f"latency_p95 falls by 20%: {number} to {number}"
    assert re.fullmatch(f"as designed: {seen}, 3\\d % less", words[0.67])
    assert re.fullmatch(f"not seen yet: {seen}, evidence \\S+ of the 20 needed", words[1.0])


def test_expectation_of_a_ratio_is_proven_in_its_direction():
    """`errors falls by 50%` is met by halved errors, not by the same ones; a third is said so."""
    plan = replace(PLAN, expect=(Expectation.parse("errors falls by 50%"),))
    halved = judged(plan, steady(200, (1, 100), (4, 100)))
    assert halved.word is Word.VERIFIED
    assert told(halved) == "as designed: errors falls by 50%: 4 % to 1 %, 75 % less"
    third = judged(plan, steady(300, (80, 2000), (120, 2000)))
    short = "as designed: errors falls by 50%: 6 % to 4 %, 33 % less, at least half of that"
    assert told(third) == short
    assert third.because.endswith(f", {short}")
    assert judged(plan, steady(200, (4, 100), (4, 100))).word is Word.WATCHING
    few = judged(plan, steady(300, (16, 400), (20, 400)))
    assert few.promises[0].evidence >= few.promises[0].needed
    assert told(few) == (
        "not seen yet: errors falls by 50%: 5 % to 4 %, clearly, but by less than half of that"
    )
    none = judged(plan, steady(200, (0, 100), (0, 100)))
    assert not none.promises[0].met
    assert told(none).startswith("not seen yet: errors falls by 50%: 0 % to 0 %, evidence ")


def test_what_was_promised_stands_as_it_was_verified():
    """A level that falls back afterwards takes nothing away from what was seen."""
    gauge = MetricPlan("export_used", "gauge", required=False)
    above = (Expectation.parse("export_used above 3"),)
    plan = replace(PLAN, metrics=(*PLAN.metrics, gauge), expect=above)
    rows = steady(200, (1, 100), (1, 100))
    levels = {40.0: 5.0, 190.0: 1.0}
    rows += [GaugeTick(t, "export_used", "a", Arm.CANARY, at) for t, at in levels.items()]
    rows.sort(key=lambda row: row.t)
    reading = judged(plan, rows)
    assert reading.word is Word.VERIFIED
    assert reading.at < 190
    assert told(reading) == "as designed: export_used above 3: 5 so far"


def test_expectation_of_a_gauge_takes_blocks_of_a_minute():
    """A gauge that is lower in every minute is believed after six of them."""
    gauge = MetricPlan("rss", "gauge", required=False)
    plan = replace(
        PLAN, metrics=(*PLAN.metrics, gauge), expect=(Expectation.parse("rss falls by 10%"),)
    )
    rows = steady(700, (1, 100), (1, 100))
    for t in range(1, 701):
        rows.append(GaugeTick(t, "rss", "a", Arm.CANARY, 80.0 + t % 3))
        rows.append(GaugeTick(t, "rss", "b", Arm.BASELINE, 100.0 + t % 3))
    rows.sort(key=lambda row: row.t)
    reading = judged(plan, rows)
    assert reading.word is Word.VERIFIED
    assert 360 <= reading.at <= 380


def test_false_restores_are_rare():
    """Of 60 harmless rollouts watched for 5 min, at most 1 % plus 2 standard errors fall."""
    runs, restored = 60, 0
    for seed in range(runs):
        dice = random.Random(f"false/{seed}")
        judge = Judge(PLAN)
        for t in range(300):
            if t == 0:
                judge.feed(ShareRow(0, 0.1))
            for arm, n in ((Arm.CANARY, 20), (Arm.BASELINE, 180)):
                judge.feed(RatioTick(t, "errors", arm, count(dice, n, 0.01), n))
        restored += judge.reading.word is Word.WORSE
    assert restored <= runs * (0.01 + 2 * (0.01 * 0.99 / runs) ** 0.5)


def test_bare_evidence_is_near_the_information_bound():
    """T1 alone finds fivefold errors within twice the bound of any test at this level."""
    bound = 13.5  # statistics: 1 % to 5 %, 100 requests/s, a share of 10 %
    times = []
    for seed in range(60):
        dice, capital, t = random.Random(f"bound/{seed}"), Capital(HARM_RATIOS), 0
        while capital.value < 100:
            t += 1
            rows = list(second(Service(rps=100, canary=0.05), dice, t, 0.1))
            counts = [(row.bad, row.all) for row in rows if isinstance(row, RatioTick)]
            if all(n for _, n in counts):
                capital.step(1.0, counts[0], counts[1], 0.0)
        times.append(t)
    assert sum(times) / len(times) <= 2 * bound


def test_arms_that_swap_their_parts_are_compared_as_before():
    """A share that turns from a tenth to nine tenths is neither harm nor an overflow."""
    rows = [ShareRow(0, 0.1), ShareRow(100.5, 0.9)]
    for t in range(1, 301):
        canary = 20 if t <= 100 else 180
        rows.append(RatioTick(t, "errors", Arm.CANARY, canary * (t % 5 == 0) // 20, canary))
        rows.append(
            RatioTick(t, "errors", Arm.BASELINE, (200 - canary) * (t % 5 == 0) // 20, 200 - canary)
        )
    rows.sort(key=lambda row: row.t)
    reading = judged(PLAN, rows)
    assert reading.word is Word.VERIFIED
    assert reading.evidence < 1


@pytest.mark.parametrize("missed", [Arm.CANARY, Arm.BASELINE])
def test_ticks_that_one_arm_misses_bring_nothing(missed):
    """Every other tick is missing of one arm: what is left is judged as if that were all."""
    rows = steady(200, (1, 100), (1, 100))
    kept = [
        row for row in rows if not (isinstance(row, RatioTick) and row.arm is missed and row.t % 2)
    ]
    whole = [row for row in rows if not (isinstance(row, RatioTick) and row.t % 2)]
    assert judged(PLAN, kept).evidence == pytest.approx(judged(PLAN, whole).evidence, rel=0.05)
    assert judged(PLAN, kept).word is judged(PLAN, whole).word


def test_harm_to_what_is_common_is_bet_on_by_the_block_factor():
    """A quarter more of what four in ten requests have: the one factor needs over a minute."""
    common = MetricPlan("slow", "ratio", phi=1.0, p=0.4, rate=400.0, required=False)
    plan = JudgePlan(metrics=(*PLAN.metrics, common), interval=1.0)
    rows = steady(60, (1, 100), (1, 100))
    for t in range(1, 61):
        rows.append(RatioTick(t, "slow", Arm.CANARY, 50, 100))
        rows.append(RatioTick(t, "slow", Arm.BASELINE, 120, 300))
    rows.sort(key=lambda row: row.t)
    reading = judged(plan, rows)
    assert (reading.word, reading.metric) == (Word.WORSE, "slow")
