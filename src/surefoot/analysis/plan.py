"""The plan of a judgement: everything that is fixed before the first user is exposed."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from math import inf
from typing import Literal

from surefoot.analysis.expect import Expectation
from surefoot.analysis.factor import growth, seconds_to
from surefoot.analysis.history import UNLEARNT_PHI, History
from surefoot.analysis.latency import Bound, Crowd, Limits, crowd, fix_bounds, limits_of
from surefoot.analysis.margins import (
    GATE,
    GATE_IN_TIME,
    GATE_PART,
    LATENCY_IN_TIME,
    PATIENT,
    RUNGS,
    WIDE_GATE,
    Rung,
    choose_rung,
    rung_named,
    rung_not_narrower,
)
from surefoot.domain.verdict import Margin

__all__ = [
    "Group",
    "History",
    "JudgePlan",
    "Kind",
    "MetricPlan",
    "Rules",
    "arms_at",
    "group_of",
    "margin_seconds",
    "plan_from_history",
    "settle",
]

Kind = Literal["ratio", "latency", "gauge", "counter"]
Group = Literal["errors", "latency", "declared"]
Worse = Literal["higher", "lower"]
HISTORY_SECONDS = 60.0
FIRST_SHARE_REQUESTS = 5.0  # requests per second that the first step should bring
SMALLEST_SHARE, LARGEST_SHARE = 0.1, 0.5
HALF = 0.5


@dataclass(frozen=True, slots=True)
class MetricPlan:
    """One metric and how it is judged.

    `p` is the baseline's rate of counted events (a fraction), None until its history is known;
    `rate` its events per second; `phi` its over-dispersion. `worse` is "lower" for a metric that
    counts good events. `judged` are declared latency bounds in seconds, `bounds` what became of
    them. A metric that is not `required` (advisory) can be *worse* but holds no *verified* up;
    one that the change `watched` stays required at any traffic. A gauge advises alone, and a
    counter is only read for expectations. `strata` are the parts of its events that are compared
    each with its like; `crowd` is the bucket, if any, in which most answers fall.
    """

    name: str
    kind: Kind
    phi: float = UNLEARNT_PHI
    margin: Margin | None = None
    p: float | None = None
    required: bool = True
    worse: Worse = "higher"
    group: Group = "declared"
    judged: tuple[float, ...] = ()
    bounds: tuple[Bound, ...] = ()
    rate: float | None = None
    watched: bool = False
    strata: tuple[str, ...] = ()
    crowd: Crowd | None = None

    @property
    def of_missing(self) -> bool:
        """Whether the other events are judged, as bad ones.

        Where good events are the rule (99 of 100 succeed), a fall shows in the few that are
        missing: ten times as many of those are a tenth fewer good ones.
        """
        return self.worse == "lower" and self.p is not None and self.p > HALF

    @property
    def rare(self) -> float | None:
        """The fraction of the events that are judged: `p`, or the rest of it."""
        return 1 - self.p if self.of_missing and self.p is not None else self.p

    @property
    def guards(self) -> bool:
        """Whether it can speak against a change: ratios and latencies can."""
        return self.kind in {"ratio", "latency"}

    @property
    def settled(self) -> bool:
        """Whether its history is known, so that "not worse" can be judged."""
        if self.kind == "ratio":
            return self.p is not None and self.margin is not None
        return self.kind != "latency" or bool(self.bounds)


@dataclass(frozen=True, slots=True)
class Rules:
    """What a team set for its rollouts. `steps` None is "auto"; times in seconds.

    `largest_margin` is in percentage points; `watch` names the metrics of the change's `Watch:`;
    `sticky` sessions make the traffic share meaningless as evidence.
    """

    time_limit: float = 900.0
    steps: tuple[float, ...] | None = None
    alpha_worse: float = 0.01
    alpha_ok: float = 0.05
    warm_up: float = 10.0
    interval: float = 1.0
    largest_margin: float = 5.0
    watch: frozenset[str] = frozenset()
    expect: tuple[Expectation, ...] = ()
    sticky: bool = False


@dataclass(frozen=True, slots=True)
class JudgePlan:
    """Everything that a judgement stands on. Times in seconds, shares as fractions.

    `alpha_worse` bounds false alarms for the whole rollout, `alpha_ok` false *verified* for each
    metric at its margin. `steps` may be empty where only the rows tell the shares; `interval` is
    that of the ticks, None where only the rows tell it.
    """

    time_limit: float = 900.0
    steps: tuple[float, ...] = ()
    alpha_worse: float = 0.01
    alpha_ok: float = 0.05
    warm_up: float = 10.0
    interval: float | None = None
    largest_margin: float = 5.0
    metrics: tuple[MetricPlan, ...] = ()
    expect: tuple[Expectation, ...] = ()
    sticky: bool = False

    @property
    def first_share(self) -> float:
        """The share of the first step."""
        return self.steps[0] if self.steps else LARGEST_SHARE

    @property
    def last_share(self) -> float:
        """The share of the last step, at which *verified* is said."""
        return self.steps[-1] if self.steps else LARGEST_SHARE

    def metric(self, name: str) -> MetricPlan | None:
        """The metric of that name, or None."""
        return next((metric for metric in self.metrics if metric.name == name), None)

    @property
    def errors(self) -> MetricPlan | None:
        """The metric that counts failed requests, which also carries the gross guard."""
        return next((m for m in self.metrics if m.group == "errors" and m.kind == "ratio"), None)


def group_of(name: str) -> Group:
    """What the proxy sees goes by the names "errors" and "latency"; all else is declared."""
    if name == "errors":
        return "errors"
    return "latency" if name == "latency" else "declared"


def arms_at(metric: MetricPlan, share: float) -> tuple[float, float]:
    """Arm 1's share of the traffic, and w = n1/n2, when the canary has `share`."""
    exchanged = metric.worse == "lower" and not metric.of_missing
    first = 1 - share if exchanged else share
    return first, first / (1 - first)


