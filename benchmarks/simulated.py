"""A simulated service and its rollouts, with seeded dice: what the benchmarks of the judge share.

The model: one-second ticks; Poisson requests; independent errors (or bursts of `phi`); latency
lognormal with median 80 ms and sigma 0.6, and 0.5 % at 2 s; optionally one business ratio ("biz",
a tenth of the requests, 1 % bad). Shares 10 % (or 5 requests/s), then 50 %; limit 15 min.
"""

import bisect
import random
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from math import erf, exp, inf, log, log1p, sqrt

from surefoot.analysis.history import History
from surefoot.analysis.judge import Judge
from surefoot.analysis.plan import JudgePlan, MetricPlan, Rules, plan_from_history, settle
from surefoot.analysis.ticks import Arm, LatencyTick, RatioTick, Row, ShareRow
from surefoot.domain.verdict import Margin, Reading, Word

E24 = (
    *(1.0, 1.1, 1.2, 1.3, 1.5, 1.6, 1.8, 2.0, 2.2, 2.4, 2.7, 3.0),
    *(3.3, 3.6, 3.9, 4.3, 4.7, 5.1, 5.6, 6.2, 6.8, 7.5, 8.2, 9.1),
)
BOUNDS = tuple(round(a * 10.0**k, 6) for k in (-2, -1, 0) for a in E24)
LIMIT = 900
HISTORY_SECONDS = 600
ERRORS = MetricPlan("errors", "ratio", group="errors")
LATENCY = MetricPlan("latency", "latency", group="latency")
BIZ = MetricPlan("biz", "ratio")


@dataclass(frozen=True, slots=True)
class World:
    """A service, and what the change does to it."""

    rps: float
    p: float
    canary_p: float | None = None
    slowed: float = 1.0
    biz: bool = False
    biz_canary: float = 0.01
    phi: int = 1
    harm_from: float = 0.0
    latency: bool = True

    @property
    def metrics(self) -> tuple[MetricPlan, ...]:
        """What is judged of it."""
        return (ERRORS, *([LATENCY] if self.latency else []), *([BIZ] if self.biz else []))


class Dice:
    """Seeded counts."""

    def __init__(self, seed: str) -> None:
        self.rng = random.Random(seed)

    def poisson(self, mean: float) -> int:
        """A Poisson count; normal where the mean is large."""
        if mean > 60:
            return max(0, round(self.rng.gauss(mean, sqrt(mean))))
        limit, count, product = exp(-mean), 0, self.rng.random()
        while product > limit:
            count += 1
            product *= self.rng.random()
        return count

    def binomial(self, n: int, p: float) -> int:
        """A binomial count, by the gaps between successes; normal where they are many."""
        if p <= 0 or n <= 0:
            return 0
        if p >= 1:
            return n
        if n * p > 200:
            return min(n, max(0, round(self.rng.gauss(n * p, sqrt(n * p * (1 - p))))))
        count, at, scale = 0, 0, 1 / log1p(-p)
        while True:
            at += int(log(1 - self.rng.random()) * scale) + 1
            if at > n:
                return count
            count += 1

    def errors(self, n: int, p: float, phi: int) -> int:
        """Bad answers in bursts of `phi`, so that they scatter phi times as much."""
        return min(n, phi * self.binomial(n, p / phi))

    def buckets(self, n: int, cumulative: Sequence[float]) -> dict[float, float]:
        """Cumulative buckets of n answers."""
        roll = self.rng.random
        values = sorted(roll() for _ in range(n))
        le: dict[float, float] = {
            bound: bisect.bisect_right(values, q)
            for bound, q in zip(BOUNDS, cumulative, strict=True)
        }
        le[inf] = n
        return le


def latency_cdf(slowed: float) -> tuple[float, ...]:
    """The fraction of answers within each bound."""

    def within(seconds: float) -> float:
        normal = 0.5 * (1 + erf(log(seconds / slowed / 0.08) / 0.6 / sqrt(2)))
        return 0.995 * normal + 0.005 * (seconds >= 2 * slowed)

    return tuple(within(bound) for bound in BOUNDS)


