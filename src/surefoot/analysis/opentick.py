"""The tick that is still being filled: rows of one moment, side by side."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace

from surefoot.analysis.ticks import (
    Arm,
    Fact,
    FactRow,
    GapRow,
    GaugeTick,
    LatencyTick,
    RatioTick,
    Row,
    ShareRow,
)
from surefoot.domain.errors import BadEvidence

__all__ = ["OpenTick"]

CANARY = Arm.CANARY  # an attribute of an enum is dear to look up for each row
COUNTED = (RatioTick, LatencyTick)
Counted = RatioTick | LatencyTick
Strata = Mapping[str, Collection[str]]  # the strata of each metric that has any


class OpenTick:
    """The rows of one moment `t`. Rows of the same metric and arm are added up.

    Those of a metric with strata are kept apart as well; rows of none of its strata are one more.
    """

    __slots__ = (
        "_parts",
        "_strata",
        "baseline",
        "canary",
        "facts",
        "gap",
        "gauges",
        "share",
        "t",
    )

    def __init__(self, t: float, strata: Strata) -> None:
        self.t = t
        self.canary: dict[str, Counted] = {}
        self.baseline: dict[str, Counted] = {}
        self.gauges: dict[tuple[str, Arm], list[GaugeTick]] = {}
        self.facts: tuple[Fact, ...] = ()
        self.share: float | None = None
        self.gap = 0.0
        self._strata = strata
        self._parts: dict[tuple[str, str | None], dict[Arm, Counted]] = {}

    def add(self, row: Row) -> None:
        """Take a row of this moment.

        Raises:
            BadEvidence: one metric comes as two kinds.
        """
        if isinstance(row, COUNTED):
            arm = self.canary if row.arm is CANARY else self.baseline
            known = arm.get(row.metric)
            arm[row.metric] = row if known is None else joined(known, row)
            if row.metric in self._strata:
                self._add_part(row)
        elif isinstance(row, GaugeTick):
            self.gauges.setdefault((row.metric, row.arm), []).append(row)
        elif isinstance(row, ShareRow):
            self.share = row.share
        elif isinstance(row, FactRow):
            self.facts += (row.fact,)
        elif isinstance(row, GapRow):
            self.gap = max(self.gap, row.gap)

    def _add_part(self, row: Counted) -> None:
        stratum = row.stratum if row.stratum in self._strata[row.metric] else None
        part = self._parts.setdefault((row.metric, stratum), {})
        known = part.get(row.arm)
        part[row.arm] = row if known is None else joined(known, row)

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

    def ratios(self, metric: str) -> Sequence[tuple[RatioTick, RatioTick]]:
        """Both rows of a ratio, stratum by stratum, where both arms have one."""
        return [
            (canary, baseline)
            for canary, baseline in self._pairs(metric)
            if isinstance(canary, RatioTick) and isinstance(baseline, RatioTick)
        ]

    def latencies(self, metric: str) -> Sequence[tuple[LatencyTick, LatencyTick]]:
        """Both rows of a latency, stratum by stratum, where both arms have one."""
        return [
            (canary, baseline)
            for canary, baseline in self._pairs(metric)
            if isinstance(canary, LatencyTick) and isinstance(baseline, LatencyTick)
        ]

    def _pairs(self, metric: str) -> Sequence[tuple[Counted | None, Counted | None]]:
        """In the order of the strata: not of the lines, which must not matter."""
        strata = self._strata.get(metric)
        if strata is None:
            return [(self.canary.get(metric), self.baseline.get(metric))]
        parts = [self._parts.get((metric, stratum), {}) for stratum in (*strata, None)]
        return [(part.get(Arm.CANARY), part.get(Arm.BASELINE)) for part in parts]

    def samples(self, metric: str, arm: Arm) -> Sequence[float]:
        """The samples of a gauge of one arm, one of each instance."""
        return [row.value for row in self.gauges.get((metric, arm), ())]

    @property
    def instances(self) -> Collection[str]:
        """The instances of the canary that gave a sample."""
        return {
            row.instance
            for (_, arm), rows in self.gauges.items()
            for row in rows
            if arm is CANARY and row.instance is not None
        }


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