def plan_from_history(history: History, declared: Sequence[MetricPlan], rules: Rules) -> JudgePlan:
    """Fix a judgement before exposure, from what the baseline did of late.

    Args:
        history: the baseline's recent ticks. A metric with less than 60 s of it is left open; the
            judge settles it from the baseline's first 60 s under exposure.
        declared: the metrics, with their declared margins; p, phi, bounds and rate are set here.
        rules: what the team set.

    Returns:
        The plan. Metrics that this traffic cannot prove in time are advisory, unless watched.
    """
    watched = [
        replace(metric, watched=True) if metric.name in rules.watch else metric
        for metric in declared
    ]
    learnt = [_with_phi(metric, history) for metric in watched]
    plan = JudgePlan(
        time_limit=rules.time_limit,
        steps=_steps(rules, history, declared),
        alpha_worse=rules.alpha_worse,
        alpha_ok=rules.alpha_ok,
        warm_up=rules.warm_up,
        interval=rules.interval,
        largest_margin=rules.largest_margin,
        metrics=tuple(learnt),
        expect=rules.expect,
        sticky=rules.sticky,
    )
    return settle(plan, history)


def _steps(rules: Rules, history: History, declared: Sequence[MetricPlan]) -> tuple[float, ...]:
    if rules.steps is not None:
        return rules.steps
    named = [metric.name for metric in declared if metric.group == "errors"]
    rate = max((history.rate(name) for name in named or [m.name for m in declared]), default=0.0)
    wanted = FIRST_SHARE_REQUESTS / rate if rate > 0 else LARGEST_SHARE
    first = round(min(max(wanted, SMALLEST_SHARE), LARGEST_SHARE), 2)  # whole percents
    return (first, LARGEST_SHARE) if first < LARGEST_SHARE else (LARGEST_SHARE,)


def settle(plan: JudgePlan, history: History) -> JudgePlan:
    """Fix what is open of each metric that has at least 60 s of history; leave the rest open.

    Errors come first, for latency takes their rung: or a wider one, where it scatters so much that
    theirs could not be proven in time.
    """
    order = sorted(plan.metrics, key=lambda metric: metric.group != "errors")
    done: dict[str, MetricPlan] = {}
    errors = plan.errors
    for metric in order:
        known = history.seconds_of(metric.name) >= HISTORY_SECONDS and history.all(metric.name) > 0
        if metric.settled or not known:
            done[metric.name] = metric
            continue
        rated = replace(metric, rate=history.rate(metric.name))
        if metric.kind == "ratio":
            done[metric.name] = _settle_ratio(plan, rated, history)
        else:
            lead = done.get(errors.name) if errors else None
            done[metric.name] = _settle_latency(plan, rated, history, lead)
    return replace(plan, metrics=tuple(done[metric.name] for metric in plan.metrics))


