"""Ticks from the simulated production, as a proxy's counters would tell them."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, replace

from surefoot.analysis.ticks import Arm, GaugeTick, LatencyTick, RatioTick, Tick
from surefoot.domain.manifest import Metric, MetricKind
from surefoot.ports import Clock, Metered, UpstreamArm, Watched
from surefoot.testing.faults import Faults
from surefoot.testing.production import BOUNDS_S, Counted, Production

__all__ = ["SimulatedTelemetry"]


@dataclass(frozen=True, slots=True)
class _Before:
    """What the last look at a service found, and at whom it looked."""

    watched: Watched
    counted: dict[Arm, Counted]


class SimulatedTelemetry:
    """The Telemetry port: the difference between two looks at what releases have counted.

    As at a real proxy, the first look at other releases only finds where counting begins.
    """

    def __init__(self, production: Production, clock: Clock) -> None:
        """Take the production to look at; `hidden` metrics stand on no page."""
        self.faults = Faults(clock)
        self.unknown = False
        self.hidden: set[str] = set()
        self._production = production
        self._clock = clock
        self._before: dict[str, _Before] = {}

    async def look(self, watched: Watched) -> Metered | None:
        """What happened since the last look; None while everything is `unknown`."""
        await self.faults.meet("look")
        if self.unknown:
            return None
        arms = _arms(watched)
        now = {arm: self._copy(watched, one) for arm, one in arms.items()}
        before = self._before.get(watched.service)
        self._before[watched.service] = _Before(watched, now)
        active = {arm: now[arm].active if arm in now else 0 for arm in Arm}
        if before is None or _identity(before.watched) != _identity(watched):
            return Metered((), canary_active=active[Arm.CANARY])
        t = self._clock.boottime() - watched.exposed_at
        grown = {arm: _grown(now[arm], before.counted[arm]) for arm in arms}
        shown = [metric for metric in watched.metrics if metric.name not in self.hidden]
        return Metered(
            rows=tuple(row for arm in arms for row in _rows(t, arm, grown[arm], shown)),
            canary_answered=grown[Arm.CANARY].answered if Arm.CANARY in grown else 0,
            canary_active=active[Arm.CANARY],
            baseline_active=active[Arm.BASELINE],
            baseline_answered=grown[Arm.BASELINE].answered if Arm.BASELINE in grown else 0,
            missing=tuple(one.name for one in watched.metrics if one.name in self.hidden),
        )

    async def names(self, watched: Watched) -> tuple[str, ...]:
        """The declared metrics that stand on no page."""
        await self.faults.meet("names")
        return tuple(one.name for one in watched.metrics if one.name in self.hidden)

    def forget(self, service: str) -> None:
        """Start anew at the next look."""
        self._before.pop(service, None)

    def _copy(self, watched: Watched, arm: UpstreamArm) -> Counted:
        counted = self._production.counted(watched.service, arm.release)
        return replace(counted, slow=counted.slow.copy(), metrics=counted.metrics.copy())


def _arms(watched: Watched) -> dict[Arm, UpstreamArm]:
    both = {Arm.CANARY: watched.canary, Arm.BASELINE: watched.baseline}
    return {arm: release for arm, release in both.items() if release is not None}


def _identity(watched: Watched) -> tuple[object, ...]:
    return (watched.canary, watched.baseline, watched.metrics)


def _grown(now: Counted, before: Counted) -> Counted:
    return Counted(
        answered=now.answered - before.answered,
        bad=now.bad - before.bad,
        slow=Counter(now.slow) - before.slow,
        metrics=Counter(now.metrics) - before.metrics,
    )


def _rows(t: float, arm: Arm, grown: Counted, metrics: Iterable[Metric]) -> Iterable[Tick]:
    yield RatioTick(t, "errors", arm, grown.bad, grown.answered)
    yield _latency(t, "latency", arm, grown)
    for metric in metrics:
        seen = float(grown.metrics[metric.name])
        if metric.kind is MetricKind.RATIO:
            yield RatioTick(t, metric.name, arm, seen, grown.answered)
        elif metric.kind is MetricKind.LATENCY:
            yield _latency(t, metric.name, arm, grown)
        elif metric.kind in {MetricKind.GAUGE, MetricKind.COUNTER}:
            yield GaugeTick(t, metric.name, None, arm, seen)


def _latency(t: float, name: str, arm: Arm, grown: Counted) -> LatencyTick:
    sums: dict[float, float] = {}
    total = 0.0
    for bound in BOUNDS_S:
        total += grown.slow[bound]
        sums[bound] = total
    return LatencyTick(t, name, arm, sums)
