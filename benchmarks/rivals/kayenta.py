"""Kayenta's default judge, NetflixACAJudge-v1.0: one label for each metric, one score for all.

Ported as facts from spinnaker/kayenta at a69573b, kayenta-judge/src/main/scala/.../judge:

* NetflixACAJudge.scala: tolerance 0.25, confidence 0.98; direction "either", NaN strategy "none"
  (which removes), outliers kept (factor 3 if removed), effect measured as the ratio of means with
  1.0 allowed in both directions. What cannot be classified is an Error.
* classifiers/metric/MannWhitneyClassifier.scala: High if the interval lies above 0.25 times the
  size of the estimated shift and the effect is at least the allowed one; a ratio of means with a
  zero in it is no number and counts as enough. Noise of 1e-5 is added where each side is constant.
* preprocessing/Transforms.scala, detectors/IQRDetector.scala: quartiles by linear interpolation
  (R-7); fences no narrower than the 1st and 99th percentile.
* scorers/WeightedSumScorer.scala, classifiers/score/ThresholdScoreClassifier.scala: a group's score
  is the share of its metrics that pass; half or more without data, or a critical failure: 0.

A rollout fails when a score is under "marginal": 75 in the examples of json-formats.md, with pass
at 95. Metrics are rates of one minute; direction "increase", as docs/canary-config.md advises for
errors. "At least 50 pieces of time series data" before a judgement is Spinnaker's advice
(spinnaker.io, "Best practices for configuring canary"): so `once` judges an hour. Teams that ask
sooner get `every five minutes`, over all that happened so far.
"""

import random
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from decimal import ROUND_HALF_UP, Decimal
from enum import StrEnum
from itertools import compress
from math import floor, isnan, nan
from statistics import fmean

from rivals.kayenta_interval import AllTiedError, Shift, shift_between
from rivals.ranks import mann_whitney_u
from rivals.rule import Answer, Record, Said, passed

TOLERANCE = 0.25
CONFIDENCE = 0.98
NOISE = 1e-5
NODATA_PERCENT = 50
MARGINAL = 75.0


class Label(StrEnum):
    """What Kayenta calls a metric."""

    PASS = "Pass"  # noqa: S105 -- Kayenta's word, no secret
    HIGH = "High"
    LOW = "Low"
    NODATA = "Nodata"
    NODATA_FAIL = "NodataFailMetric"
    ERROR = "Error"


@dataclass(frozen=True, slots=True)
class Metric:
    """How one metric is judged; pairs are (decrease, increase), defaults Kayenta's own."""

    direction: str = "either"
    replace_nan: bool = False
    outlier_factor: float | None = None  # None keeps outliers; 3.0 is the default when removed
    critical: bool = False
    must_have_data: bool = False
    measure: str = "meanRatio"
    allowed: tuple[float, float] = (1.0, 1.0)
    critical_at: tuple[float, float] = (1.0, 1.0)
    tolerance: float = TOLERANCE
    confidence: float = CONFIDENCE


@dataclass(frozen=True, slots=True)
class Judged:
    """A metric's label; `critical` fails the whole analysis; `ratio` is that of the means."""

    label: Label
    ratio: float = 1.0
    critical: bool = False


def percentile(values: Sequence[float], percent: float) -> float:
    """The R-7 estimate: linear between the two nearest of the sorted values."""
    ordered = sorted(values)
    if not ordered:
        return nan
    at = (len(ordered) - 1) * percent / 100
    low = floor(at)
    high = min(low + 1, len(ordered) - 1)
    return ordered[low] + (at - low) * (ordered[high] - ordered[low])


def outliers(values: Sequence[float], factor: float, *, calm: bool = True) -> list[bool]:
    """Which values lie beyond the quartiles by `factor` times their distance.

    `calm` widens the fences to the 1st and 99th percentile, as the judge does.
    """
    low, high = percentile(values, 25), percentile(values, 75)
    reach = factor * (high - low)
    low, high = low - reach, high + reach
    if calm:
        low, high = min(percentile(values, 1), low), max(percentile(values, 99), high)
    return [value > high or value < low for value in values]


def transform(values: Sequence[float], metric: Metric) -> list[float]:
    """Without NaN (or with zeros for it), and without outliers if so configured."""
    if metric.replace_nan:
        kept = [0.0 if isnan(value) else value for value in values]
    else:
        kept = [value for value in values if not isnan(value)]
    if metric.outlier_factor is None:
        return kept
    return list(compress(kept, (not out for out in outliers(kept, metric.outlier_factor))))


def mean_ratio(control: Sequence[float], experiment: Sequence[float]) -> float:
    """Mean of the experiment over mean of the control; NaN where either is zero."""
    before, after = fmean(control), fmean(experiment)
    return after / before if before and after else nan