def _settle_ratio(plan: JudgePlan, metric: MetricPlan, history: History) -> MetricPlan:
    metric = replace(metric, p=history.p(metric.name) if metric.p is None else metric.p)
    if metric.margin is not None:
        return metric
    rung, in_time = choose_rung(
        lambda rung: margin_seconds(plan, metric, rung.margin),
        plan.time_limit,
        plan.largest_margin,
    )
    return replace(metric, margin=rung.margin, required=_required(metric, in_time=in_time))


def _settle_latency(
    plan: JudgePlan, metric: MetricPlan, history: History, errors: MetricPlan | None
) -> MetricPlan:
    slower = history.slower(metric.name)
    metric = replace(metric, crowd=crowd(slower))
    first, w = arms_at(metric, plan.last_share)

    def with_limits(limits: Limits, gate: Rung = GATE) -> tuple[Bound, ...]:
        """Each bound tempered by its own scatter; where that is not learnt, by the metric's."""
        return tuple(
            replace(bound, phi=history.phi_slower(metric.name, bound.x))
            for bound in fix_bounds(slower, limits, metric.judged, gate)
        )

    def passing(limits: Limits) -> tuple[Bound, ...]:
        """With a gate that lets a harmless change leave the first step in time."""
        bounds = with_limits(limits)
        share, odds = arms_at(metric, plan.first_share)
        rate, evidence = share * (metric.rate or 0.0), GATE_PART / plan.alpha_ok
        waits = (bound.gate_seconds(rate, odds, metric.phi, evidence) for bound in bounds)
        in_time = max(waits, default=0.0) <= GATE_IN_TIME * plan.time_limit
        return bounds if in_time else with_limits(limits, WIDE_GATE)

    def seconds(rung: Rung) -> float:
        rate = first * (metric.rate or 0.0)
        evidence = 1 / plan.alpha_ok
        return max(
            bound.seconds(rate, w, metric.phi, evidence) for bound in with_limits(limits_of(rung))
        )

    if metric.margin is not None:
        rung = rung_named(metric.margin.rung)
        bounds = passing(limits_of(rung or metric.margin))
        return replace(metric, bounds=bounds)
    if not slower:
        return metric
    rung, in_time = choose_rung(seconds, plan.time_limit, plan.largest_margin, LATENCY_IN_TIME)
    if errors is not None and errors.margin is not None:
        lead = rung_named(errors.margin.rung) or rung_not_narrower(errors.margin)
        if RUNGS.index(lead) >= RUNGS.index(rung):
            rung, in_time = lead, seconds(lead) <= PATIENT * plan.time_limit
    return replace(
        metric,
        margin=rung.latency_margin,
        bounds=passing(limits_of(rung)),
        required=_required(metric, in_time=in_time),
    )


def _required(metric: MetricPlan, *, in_time: bool) -> bool:
    """A declared metric that cannot be proven in time advises, unless the change watches it."""
    return metric.required and (in_time or metric.watched or metric.group != "declared")


def _with_phi(metric: MetricPlan, history: History) -> MetricPlan:
    """The metric's own scatter; for a latency, the largest of its judged bounds."""
    if metric.kind != "latency":
        return replace(metric, phi=history.phi(metric.name))
    bounds = fix_bounds(history.slower(metric.name), limits_of(RUNGS[0]), metric.judged)
    learnt = (history.phi_slower(metric.name, bound.x) for bound in bounds)
    return replace(
        metric, phi=max((phi for phi in learnt if phi is not None), default=UNLEARNT_PHI)
    )


def margin_seconds(plan: JudgePlan, metric: MetricPlan, margin: Margin) -> float:
    """L: the seconds that proving `margin` takes on average at the last step, or inf."""
    if metric.rare is None or not metric.rate:
        return inf
    first, w = arms_at(metric, plan.last_share)
    nats = growth(metric.rare, w, margin.ratio, margin.points / 100)
    return seconds_to(1 / plan.alpha_ok, metric.phi, metric.rate * first * nats)
