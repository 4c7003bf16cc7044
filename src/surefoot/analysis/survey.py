"""What a whole file of evidence tells before it is judged: the plan's open ends.

Its size depends on the number of metrics and shares alone, never on that of the rows.
"""

from collections.abc import Mapping
from dataclasses import replace
from itertools import islice
from math import inf
from typing import cast

from surefoot.analysis.plan import JudgePlan, Kind, MetricPlan, group_of
from surefoot.analysis.planrow import MOST_STRATA
from surefoot.analysis.ticks import (
    Arm,
    GaugeTick,
    LatencyTick,
    RatioTick,
    Row,
    ShareRow,
    Tick,
    kind_of,
)
from surefoot.domain.errors import BadEvidence

__all__ = ["Survey"]

HISTORY_SECONDS = 60.0


class Survey:
    """Takes every row once, in the order of the file."""

    def __init__(self) -> None:
        """Nothing is known yet."""
        self.rows = 0
        self._judged: frozenset[str] = frozenset()
        self._kinds: dict[str, tuple[Kind, int]] = {}
        self._first = self._latest = self._step = self._tick_at = inf
        self._shares: dict[float, None] = {}
        self._is_exposed = False
        self._first_tick: float | None = None
        self._canary_at: float | None = None
        self._answers = {Arm.CANARY: 0.0, Arm.BASELINE: 0.0}
        self._bounds: dict[str, tuple[frozenset[float], Arm, int]] = {}
        self._strata: dict[str, dict[str, None]] = {}

    def plan(self, plan: JudgePlan) -> None:
        """Take the plan of the first line.

        Metrics whose bounds it fixes were judged before, whatever their rows had: again, then.
        """
        self._judged = frozenset(metric.name for metric in plan.metrics if metric.bounds)

    def take(self, row: Row, number: int) -> None:
        """Take the row of line `number`.

        Raises:
            BadEvidence: it comes before an earlier one, or changes its metric's kind or buckets.
        """
        if not self.rows:
            self._first = self._latest = row.t
        if row.t < self._latest:
            raise BadEvidence(
                f"Line {number}: a row at t = {row.t:g} s comes after one at "
                f"t = {self._latest:g} s.",
                cure="Put the rows in the order of time.",
            )
        self.rows += 1
        self._latest = row.t
        if isinstance(row, ShareRow):
            self._shares[row.share] = None
            self._is_exposed = self._is_exposed or row.share > 0
        elif isinstance(row, RatioTick | LatencyTick | GaugeTick):
            self._take_tick(row, number)

    def _take_tick(self, row: Tick, number: int) -> None:
        kind, line = self._kinds.setdefault(row.metric, (kind_of(row), number))
        if kind != kind_of(row):
            raise _two_kinds(number, row.metric, kind_of(row), f"{kind} in line {line}")
        if self._first_tick is None:
            self._first_tick = self._tick_at = row.t
        if row.t > self._tick_at:
            self._step, self._tick_at = min(self._step, row.t - self._tick_at), row.t
        if self._canary_at is None and row.arm is Arm.CANARY:
            self._canary_at = row.t
        if not isinstance(row, GaugeTick) and row.stratum is not None:
            self._strata.setdefault(row.metric, {})[row.stratum] = None
        if isinstance(row, LatencyTick) and row.metric not in self._judged:
            self._check_bounds(row, number)
        if row.t - self._first >= HISTORY_SECONDS:
            return
        if isinstance(row, RatioTick):
            self._answers[row.arm] += row.all
        elif isinstance(row, LatencyTick):
            self._answers[row.arm] += row.le[inf]

    def _check_bounds(self, row: LatencyTick, number: int) -> None:
        known = self._bounds.get(row.metric)
        if known is None:
            known = self._bounds[row.metric] = (frozenset(row.le), row.arm, number)
        bounds, arm, line = known
        if row.le.keys() != bounds:
            apart = ", ".join(f"{bound:g}" for bound in sorted(row.le.keys() ^ bounds))
            raise BadEvidence(
                f"Line {number}: the buckets of {row.metric!r} differ. Only one of the {row.arm} "
                f"here and the {arm} in line {line} has the bounds {apart}.",
                cure="Give both releases the same buckets; answers between two bounds that only"
                " one has cannot be compared.",
            )

    @property
    def kinds(self) -> Mapping[str, Kind]:
        """The kind of each metric, by its first row."""
        return {name: kind for name, (kind, _) in self._kinds.items()}

    @property
    def exposed_at(self) -> float | None:
        """When users were first exposed, if no row about the share tells it: at the first tick."""
        return None if self._is_exposed else self._first_tick

    @property
    def speaks_at(self) -> float | None:
        """The canary's first row, if no row about the share tells when it was to speak."""
        return None if self._is_exposed else self._canary_at

    def completed(self, plan: JudgePlan) -> JudgePlan:
        """The plan, with what it leaves open filled in from the rows.

        Raises:
            BadEvidence: the plan takes a metric for another kind than its rows are of.
        """
        for metric in plan.metrics:
            planned = cast(Kind, "gauge" if metric.kind == "counter" else metric.kind)
            kind, line = self._kinds.get(metric.name, (planned, 0))
            if kind != planned:
                raise _two_kinds(line, metric.name, kind, f"{metric.kind} in the plan")
        planned_names = {metric.name for metric in plan.metrics}
        found = tuple(
            MetricPlan(name, kind, required=kind in {"ratio", "latency"}, group=group_of(name))
            for name, kind in self.kinds.items()
            if name not in planned_names
        )
        return replace(
            plan,
            metrics=tuple(self._stratified(metric) for metric in plan.metrics + found),
            steps=plan.steps or self._steps(),
            interval=plan.interval or (self._step if self._step < inf else None),
        )

    def _stratified(self, metric: MetricPlan) -> MetricPlan:
        """With the first 20 strata of its rows, unless the plan names others; the rest is one."""
        if metric.strata:
            return metric
        first = islice(self._strata.get(metric.name, ()), MOST_STRATA)
        return replace(metric, strata=tuple(sorted(first)))

    def _steps(self) -> tuple[float, ...]:
        """The shares in order; without any, the canary's part of the first minute's requests."""
        told = tuple(share for share in self._shares if 0 < share < 1)
        if told:
            return told
        canary, baseline = self._answers[Arm.CANARY], self._answers[Arm.BASELINE]
        return (canary / (canary + baseline),) if canary and baseline else ()


def _two_kinds(number: int, metric: str, kind: str, other: str) -> BadEvidence:
    return BadEvidence(
        f"Line {number}: {metric!r} is a {kind} here and a {other}.",
        cure="Give each metric one kind in the plan and in all rows.",
    )
