"""How the false-alarm budget is split between the groups, fixed before exposure."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from surefoot.analysis.plan import MetricPlan

__all__ = ["Weights", "split"]

GROSS, ERRORS, LATENCY, DECLARED, SHARE = 0.40, 0.20, 0.15, 0.20, 0.05


@dataclass(frozen=True, slots=True)
class Weights:
    """The weight of the gross guard, of the traffic share and of each metric; they add to one."""

    gross: float
    share: float
    metrics: Mapping[str, float]


def split(metrics: Iterable[MetricPlan], *, share_known: bool) -> Weights:
    """Weigh what is there: an absent group's weight goes to the others in proportion.

    Args:
        metrics: of the plan.
        share_known: whether the share that the canary is meant to get is known and means anything.
    """
    guards = [metric for metric in metrics if metric.guards]
    members = {
        group: [metric.name for metric in guards if metric.group == group]
        for group in ("errors", "latency", "declared")
    }
    raw = {"errors": ERRORS, "latency": LATENCY, "declared": DECLARED}
    has_errors = any(m.group == "errors" and m.kind == "ratio" for m in guards)
    gross = GROSS if has_errors else 0.0
    share = SHARE if has_errors and share_known else 0.0
    total = gross + share + sum(raw[group] for group, names in members.items() if names)
    if not total:
        return Weights(0.0, 0.0, {})
    return Weights(
        gross / total,
        share / total,
        {
            name: raw[group] / len(names) / total
            for group, names in members.items()
            for name in names
        },
    )
