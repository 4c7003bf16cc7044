"""When an answer is to be expected, said before anybody is exposed.

With W the warm-up, L and L_gate the average times to prove a margin and to pass a step: half of
all harmless changes are *verified* by W + 2 + L_gate + 0.8 L, nine in ten by
W + 2 + 1.2 L_gate + 1.8 L, and none before 60 s. Where several things must be proven at one
moment (errors, each bound of a latency), L is the root of the sum of their squares, for the last of
several takes longer than each. Constants and root were fitted by simulation; nine in ten held in
87 to 100 % of 18 cells. `benchmarks/verdicts.py` tests them.
"""

from dataclasses import dataclass
from math import ceil, hypot, inf, log

from surefoot.analysis.evidence import GROSS_RATIOS
from surefoot.analysis.factor import growth, seconds_to
from surefoot.analysis.judge import AFTER_SWITCH, MINIMUM_WATCH
from surefoot.analysis.margins import GATE, GATE_PART, looser
from surefoot.analysis.plan import JudgePlan, MetricPlan, arms_at, margin_seconds
from surefoot.analysis.tracks import GROSS_M, LONG_WARM_UP
from surefoot.analysis.weights import split
from surefoot.analysis.words import duration
from surefoot.domain.verdict import Margin

__all__ = ["Forecast", "forecast", "in_words"]

A_FIFTH = 0.2


@dataclass(frozen=True, slots=True)
class Forecast:
    """Times in seconds from first exposure; inf where this traffic never gets there.

    `half` and `nine_in_ten` are when so many harmless changes are *verified*, with the requests
    that the service answers until then; `fifth` is when a fifth of the canary's requests failing
    would show. `rate` is requests per second; `metric` is the one that takes longest, at `margin`;
    `in_time` tells whether nine in ten end before the time limit.
    """

    half: float
    nine_in_ten: float
    half_requests: float
    nine_in_ten_requests: float
    fifth: float
    rate: float
    metric: str | None
    margin: Margin | None
    in_time: bool


def forecast(plan: JudgePlan) -> Forecast:
    """The forecast of a plan that was made from history."""
    required = [metric for metric in plan.metrics if metric.required and metric.guards]
    waits = {metric.name: _to_verify(plan, metric) for metric in required}
    slowest = max(required, key=lambda metric: max(waits[metric.name]), default=None)
    together = hypot(*(wait for each in waits.values() for wait in each)) if slowest else inf
    gate = 0.0
    switch = 0.0
    if len(plan.steps) > 1:
        seen_by_proxy = [metric for metric in required if metric.group != "declared"]
        gate = max((_to_gate(plan, metric) for metric in seen_by_proxy or required), default=inf)
        switch = AFTER_SWITCH
    start = plan.warm_up + switch
    half = max(MINIMUM_WATCH, start + gate + 0.8 * together)
    nine = max(MINIMUM_WATCH, start + 1.2 * gate + 1.8 * together)
    rate = max(
        (metric.rate or 0.0 for metric in plan.metrics if metric.group != "declared"), default=0.0
    )
    rate = rate or max((metric.rate or 0.0 for metric in plan.metrics), default=0.0)
    return Forecast(
        half=half,
        nine_in_ten=nine,
        half_requests=rate * half if half < inf else inf,
        nine_in_ten_requests=rate * nine if nine < inf else inf,
        fifth=_to_see_a_fifth(plan),
        rate=rate,
        metric=slowest.name if slowest else None,
        margin=slowest.margin if slowest else None,
        in_time=nine <= plan.time_limit,
    )


def _to_verify(plan: JudgePlan, metric: MetricPlan) -> list[float]:
    """L of each thing that must be proven of a metric: its margin, or each bound; at least one."""
    if metric.kind == "ratio":
        margin = metric.margin
        return [inf if margin is None else margin_seconds(plan, metric, margin)]
    share, w = arms_at(metric, plan.last_share)
    rate = share * (metric.rate or 0.0)
    evidence = 1 / plan.alpha_ok
    return [bound.seconds(rate, w, metric.phi, evidence) for bound in metric.bounds] or [inf]


def _to_gate(plan: JudgePlan, metric: MetricPlan) -> float:
    """L_gate of one metric."""
    share, w = arms_at(metric, plan.first_share)
    rate = share * (metric.rate or 0.0)
    evidence = GATE_PART / plan.alpha_ok
    if metric.kind == "ratio":
        if metric.rare is None or metric.margin is None:
            return inf
        margin = looser(metric.margin, GATE.margin, metric.rare)
        nats = growth(metric.rare, w, margin.ratio, margin.points / 100)
        return seconds_to(evidence, metric.phi, rate * nats)
    return max(
        (bound.gate_seconds(rate, w, metric.phi, evidence) for bound in metric.bounds), default=inf
    )


def _to_see_a_fifth(plan: JudgePlan) -> float:
    """When the gross guard alone, on average, ends the sum: its best bet at the first step."""
    errors = plan.errors
    if errors is None or errors.p is None or not errors.rate or errors.p >= A_FIFTH:
        return inf
    weight = split(plan.metrics, share_known=not plan.sticky).gross
    share, w = arms_at(errors, plan.first_share)
    mw = w * (5.0 if plan.warm_up > LONG_WARM_UP else GROSS_M)
    canary, both = A_FIFTH, A_FIFTH + errors.p / w
    nats = max(canary * log(r) + both * log((mw + 1) / (r * mw + 1)) for r in GROSS_RATIOS)
    wanted = len(GROSS_RATIOS) / (weight * plan.alpha_worse)
    return seconds_to(wanted, max(1.0, errors.phi / 2), errors.rate * share * nats)


def in_words(told: Forecast) -> str:
    """The forecast as people say it."""
    if not told.rate:
        return "There is no traffic, so nothing can be forecast."
    sentences = []
    if told.fifth < inf:
        seconds = duration(max(1, ceil(told.fifth)))
        sentences.append(f"A fifth of requests failing would show in about {seconds}")
    if told.in_time:
        half, nine = duration(told.half), duration(told.nine_in_ten)
        sentences.append(f"verified in about {half} (nine in ten within {nine})")
        return _sentence("; ".join(sentences))
    what = "that it is not worse"
    if told.metric and told.margin:
        noun = "point" if told.margin.points == 1 else "points"
        what = f"'{told.metric} at most +{told.margin.points:g} {noun}'"
    needs = duration(told.half)
    sentences.append(f"at {told.rate:.3g} requests/s this needs about {needs} to say {what}")
    return _sentence("; ".join(sentences))


def _sentence(text: str) -> str:
    return text[0].upper() + text[1:] + "."
