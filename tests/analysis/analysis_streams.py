"""Seeded streams of rows, and plans, for the tests of the judge."""

import random
from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass, replace
from math import inf, log, log1p

from simulated import climb

from surefoot.analysis.history import History
from surefoot.analysis.judge import Judge
from surefoot.analysis.plan import JudgePlan, MetricPlan, Rules, plan_from_history
from surefoot.analysis.ticks import Arm, LatencyTick, RatioTick, Row, ShareRow
from surefoot.domain.verdict import Reading

ERRORS = MetricPlan("errors", "ratio", group="errors")
LATENCY = MetricPlan("latency", "latency", group="latency")
BOUNDS = (0.05, 0.06, 0.075, 0.09, 0.11, 0.13, 0.16, 0.2, 0.25, 0.33, 0.5, 1.0, 2.0, 4.0)


@dataclass(frozen=True, slots=True)
class Service:
    """A service, and what the change does to the canary."""

    rps: float = 200
    base: float = 0.01
    canary: float | None = None
    slowed: float = 1.0
    latency: bool = False

    @property
    def metrics(self) -> tuple[MetricPlan, ...]:
        return (ERRORS, LATENCY) if self.latency else (ERRORS,)


def count(dice: random.Random, n: int, p: float) -> int:
    """A binomial count, by the gaps between successes."""
    if not 0 < p < 1:
        return round(n * p)
    found, at, scale = 0, 0, 1 / log1p(-p)
    while True:
        at += int(log(1 - dice.random()) * scale) + 1
        if at > n:
            return found
        found += 1


def requests(dice: random.Random, mean: float) -> int:
    """About a Poisson count: Bernoulli trials in twentieths."""
    return count(dice, max(1, round(mean * 20)), 0.05) if mean > 0 else 0


def buckets(dice: random.Random, n: int, slowed: float) -> dict[float, float]:
    """Cumulative buckets of n lognormal answers with a median of 80 ms."""
    times = sorted(0.08 * slowed * dice.lognormvariate(0, 0.6) for _ in range(n))
    le: dict[float, float] = {bound: bisect_right(times, bound) for bound in BOUNDS}
    le[inf] = n
    return le


def second(service: Service, dice: random.Random, t: float, share: float) -> Iterator[Row]:
    """The rows of one second at a share."""
    for arm, part in ((Arm.CANARY, share), (Arm.BASELINE, 1 - share)):
        is_canary = arm is Arm.CANARY
        n = requests(dice, service.rps * part)
        p = service.canary if is_canary and service.canary is not None else service.base
        yield RatioTick(t, "errors", arm, count(dice, n, p), n)
        if service.latency:
            slowed = service.slowed if is_canary else 1.0
            yield LatencyTick(t, "latency", arm, buckets(dice, n, slowed))


def learnt(service: Service, dice: random.Random, seconds: int = 600) -> History:
    """The baseline's past, ten seconds at a time."""
    history, past = History(), replace(service, rps=10 * service.rps)
    for t in range(0, seconds, 10):
        for row in second(past, dice, t, 0.0):
            history.feed(row)
    return history


def plan_of(
    service: Service, dice: random.Random, phi: float | None = 1.0, rules: Rules | None = None
) -> JudgePlan:
    """A plan from the past of this service; `phi` stands in for what a day of it would teach."""
    plan = plan_from_history(learnt(service, dice), service.metrics, rules or Rules())
    if phi is None:
        return plan
    metrics = tuple(
        replace(m, phi=phi, bounds=tuple(replace(b, phi=phi) for b in m.bounds))
        for m in plan.metrics
    )
    return replace(plan, metrics=metrics)


def rows_of(service: Service, dice: random.Random, seconds: int, share: float = 0.1) -> list[Row]:
    """Rows at one share, from first exposure on."""
    rows: list[Row] = [ShareRow(0, share)]
    for t in range(1, seconds + 1):
        rows.extend(second(service, dice, t, share))
    return rows


def rollout(
    service: Service, dice: random.Random, plan: JudgePlan, seconds: int = 900
) -> tuple[Reading, list[Row]]:
    """Climb the steps by the gate, as the engine does, until a word is said."""
    told: list[Row] = []
    reading = Judge(plan).reading
    for reading, _ in climb(plan, lambda t, share: second(service, dice, t, share), seconds, told):
        if reading.word != "watching":
            break
    return reading, told


def judged(plan: JudgePlan, rows: list[Row], exposed_at: float | None = None) -> Reading:
    """The reading at the end of rows."""
    judge = Judge(plan, exposed_at)
    for row in rows:
        judge.feed(row)
    judge.close_tick()
    return judge.reading