def history_of(world: World, dice: Dice) -> History:
    """Ten minutes of the baseline, block by block."""
    history = History()
    n = round(world.rps * 10)
    cdf = latency_cdf(1.0)
    for t in range(5, HISTORY_SECONDS, 10):
        bad = dice.errors(n, world.p, world.phi)
        history.feed(RatioTick(t, "errors", Arm.BASELINE, bad, n))
        if world.latency:
            history.feed(LatencyTick(t, "latency", Arm.BASELINE, dice.buckets(n, cdf)))
        history.feed(RatioTick(t, "biz", Arm.BASELINE, dice.binomial(n // 10, 0.01), n // 10))
    return history


def plan_for(
    world: World, dice: Dice, phi: float | None, margin: Margin | None = None
) -> JudgePlan:
    """The plan as shipped; `phi` None is learnt, a number is used as it is."""
    history = history_of(world, dice)
    rules = Rules(time_limit=LIMIT, largest_margin=10.0)
    metrics = [replace(m, margin=margin) if m is ERRORS else m for m in world.metrics]
    learnt = plan_from_history(history, metrics, rules)
    if phi is None:
        return learnt
    used = tuple(replace(metric, phi=phi) for metric in metrics)
    return settle(replace(learnt, metrics=used), history)


def second(world: World, dice: Dice, t: int, share: float) -> Iterator[Row]:
    """The rows of one second."""
    harmed = t >= world.harm_from
    for arm, part in ((Arm.CANARY, share), (Arm.BASELINE, 1 - share)):
        changed = harmed and arm is Arm.CANARY
        n = dice.poisson(world.rps * part)
        p = world.canary_p if changed and world.canary_p is not None else world.p
        yield RatioTick(t, "errors", arm, dice.errors(n, p, world.phi), n)
        if world.latency:
            cdf = CDFS.setdefault(world.slowed if changed else 1.0, ()) or remember(
                world.slowed if changed else 1.0
            )
            yield LatencyTick(t, "latency", arm, dice.buckets(n, cdf))
        if world.biz:
            n = dice.poisson(world.rps * part / 10)
            bad = dice.binomial(n, world.biz_canary if changed else 0.01)
            yield RatioTick(t, "biz", arm, bad, n)


CDFS: dict[float, tuple[float, ...]] = {}


def remember(slowed: float) -> tuple[float, ...]:
    """The distribution, computed once."""
    CDFS[slowed] = latency_cdf(slowed)
    return CDFS[slowed]


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a rollout ended."""

    word: Word
    at: float
    bad: int
    plan: JudgePlan


Second = Callable[[int, float], Iterable[Row]]  # the rows of a second at a share


def climb(
    plan: JudgePlan, rows_at: Second, seconds: int, told: list[Row] | None = None
) -> Iterator[tuple[Reading, float]]:
    """Run one rollout as the engine does: each second's reading, and the share it was made at.

    Every row that the judge was fed is added to `told`.
    """
    judge, step = Judge(plan), 0

    def feed(row: Row) -> None:
        if told is not None:
            told.append(row)
        judge.feed(row)

    feed(ShareRow(0, plan.steps[0]))
    for t in range(1, seconds + 1):
        for row in rows_at(t, plan.steps[step]):
            feed(row)
        judge.close_tick()
        reading = judge.reading
        yield reading, plan.steps[step]
        if reading.gate and step + 1 < len(plan.steps):
            step += 1
            feed(ShareRow(t + 0.5, plan.steps[step]))


def watch(
    world: World,
    dice: Dice,
    plan: JudgePlan,
    seconds: int = LIMIT,
    told: list[Row] | None = None,
) -> Iterator[tuple[Reading, float]]:
    """`climb` with the requests of a world."""
    return climb(plan, lambda t, share: second(world, dice, t, share), seconds, told)


def rollout(world: World, dice: Dice, plan: JudgePlan, until: Callable[[Reading], bool]) -> Outcome:
    """Run one rollout until a reading ends it."""
    reading = Judge(plan).reading
    for reading, _ in watch(world, dice, plan):
        if until(reading):
            break
    errors = next(metric for metric in reading.metrics if metric.name == "errors")
    return Outcome(reading.word, reading.at, errors.canary_bad, plan)


def decided(reading: Reading) -> bool:
    """Whether the judge has said a word."""
    return reading.word is not Word.WATCHING
