"""The tick that is still being filled: rows of one moment, side by side."""

from dataclasses import replace

from surefoot.analysis.ticks import (
    Arm,
    Fact,
    FactRow,
    GaugeTick,
    LatencyTick,
    RatioTick,
    Row,
    ShareRow,
)
from surefoot.domain.errors import BadEvidence

__all__ = ["OpenTick"]

CANARY = Arm.CANARY  # an attribute of an enum is dear to look up for each row
Counted = RatioTick | LatencyTick


class OpenTick:
    """The rows of one moment `t`. Rows of the same metric and arm are added up."""

    __slots__ = ("baseline", "canary", "facts", "gauges", "share", "t")

    def __init__(self, t: float) -> None:
        self.t = t
        self.canary: dict[str, Counted] = {}
        self.baseline: dict[str, Counted] = {}
        self.gauges: list[GaugeTick] = []
        self.facts: list[Fact] = []
        self.share: float | None = None

    def add(self, row: Row) -> None:
        """Take a row of this moment.

        Raises:
            BadEvidence: one metric comes as two kinds.
        """
        if isinstance(row, (RatioTick, LatencyTick)):
            arm = self.canary if row.arm is CANARY else self.baseline
            known = arm.get(row.metric)
            arm[row.metric] = row if known is None else joined(known, row)
        elif isinstance(row, GaugeTick):
            self.gauges.append(row)
        elif isinstance(row, ShareRow):
            self.share = row.share
        elif isinstance(row, FactRow):
            self.facts.append(row.fact)

    def ratio(self, metric: str) -> tuple[RatioTick | None, RatioTick | None]:
        """The canary's and the baseline's row of a ratio; None is unknown.

        Raises:
            BadEvidence: the metric came as another kind.
        """
        canary, baseline = self.canary.get(metric), self.baseline.get(metric)
        if isinstance(canary, LatencyTick) or isinstance(baseline, LatencyTick):
            raise two_kinds(metric, self.t)
        return canary, baseline

    def latency(self, metric: str) -> tuple[LatencyTick | None, LatencyTick | None]:
        """The canary's and the baseline's row of a latency; None is unknown.

        Raises:
            BadEvidence: the metric came as another kind.
        """
        canary, baseline = self.canary.get(metric), self.baseline.get(metric)
        if isinstance(canary, RatioTick) or isinstance(baseline, RatioTick):
            raise two_kinds(metric, self.t)
        return canary, baseline

    def samples(self, metric: str, arm: Arm) -> list[GaugeTick]:
        """The gauge samples of one metric and arm."""
        return [row for row in self.gauges if row.metric == metric and row.arm is arm]


def joined(one: Counted, other: Counted) -> Counted:
    """Both rows as one: counts of several instances, or routes, of one arm."""
    if isinstance(one, RatioTick) and isinstance(other, RatioTick):
        return replace(one, bad=one.bad + other.bad, all=one.all + other.all)
    if isinstance(one, LatencyTick) and isinstance(other, LatencyTick):
        shared = one.le.keys() & other.le.keys()
        return replace(one, le={bound: one.le[bound] + other.le[bound] for bound in shared})
    raise two_kinds(one.metric, one.t)


def two_kinds(metric: str, t: float) -> BadEvidence:
    """One metric cannot be a ratio and a latency at once."""
    return BadEvidence(
        f"The metric {metric!r} comes as another kind than before or than planned, at t = {t:g}.",
        cure="Give each metric one kind, ratio or latency, in the plan and in all rows.",
    )
