"""The plan of a judgement, from what the live release did lately and what the team declared."""

from surefoot.analysis.expect import Expectation
from surefoot.analysis.plan import JudgePlan, MetricPlan, Rules, plan_from_history
from surefoot.domain.change import Change
from surefoot.domain.manifest import Manifest
from surefoot.domain.metric import Metric, MetricKind, guards_joined
from surefoot.domain.verdict import Margin
from surefoot.engine.run import ServiceRun

__all__ = ["plan_for"]


def plan_for(run: ServiceRun, change: Change, proposed: Manifest | None = None) -> JudgePlan:
    """What this change will be judged by, if it were exposed now.

    `proposed` is the manifest of a change that is not on its way yet.
    """
    rollout = run.manifest.rollout
    rules = Rules(
        time_limit=rollout.time_limit_s,
        steps=rollout.steps,
        warm_up=rollout.warm_up_s,
        largest_margin=rollout.largest_margin,
        watch=frozenset(change.intent.watch),
        expect=tuple(Expectation.parse(text) for text in change.intent.expect),
        sticky=run.manifest.traffic.sticky != "off",
    )
    own = proposed or run.manifest_of(change.number)
    guards = guards_joined(run.manifest.metrics, own.metrics)
    return plan_from_history(run.watch.history, metric_plans(guards), rules)


def metric_plans(declared: tuple[Metric, ...]) -> tuple[MetricPlan, ...]:
    """What the proxy sees of every service, and then what the team declared."""
    by_name = {metric.name: metric for metric in declared}
    errors = MetricPlan("errors", "ratio", group="errors", margin=_margin(by_name.get("errors")))
    latency = MetricPlan(
        "latency", "latency", group="latency", margin=_margin(by_name.get("latency"))
    )
    others = (metric for metric in declared if metric.kind is not None)
    return (errors, latency, *(_declared(metric) for metric in others))


def _declared(metric: Metric) -> MetricPlan:
    guard = metric.kind in {MetricKind.RATIO, MetricKind.LATENCY}
    return MetricPlan(
        metric.name,
        metric.kind.value if metric.kind else "ratio",
        margin=_margin(metric),
        required=guard,
        worse="lower" if metric.worse == "lower" else "higher",
    )


def _margin(metric: Metric | None) -> Margin | None:
    """A declared margin stands as it is; half a declaration leaves the other half at nothing."""
    if metric is None or (metric.margin_ratio is None and metric.margin_points is None):
        return None
    return Margin(metric.margin_ratio or 1.0, metric.margin_points or 0.0, "declared")