def cles(control: Sequence[float], experiment: Sequence[float]) -> float:
    """The common language effect size: how often a value of the experiment is the larger."""
    u, _ = mann_whitney_u(experiment, control)
    return u / (len(control) * len(experiment))


def judge_metric(
    metric: Metric,
    experiment: Sequence[float],
    control: Sequence[float],
    dice: random.Random | None = None,
) -> Judged:
    """Label one metric by its values in the canary (experiment) and the baseline (control).

    `dice` makes the noise that is added where both sides are constant.
    """
    experiment, control = transform(experiment, metric), transform(control, metric)
    if not experiment or not control:
        if metric.replace_nan:
            return Judged(Label.PASS)
        if metric.must_have_data and not metric.critical:
            return Judged(Label.NODATA_FAIL)
        return Judged(Label.NODATA, critical=metric.critical)
    if sorted(experiment) == sorted(control) or len({*experiment, *control}) == 1:
        return Judged(Label.PASS)
    if len(set(experiment)) == 1 and len(set(control)) == 1:
        dice = dice or random.Random(0)
        experiment = [dice.gauss(value, abs(value) * NOISE) for value in experiment]
        control = [dice.gauss(value, abs(value) * NOISE) for value in control]
    try:
        shift = shift_between(experiment, control, metric.confidence)
    except AllTiedError:
        return Judged(Label.ERROR)
    ratio = mean_ratio(control, experiment)
    effect = cles(control, experiment) if metric.measure == "cles" else ratio
    label = _label(metric, shift, effect)
    return Judged(label, ratio, critical=metric.critical and _is_critical(metric, label, effect))


def _label(metric: Metric, shift: Shift, effect: float) -> Label:
    band = metric.tolerance * abs(shift.estimate)
    decrease, increase = metric.allowed
    if metric.direction != "decrease" and shift.low > band and not effect < increase:
        return Label.HIGH
    if metric.direction != "increase" and shift.high < -band and not effect > decrease:
        return Label.LOW
    return Label.PASS


def _is_critical(metric: Metric, label: Label, effect: float) -> bool:
    decrease, increase = metric.critical_at
    if label is Label.HIGH:
        return not effect < increase
    return label is Label.LOW and not effect > decrease


def score(
    results: Sequence[tuple[str, Judged]], weights: Mapping[str, float] | None = None
) -> float:
    """The score of an analysis, 0 to 100.

    Args:
        results: each metric's group, and what it was called.
        weights: of groups, in percent; groups without one share what is left to 100.
    """
    labels = [judged.label for _, judged in results]
    if any(judged.critical and judged.label is not Label.PASS for _, judged in results):
        return 0.0
    if labels.count(Label.NODATA) / len(labels) * 100 >= NODATA_PERCENT:
        return 0.0
    weights = weights or {}
    groups: dict[str, Counter[Label]] = defaultdict(Counter)
    for group, judged in results:
        groups[group][judged.label] += 1
    unweighted = [group for group in groups if group not in weights]
    left = (100 - sum(weights.values())) / len(unweighted) if unweighted else 0.0
    total = sum(_group_score(counts) * weights.get(g, left) / 100 for g, counts in groups.items())
    return float(Decimal(str(total)).quantize(Decimal("0.01"), ROUND_HALF_UP))


def _group_score(labels: Counter[Label]) -> float:
    counted = sum(labels[one] for one in (Label.PASS, Label.HIGH, Label.LOW, Label.NODATA_FAIL))
    return labels[Label.PASS] / counted * 100 if counted else 100.0


@dataclass(slots=True)
class Kayenta:
    """Judges the failing fraction of each minute at `first`, then each `interval`, to `ends`."""

    first: int
    interval: int
    ends: int
    every: int = 300
    metric: Metric = field(default_factory=lambda: Metric(direction="increase"))

    def look(self, record: Record) -> Said | None:
        """BAD if the score of all minutes so far is under "marginal"."""
        t = record.t
        if t < self.first or t > self.ends or (t - self.first) % self.interval:
            return None
        canary, baseline = record.canary.minutes(t), record.baseline.minutes(t)
        judged = judge_metric(self.metric, canary, baseline)
        if score([("errors", judged)]) < MARGINAL:
            return Said(Answer.BAD, t)
        return passed(record, self.ends)


def once() -> Kayenta:
    """One judgement after an hour."""
    return Kayenta(first=3600, interval=3600, ends=3600)


def every_five_minutes() -> Kayenta:
    """From the tenth minute to the end of two hours."""
    return Kayenta(first=600, interval=300, ends=7200)
