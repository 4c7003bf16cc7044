"""What both arms of a metric did over time, as points with their intervals."""

from collections.abc import Callable, Iterator, Sequence
from math import inf, sqrt

from surefoot.analysis.course import Stretch, Timed
from surefoot.analysis.plan import MetricPlan
from surefoot.analysis.ticks import Arm

__all__ = ["Point", "Values", "meaning"]

_Z = 1.959963984540054  # 95 % of the standard normal
_USUAL_SLOW = 0.05  # where no bound is judged, the one that so many answers exceed is drawn
_COUNTED = {"higher": "bad", "lower": "good"}

Point = tuple[float, float, float, float]  # seconds, value, and the interval's two ends
Values = Callable[[MetricPlan, Arm, Sequence[Stretch]], Iterator[Point]]


def meaning(metric: MetricPlan, stretches: Sequence[Stretch]) -> tuple[str, Values]:
    """What the lines of a metric show, in words, and what makes them of stretches."""
    if metric.kind == "ratio":
        return f"the fraction that is {_COUNTED[metric.worse]}", _ratio_points
    if metric.kind == "latency":
        bound = _drawn_bound(metric, stretches)
        return f"the fraction slower than {bound:.3g} s", _slower_points(bound)
    return "the mean of its samples, between the least and the most", _gauge_points


def _ratio_points(metric: MetricPlan, arm: Arm, stretches: Sequence[Stretch]) -> Iterator[Point]:
    for stretch in stretches:
        bad, everything = stretch.ratios.get((metric.name, arm), (0.0, 0.0))
        if everything > 0:
            low, high = _wilson(bad, everything, metric.phi)
            yield stretch.end, bad / everything, low, high


def _slower_points(bound: float) -> Values:
    def points(metric: MetricPlan, arm: Arm, stretches: Sequence[Stretch]) -> Iterator[Point]:
        for stretch in stretches:
            timed = stretch.latencies.get((metric.name, arm))
            if timed is not None and timed.all > 0 and bound in timed.within:
                slow = max(timed.all - timed.within[bound], 0.0)
                low, high = _wilson(slow, timed.all, metric.phi)
                yield stretch.end, slow / timed.all, low, high

    return points


def _gauge_points(metric: MetricPlan, arm: Arm, stretches: Sequence[Stretch]) -> Iterator[Point]:
    for stretch in stretches:
        gauged = stretch.gauges.get((metric.name, arm))
        if gauged is not None:
            yield stretch.end, gauged.total / gauged.count, gauged.least, gauged.most


def _drawn_bound(metric: MetricPlan, stretches: Sequence[Stretch]) -> float:
    """Of the judged bounds the one at which the arms differ most, in standard errors."""
    arms = {arm: Timed() for arm in Arm}
    for stretch in stretches:
        for arm, sums in arms.items():
            timed = stretch.latencies.get((metric.name, arm), Timed())
            sums.add(timed.all, timed.within)
    canary, baseline = arms[Arm.CANARY], arms[Arm.BASELINE]
    shared = [at for at in sorted(canary.within) if at in baseline.within and at < inf]
    everything = canary.all + baseline.all
    if not shared or not canary.all or not baseline.all:
        return shared[0] if shared else inf

    def slower(at: float) -> float:
        return 1 - (canary.within[at] + baseline.within[at]) / everything

    def difference(at: float) -> float:
        apart = canary.within[at] / canary.all - baseline.within[at] / baseline.all
        return abs(apart) / sqrt(max(slower(at) * (1 - slower(at)), 1e-9))

    judged = [bound.x for bound in metric.bounds if bound.x in shared]
    if judged:
        return max(judged, key=difference)
    return min(shared, key=lambda at: abs(slower(at) - _USUAL_SLOW))


def _wilson(bad: float, everything: float, phi: float) -> tuple[float, float]:
    """Wilson's 95 % interval (1927) of a fraction whose counts scatter phi times the binomial."""
    n, p = everything / phi, bad / everything
    middle = (p + _Z**2 / (2 * n)) / (1 + _Z**2 / n)
    reach = _Z / (1 + _Z**2 / n) * sqrt(p * (1 - p) / n + _Z**2 / (4 * n * n))
    return max(middle - reach, 0.0), min(middle + reach, 1.0)
