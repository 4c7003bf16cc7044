"""The plan as the first line of a file of evidence."""

from collections.abc import Mapping
from dataclasses import asdict, fields
from math import inf
from typing import cast

from surefoot.analysis.expect import Expectation
from surefoot.analysis.fields import Fields
from surefoot.analysis.history import UNLEARNT_PHI
from surefoot.analysis.latency import Bound, Crowd
from surefoot.analysis.margins import RUNGS, rung_named
from surefoot.analysis.plan import Group, JudgePlan, Kind, MetricPlan, Worse, group_of
from surefoot.domain.errors import BadEvidence, Refused
from surefoot.domain.verdict import Margin

__all__ = ["MOST_STRATA", "plan_from_row", "plan_to_row"]

PLAN_KEYS = tuple(field.name for field in fields(JudgePlan))
METRIC_KEYS = (
    *("kind", "phi", "margin_ratio", "margin_points", "rung", "p", "rate"),
    *("required", "watched", "worse", "group", "bounds", "strata", "crowd"),
)
BOUND_KEYS = tuple(field.name for field in fields(Bound))
KINDS: tuple[Kind, ...] = ("ratio", "latency", "gauge", "counter")
GROUPS: tuple[Group, ...] = ("errors", "latency", "declared")
DECLARED = "declared"
MOST_STRATA = 20


def plan_to_row(plan: JudgePlan) -> dict[str, object]:
    """The plan as the object of the first line; `plan_from_row` reads it back exactly."""
    return {
        "plan": {
            "time_limit": plan.time_limit,
            "steps": list(plan.steps),
            "alpha_worse": plan.alpha_worse,
            "alpha_ok": plan.alpha_ok,
            "warm_up": plan.warm_up,
            "interval": plan.interval,
            "largest_margin": plan.largest_margin,
            "sticky": plan.sticky,
            "expect": [str(expectation) for expectation in plan.expect],
            "metrics": {metric.name: _metric_to_row(metric) for metric in plan.metrics},
        }
    }


def _metric_to_row(metric: MetricPlan) -> dict[str, object]:
    row: dict[str, object] = {
        "kind": metric.kind,
        "group": metric.group,
        "phi": metric.phi,
        "worse": metric.worse,
        "required": metric.required,
        "watched": metric.watched,
    }
    if metric.margin is not None:
        row["margin_ratio"] = metric.margin.ratio
        row["margin_points"] = metric.margin.points
        row["rung"] = metric.margin.rung
    if metric.p is not None:
        row["p"] = metric.p
    if metric.rate is not None:
        row["rate"] = metric.rate
    if metric.bounds:
        row["bounds"] = [asdict(bound) for bound in metric.bounds]
    elif metric.judged:
        row["bounds"] = list(metric.judged)
    if metric.strata:
        row["strata"] = list(metric.strata)
    if metric.crowd is not None:
        crowd = metric.crowd
        row["crowd"] = {
            "low": crowd.low,
            "high": crowd.high if crowd.high < inf else None,
            "part": crowd.part,
        }
    return row


def plan_from_row(
    row: Mapping[str, object],
    kinds: Mapping[str, Kind] | None = None,
    where: str = "line 1",
) -> JudgePlan:
    """Read a plan. Every key may be left out.

    Args:
        row: the object of the line, with its key "plan".
        kinds: the kinds of metrics, where the rows tell them and the plan does not.
        where: the place, for messages.

    Raises:
        BadEvidence: a value cannot be used, or a key is unknown.
    """
    plan = Fields(where, row).inside("plan")
    plan.only(PLAN_KEYS)
    defaults = JudgePlan()
    metrics = plan.inside("metrics")
    return JudgePlan(
        time_limit=plan.number("time_limit", defaults.time_limit, above=0),
        steps=_steps(plan),
        alpha_worse=plan.number("alpha_worse", defaults.alpha_worse, above=0, most=1),
        alpha_ok=plan.number("alpha_ok", defaults.alpha_ok, above=0, most=1),
        warm_up=plan.number("warm_up", defaults.warm_up, least=0),
        interval=plan.number("interval", above=0) if plan.has("interval") else None,
        largest_margin=plan.number("largest_margin", defaults.largest_margin, least=0),
        metrics=tuple(_metric(name, metrics.inside(name), kinds or {}) for name in metrics.values),
        expect=_expectations(plan),
        sticky=plan.flag("sticky", default=False),
    )


