"""What the judge keeps of each metric: its counts, its evidence of harm and of "not worse"."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from math import inf, log

from surefoot.analysis.bernoulli import COMMON_RATIOS, BlockCapital
from surefoot.analysis.evidence import GROSS_RATIOS, HARM_RATIOS, Capital, Mixture
from surefoot.analysis.factor import growth, growth_absolute
from surefoot.analysis.interval import RatioSequence
from surefoot.analysis.latency import Bound
from surefoot.analysis.margins import GATE, latency_bets, looser, ok_bets
from surefoot.analysis.opentick import OpenTick
from surefoot.analysis.plan import JudgePlan, MetricPlan, arms_at
from surefoot.analysis.ticks import LatencyTick, RatioTick
from surefoot.domain.verdict import Margin

__all__ = ["GrossGuard", "LatencyTrack", "Moment", "RatioTrack", "Restarts", "Totals", "Track"]

DEAD_BAND_M, DEAD_BAND_D = 1.1, 0.0001
KEPT = 0.5  # of the capital, for harm that comes late
GROSS_M, GROSS_M_WARMING = 2.0, 5.0
LONG_WARM_UP = 10.0
COMMON = 0.1  # a rate above which what did not happen is worth a bet, too
PAST_SECONDS = 600.0  # of the baseline: what its rate is worth at first
NO_MARGIN = Margin(1.0, 0.0, "declared")

Pair = tuple[float, float]


@dataclass(slots=True)
class Moment:
    """When a tick was: seconds since first exposure, and whether warm-up and switches are over.

    The judge has one, and moves it on: a new one for each tick would be dear.
    """

    at: float
    judged: bool


@dataclass(slots=True)
class Totals:
    """Counted events and all events of both arms since first exposure."""

    canary_bad: float = 0.0
    canary_all: float = 0.0
    baseline_bad: float = 0.0
    baseline_all: float = 0.0


class Restarts:
    """Releases the capital kept for late harm, evenly over the time limit.

    It depends on time alone; what falls into a gap is released at the next tick that is judged.
    """

    __slots__ = ("_limit", "_spent")

    def __init__(self, time_limit: float) -> None:
        self._limit = time_limit
        self._spent = 0.0

    def at(self, at: float) -> float:
        """What is due at `at` seconds since first exposure and was not released yet."""
        due = KEPT * at / self._limit if at < self._limit else KEPT
        fresh, self._spent = due - self._spent, due
        return fresh


class GrossGuard:
    """T5: a canary that fails plainly, seen from the first second on."""

    __slots__ = ("_capital", "_warm_up", "value")

    def __init__(self, phi: float, warm_up: float) -> None:
        self._capital = Capital(GROSS_RATIOS, phi=max(1.0, phi / 2))
        self._warm_up = warm_up if warm_up > LONG_WARM_UP else 0.0
        self.value = self._capital.value  # the evidence so far, as an e-value

    def step(self, at: float, canary: Pair, baseline: Pair) -> None:
        """Take one tick at `at` seconds since first exposure."""
        m = GROSS_M_WARMING if at < self._warm_up else GROSS_M
        self._capital.step(m, canary, baseline, 0.0)
        self.value = self._capital.value


Arms = tuple[Pair, Pair]  # of the canary and of the baseline: events, all
View = Callable[[Arms], Arms] | None  # as which arms 1 and 2 they are compared; None: as they are


def _exchanged(arms: Arms) -> Arms:
    canary, baseline = arms
    return baseline, canary


def _missing(arms: Arms) -> Arms:
    canary, baseline = arms
    return (canary[1] - canary[0], canary[1]), (baseline[1] - baseline[0], baseline[1])


def _rate_in(view: View, p: float | None) -> float | None:
    return 1 - p if p is not None and view is _missing else p


def _harm(rate: float | None, metric: MetricPlan, d: float, phi: float) -> Capital | BlockCapital:
    """The bets on harm, for events of which arm 2 is known to have this rate."""
    if rate is None or rate <= COMMON:
        return Capital(HARM_RATIOS, d=d, phi=phi, kept=KEPT)
    past = PAST_SECONDS * (metric.rate or 1.0)
    return BlockCapital(COMMON_RATIOS, (rate * past, past), d=d, phi=phi, kept=KEPT)


class RatioTrack:
    """A ratio metric.

    For one whose lower values are worse, the arms change places; or, where good events are the
    rule, what is missing of them counts as bad. Which of the two is fit for "not worse" is fixed
    with its history; against harm half the capital is on each.
    """

    def __init__(self, metric: MetricPlan, plan: JudgePlan) -> None:
        self.metric = metric
        self.totals = Totals()
        self.gross = GrossGuard(metric.phi, plan.warm_up) if plan.errors is metric else None
        self._restarts = Restarts(plan.time_limit)
        views: tuple[View, ...] = (None,) if metric.worse == "higher" else (_exchanged, _missing)
        self._harms = tuple(
            (view, _harm(_rate_in(view, metric.p), metric, DEAD_BAND_D, metric.phi))
            for view in views
        )
        self.harm = 1 - KEPT  # the evidence of harm, as an e-value; the gross guard is apart
        self._view = views[0]
        self._ok: Mixture | None = None
        self._gate: Mixture | None = None
        self._ratio = RatioSequence()
        if metric.settled:
            self.settle(metric, plan)

    def settle(self, metric: MetricPlan, plan: JudgePlan) -> None:
        """Stake what needs history: "not worse than its margin", and the gate of a step."""
        self.metric = metric
        p, margin = metric.rare or 0.0, metric.margin or NO_MARGIN
        self._view = _missing if metric.of_missing else self._view
        _, last = arms_at(metric, plan.last_share)
        _, first = arms_at(metric, plan.first_share)
        self._ok = Mixture(ok_bets(p, last, margin), phi=metric.phi)
        gate = looser(margin, GATE.margin, p)
        self._gate = Mixture(ok_bets(p, first, gate), phi=metric.phi)

    def step(self, moment: Moment, tick: OpenTick) -> None:
        """Take one tick. Without events in both arms it is counted, and no evidence."""
        name = self.metric.name
        canary, baseline = tick.ratio(name)
        self._count(canary, baseline)
        if self.metric.strata:
            for one, other in tick.ratios(name):
                self._weigh(moment, one, other)
        elif canary is not None and baseline is not None:
            self._weigh(moment, canary, baseline)

    def _weigh(self, moment: Moment, canary: RatioTick, baseline: RatioTick) -> None:
        """Multiply the evidence by what these rows bring; those of strata, one after the other."""
        if canary.all <= 0 or baseline.all <= 0:
            return
        arm_c = float(canary.bad), float(canary.all)  # products with whole numbers are dearer
        arm_b = float(baseline.bad), float(baseline.all)
        arms = arm_c, arm_b
        if canary.bad or baseline.bad:
            if self.gross:  # it has no dead band and no restarts: without events it stays as it is
                self.gross.step(moment.at, arm_c, arm_b)
            self._ratio.add(arm_c, arm_b)
        if not moment.judged:
            return
        u, against = self._restarts.at(moment.at), 0.0
        for view, harm in self._harms:
            one, two = view(arms) if view else arms
            harm.step(DEAD_BAND_M, one, two, u)
            against += harm.value
        self.harm = against / len(self._harms)
        if self._ok and self._gate:
            one, two = self._view(arms) if self._view else arms
            self._ok.step(one, two)
            self._gate.step(one, two)

    def _count(self, canary: RatioTick | None, baseline: RatioTick | None) -> None:
        totals = self.totals
        if canary:
            totals.canary_bad += canary.bad
            totals.canary_all += canary.all
        if baseline:
            totals.baseline_bad += baseline.bad
            totals.baseline_all += baseline.all

    @property
    def bad(self) -> Pair:
        """Bad events of the canary and of the baseline since first exposure."""
        totals = self.totals
        if self.metric.worse == "higher":
            return totals.canary_bad, totals.baseline_bad
        return totals.canary_all - totals.canary_bad, totals.baseline_all - totals.baseline_bad

    @property
    def slower_than(self) -> None:
        """What is bad here is so without any bound."""
        return None

    @property
    def ok(self) -> float:
        """The evidence of "not worse than its margin", as an e-value."""
        return self._ok.value if self._ok else 1.0

    def ok_reaches(self, evidence: float) -> bool:
        """Whether `ok` is at least `evidence`; cheaper to ask at each tick."""
        return self._ok.reaches(evidence) if self._ok else evidence <= 1.0

    @property
    def gate(self) -> float:
        """The evidence that the step may be left, as an e-value."""
        return self._gate.value if self._gate else 1.0

    @property
    def interval(self) -> Pair | None:
        """The 95 % confidence sequence of p_c/p_b over all ticks since first exposure."""
        return self._ratio.at(self.metric.phi)

    def seconds_to_ok(self, plan: JudgePlan, rate: float) -> float:
        """Seconds until "not worse" is likely proven, at `rate` events per second."""
        metric = self.metric
        if metric.rare is None or metric.margin is None:
            return inf
        first, w = arms_at(metric, plan.last_share)
        nats = growth(metric.rare, w, metric.margin.ratio, metric.margin.points / 100)
        return _seconds(plan, self.ok, rate * first * nats / metric.phi)


class BoundTrack:
    """One judged bound of a latency."""

    def __init__(self, bound: Bound, metric: MetricPlan, plan: JudgePlan) -> None:
        self.bound = bound
        self.phi = bound.phi or metric.phi
        self._m, d = bound.null
        self.harm = _harm(bound.slower_x, metric, d, self.phi)
        _, last = arms_at(metric, plan.last_share)
        _, first = arms_at(metric, plan.first_share)
        self.ok = Mixture(latency_bets(bound.slower_z, bound.slower_x, last, bound.d), phi=self.phi)
        self.gate = Mixture(
            latency_bets(bound.slower_gate, bound.slower_x, first, bound.gate_d), phi=self.phi
        )
        self.totals = Totals()

    def step(
        self, canary: Mapping[float, float], baseline: Mapping[float, float], u: float
    ) -> None:
        """Take one tick of cumulative buckets, neither empty."""
        bound = self.bound
        n_c, n_b = canary[inf], baseline[inf]
        slower_b = (n_b - baseline[bound.x], n_b)
        self.harm.step(self._m, (n_c - canary[bound.y], n_c), slower_b, u)
        self.ok.step((n_c - canary[bound.z], n_c), slower_b)
        self.gate.step((n_c - canary[bound.gate_z], n_c), slower_b)


class LatencyTrack:
    """A latency metric: "slower than a bound", for each judged bound.

    Harm is the mean over the bounds; for "not worse" all of them must pass.
    """

    def __init__(self, metric: MetricPlan, plan: JudgePlan) -> None:
        self.metric = metric
        self.gross = None
        self._all = Totals()
        self._restarts = Restarts(plan.time_limit)
        self._bounds: tuple[BoundTrack, ...] = ()
        self._needed: frozenset[float] = frozenset()
        self.differing: frozenset[float] = frozenset()  # bounds that only one arm's rows had
        if metric.settled:
            self.settle(metric, plan)

    def settle(self, metric: MetricPlan, plan: JudgePlan) -> None:
        """Stake on the judged bounds, which need history."""
        self.metric = metric
        self._bounds = tuple(BoundTrack(bound, metric, plan) for bound in metric.bounds)
        self._needed = frozenset(at for b in metric.bounds for at in (b.x, b.y, b.z, b.gate_z, inf))

    def step(self, moment: Moment, tick: OpenTick) -> None:
        """Take one tick. Where an arm or a judged bound is missing, it is no evidence."""
        name = self.metric.name
        canary, baseline = tick.latency(name)
        self._count(canary, baseline)
        if not moment.judged or not self._bounds:
            return
        if self.metric.strata:
            for one, other in tick.latencies(name):
                self._weigh(moment, one, other)
        elif canary is not None and baseline is not None:
            self._weigh(moment, canary, baseline)

    def _weigh(self, moment: Moment, canary: LatencyTick, baseline: LatencyTick) -> None:
        """Multiply the evidence by what these rows bring; those of strata, one after the other."""
        if not (self._needed <= canary.le.keys() and self._needed <= baseline.le.keys()):
            self.differing |= canary.le.keys() ^ baseline.le.keys()
            return
        if canary.le[inf] <= 0 or baseline.le[inf] <= 0:
            return
        u = self._restarts.at(moment.at)
        for bound in self._bounds:
            bound.step(canary.le, baseline.le, u)

    def _count(self, canary: LatencyTick | None, baseline: LatencyTick | None) -> None:
        if canary:
            n = canary.le.get(inf, 0.0)
            self._all.canary_all += n
            for bound in self._bounds:
                bound.totals.canary_all += n
                bound.totals.canary_bad += n - canary.le.get(bound.bound.y, n)
        if baseline:
            n = baseline.le.get(inf, 0.0)
            self._all.baseline_all += n
            for bound in self._bounds:
                bound.totals.baseline_all += n
                bound.totals.baseline_bad += n - baseline.le.get(bound.bound.x, n)

    @property
    def totals(self) -> Totals:
        """Answers of both arms; "bad" is slower than the bound that speaks loudest."""
        loudest = self.loudest
        return loudest.totals if loudest else self._all

    @property
    def bad(self) -> Pair:
        """Slow answers of the canary and of the baseline, by the bound that speaks loudest."""
        return self.totals.canary_bad, self.totals.baseline_bad

    @property
    def harm(self) -> float:
        """The evidence of harm, as an e-value: the mean over the bounds."""
        if not self._bounds:
            return 1.0
        return sum(bound.harm.value for bound in self._bounds) / len(self._bounds)

    @property
    def ok(self) -> float:
        """The evidence of "not worse", as an e-value: of the bound that has least."""
        return min((bound.ok.value for bound in self._bounds), default=1.0)

    def ok_reaches(self, evidence: float) -> bool:
        """Whether `ok` is at least `evidence`; cheaper to ask at each tick."""
        if not self._bounds:
            return evidence <= 1.0
        return all(bound.ok.reaches(evidence) for bound in self._bounds)

    @property
    def gate(self) -> float:
        """The evidence that the step may be left, as an e-value."""
        return min((bound.gate.value for bound in self._bounds), default=1.0)

    @property
    def interval(self) -> None:
        """No single ratio tells a latency."""
        return None

    @property
    def slower_than(self) -> Pair | None:
        """The bounds, in seconds, that the loudest holds the canary and the baseline to."""
        loudest = self.loudest
        return (loudest.bound.y, loudest.bound.x) if loudest else None

    @property
    def loudest(self) -> BoundTrack | None:
        """The bound with the most evidence of harm."""
        return max(self._bounds, key=lambda bound: bound.harm.value, default=None)

    def seconds_to_ok(self, plan: JudgePlan, rate: float) -> float:
        """Seconds until "not worse" is likely proven, at `rate` requests per second."""
        first, w = arms_at(self.metric, plan.last_share)
        seconds = []
        for track in self._bounds:
            bound = track.bound
            nats = growth_absolute(bound.slower_z, bound.slower_x, w, bound.d)
            seconds.append(_seconds(plan, track.ok.value, rate * first * nats / track.phi))
        return max(seconds, default=inf)


def _seconds(plan: JudgePlan, evidence: float, nats_per_second: float) -> float:
    wanted = log(1 / plan.alpha_ok) - log(max(evidence, 1e-300))
    if wanted <= 0:
        return 0.0
    return wanted / nats_per_second if nats_per_second > 0 else inf


Track = RatioTrack | LatencyTrack
