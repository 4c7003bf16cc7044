"""Whether what was expected of a change is there: proven in its direction, and large enough."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from math import inf, log

from surefoot.analysis.expect import DirectionTest, Expectation, quantile
from surefoot.analysis.gauges import GaugeTest
from surefoot.analysis.opentick import OpenTick
from surefoot.analysis.plan import JudgePlan, MetricPlan
from surefoot.analysis.ticks import Arm, LatencyTick, RatioTick
from surefoot.analysis.tracks import Moment
from surefoot.domain.verdict import PromiseReading

__all__ = ["ENOUGH_USE", "Promise", "promises"]

ENOUGH_USE = 10
MEDIAN = 0.5


@dataclass(slots=True)
class Estimate:
    """What both arms did over all judged ticks: sums for a rate, a mean or a histogram."""

    canary: list[float] = field(default_factory=lambda: [0.0, 0.0])
    baseline: list[float] = field(default_factory=lambda: [0.0, 0.0])
    canary_le: dict[float, float] = field(default_factory=dict)
    baseline_le: dict[float, float] = field(default_factory=dict)

    def add(self, canary: tuple[float, float], baseline: tuple[float, float]) -> None:
        """Add (amount, of how many) for both arms."""
        for sums, (amount, count) in ((self.canary, canary), (self.baseline, baseline)):
            sums[0] += amount
            sums[1] += count

    def add_buckets(self, canary: LatencyTick, baseline: LatencyTick) -> None:
        """Add cumulative buckets for both arms."""
        for sums, row in ((self.canary_le, canary), (self.baseline_le, baseline)):
            for bound, count in row.le.items():
                sums[bound] = sums.get(bound, 0.0) + count

    def values(self, q: float | None) -> tuple[float, float] | None:
        """The canary's and the baseline's value, or None while one is unknown."""
        if q is not None:
            canary, baseline = quantile(self.canary_le, q), quantile(self.baseline_le, q)
            return None if canary is None or baseline is None else (canary, baseline)
        if not (self.canary[1] and self.baseline[1]):
            return None
        return self.canary[0] / self.canary[1], self.baseline[0] / self.baseline[1]


class Promise:
    """One expectation under observation.

    Counters arrive as gauge rows whose value is the increment of the tick; they can be expected
    above a number, or used. A latency without a quantile is taken at its median. The test of a
    gauge is the judge's own, who steps it.
    """

    def __init__(
        self,
        expectation: Expectation,
        metric: MetricPlan | None,
        gauge: GaugeTest | None,
        alpha_ok: float,
    ) -> None:
        self.expectation = expectation
        self._enough = 1 / alpha_ok
        self._seen = 0.0
        self._last: float | None = None
        self._estimate = Estimate()
        self._bound: float | None = None
        self._quantile: float | None = None
        self._test: DirectionTest | None = None
        self._gauge = gauge
        self._kind = metric.kind if metric else None
        if metric is not None:
            self.settle(metric)

    def settle(self, metric: MetricPlan) -> None:
        """Fix the test, once its metric's history is known."""
        rises = self.expectation.verb == "rises"
        if self.expectation.verb not in {"falls", "rises"} or self._test is not None:
            return
        if metric.kind == "ratio":
            self._test = DirectionTest(rises=rises, phi=metric.phi)
        elif metric.kind == "latency" and metric.bounds:
            q = self._quantile = self.expectation.quantile or MEDIAN
            nearest = min(metric.bounds, key=lambda b: abs(log(b.slower_x) - log(1 - q)))
            self._bound = nearest.x
            self._test = DirectionTest(rises=rises, phi=nearest.phi or metric.phi)

    def step(self, moment: Moment, tick: OpenTick) -> None:
        """Take one tick."""
        name = self.expectation.metric
        if self._kind == "ratio":
            self._step_ratio(moment, *tick.ratio(name))
        elif self._kind == "latency":
            self._step_latency(moment, *tick.latency(name))
        elif self._kind is not None:
            canary, baseline = tick.samples(name, Arm.CANARY), tick.samples(name, Arm.BASELINE)
            self._step_gauge(moment, canary, baseline)

    def _step_ratio(
        self, moment: Moment, canary: RatioTick | None, baseline: RatioTick | None
    ) -> None:
        self._seen += canary.all if canary else 0.0
        if not (moment.judged and canary and baseline and canary.all > 0 and baseline.all > 0):
            return
        one, two = (canary.bad, canary.all), (baseline.bad, baseline.all)
        self._estimate.add(one, two)
        if self._test:
            self._test.step(one, two)

    def _step_latency(
        self, moment: Moment, canary: LatencyTick | None, baseline: LatencyTick | None
    ) -> None:
        self._seen += canary.le.get(inf, 0.0) if canary else 0.0
        bound = self._bound
        if not (moment.judged and canary and baseline) or bound is None:
            return
        n_c, n_b = canary.le.get(inf, 0.0), baseline.le.get(inf, 0.0)
        if not (n_c and n_b) or bound not in canary.le or bound not in baseline.le:
            return
        self._estimate.add_buckets(canary, baseline)
        if self._test:
            self._test.step((n_c - canary.le[bound], n_c), (n_b - baseline.le[bound], n_b))

    def _step_gauge(
        self, moment: Moment, canary: Sequence[float], baseline: Sequence[float]
    ) -> None:
        is_counter = self._kind == "counter"
        if canary:
            total = sum(canary)
            self._seen += total if is_counter else sum(1 for value in canary if value)
            self._last = self._seen if is_counter else total / len(canary)
        if moment.judged and canary and baseline and not is_counter:
            means = [sum(values) / len(values) for values in (canary, baseline)]
            self._estimate.add((means[0], 1.0), (means[1], 1.0))

    @property
    def _evidence(self) -> float:
        """Of the promised direction, as an e-value."""
        if self._gauge:
            return self._gauge.value(higher=self.expectation.verb == "rises")
        return self._test.value if self._test else 1.0

    @property
    def _level(self) -> float:
        """What is seen of the canary alone: the last level of a gauge, else how much it counted."""
        return self._seen if self._last is None else self._last

    @property
    def reading(self) -> PromiseReading:
        """How it stands now."""
        expectation, values = self.expectation, None
        canary = baseline = evidence = needed = None
        if expectation.verb in {"falls", "rises"}:
            values = self._estimate.values(self._quantile)
            evidence, needed = self._evidence, self._enough
            if values is not None:
                canary, baseline = values
        elif self._seen or self._last is not None:
            canary = self._seen if expectation.verb == "used" else self._level
        return PromiseReading(
            expects=str(expectation),
            metric=expectation.metric,
            kind=self._kind or "",
            met=self.met,
            canary=canary,
            baseline=baseline,
            evidence=evidence,
            needed=needed,
        )

    @property
    def met(self) -> bool:
        """Whether the evidence shows what was expected."""
        expectation = self.expectation
        if expectation.verb == "used":
            return self._seen >= ENOUGH_USE
        if expectation.verb == "above":
            return self._level > expectation.amount
        values = self._estimate.values(self._quantile)
        if values is None or self._evidence < self._enough:
            return False
        canary, baseline = values
        if baseline <= 0:
            return False
        moved = (canary - baseline) / baseline
        return (moved if expectation.verb == "rises" else -moved) >= expectation.amount / 200


def promises(plan: JudgePlan, gauges: Mapping[str, GaugeTest]) -> tuple[Promise, ...]:
    """What is expected by the plan, not yet seen.

    Args:
        plan: with its expectations.
        gauges: the test of each gauge.
    """
    return tuple(
        Promise(one, plan.metric(one.metric), gauges.get(one.metric), plan.alpha_ok)
        for one in plan.expect
    )