def _steps(plan: Fields) -> tuple[float, ...]:
    steps = []
    for step in plan.items("steps"):
        if isinstance(step, bool) or not isinstance(step, int | float) or not 0 < step < 1:
            raise plan.wrong("steps", repr(step), "shares above 0 and below 1")
        steps.append(float(step))
    if steps != sorted(steps):
        raise plan.wrong("steps", "not in order", "shares that rise")
    return tuple(steps)


def _expectations(plan: Fields) -> tuple[Expectation, ...]:
    found = []
    for text in plan.items("expect"):
        if not isinstance(text, str):
            raise plan.wrong("expect", repr(text), "a list of sentences")
        try:
            found.append(Expectation.parse(text))
        except Refused as error:
            raise BadEvidence(f"In {plan.where}: {error.message}", cure=error.cure) from error
    return tuple(found)


def _metric(name: str, row: Fields, kinds: Mapping[str, Kind]) -> MetricPlan:
    row.only(METRIC_KEYS)
    usual: Kind = "latency" if group_of(name) == "latency" else "ratio"
    kind = cast(Kind, row.choice("kind", KINDS, kinds.get(name, usual)))
    listed = row.items("bounds")
    told = all(isinstance(bound, Mapping) for bound in listed)
    guards = kind in {"ratio", "latency"}
    return MetricPlan(
        name=name,
        kind=kind,
        phi=row.number("phi", UNLEARNT_PHI, least=1),
        margin=_margin(row),
        p=row.number("p", least=0, most=1) if row.has("p") else None,
        required=row.flag("required", default=guards) and guards,
        worse=cast(Worse, row.choice("worse", ("higher", "lower"), "higher")),
        group=cast(Group, row.choice("group", GROUPS, group_of(name))),
        judged=() if told else tuple(_second(row, bound) for bound in listed),
        bounds=tuple(_bound(row, bound) for bound in listed) if told else (),
        rate=row.number("rate", least=0) if row.has("rate") else None,
        watched=row.flag("watched", default=row.values.get("required") is True),
        strata=_strata(row),
        crowd=_crowd(row.inside("crowd")) if row.has("crowd") else None,
    )


def _strata(row: Fields) -> tuple[str, ...]:
    strata = row.items("strata")
    names = tuple(one for one in strata if isinstance(one, str))
    if len(names) < len(strata) or len(set(names)) < len(names) or len(names) > MOST_STRATA:
        raise row.wrong("strata", repr(strata), f"at most {MOST_STRATA} names, each once")
    return names


def _crowd(row: Fields) -> Crowd:
    row.only(("low", "high", "part"))
    high = row.number("high", above=0) if row.values.get("high") is not None else inf
    return Crowd(row.number("low", least=0), high, row.number("part", least=0, most=1))


def _margin(row: Fields) -> Margin | None:
    """The margin: numbers as declared, or a rung by its letter."""
    rung = row.text("rung") if row.has("rung") else None
    if row.has("margin_ratio") or row.has("margin_points"):
        return Margin(
            row.number("margin_ratio", 1.0, least=1),
            row.number("margin_points", 0.0, least=0, most=100),
            rung or DECLARED,
        )
    if rung is None:
        return None
    known = rung_named(rung)
    if known is None:
        raise row.wrong("rung", repr(rung), "one of " + ", ".join(one.name for one in RUNGS))
    return known.margin


def _second(row: Fields, bound: object) -> float:
    if isinstance(bound, bool) or not isinstance(bound, int | float) or bound <= 0:
        raise row.wrong("bounds", repr(bound), "bounds in seconds, above 0")
    return float(bound)


def _bound(row: Fields, values: object) -> Bound:
    found = Fields(f"{row.where}, `bounds`", values)
    found.only(BOUND_KEYS)
    return Bound(
        x=found.number("x", above=0),
        y=found.number("y", above=0),
        z=found.number("z", above=0),
        d=found.number("d", least=0, most=1),
        gate_z=found.number("gate_z", above=0),
        gate_d=found.number("gate_d", least=0, most=1),
        slower_x=found.number("slower_x", above=0, most=1),
        slower_z=found.number("slower_z", above=0, most=1),
        slower_gate=found.number("slower_gate", above=0, most=1),
        coarse=found.flag("coarse", default=False),
        phi=found.number("phi", least=1) if found.has("phi") else None,
    )
