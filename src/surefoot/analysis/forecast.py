"""When an answer is to be expected: before anybody is exposed, and while a change is watched.

The log of the evidence is a random walk. Its best bet gains `mean` nats a second with `variance`,
and phi of each event counts as one, so that phi times the usual nats are needed, and phi times the
variance is there. After t seconds the walk is nearly normal: it stands above its barrier B with the
chance Phi((mean t - B)/sqrt(variance t)). That is the law of Birnbaum and Saunders (1969, "A new
family of life distributions"): half get there by B/mean, nine in ten later by what few events
scatter. No constant is fitted. Where several things must be proven at one moment (errors, each
bound of a latency) their chances multiply, which is on the safe side, for a latency's bounds move
together. A tick in which one arm was not asked is no evidence; with Poisson requests, all but
exp(-n) of one arm's fall into a tick with some of the other's n. The times of the first step and
the last add up, their spreads by squares. *Verified* is not said before 60 s.

`benchmarks/verdicts.py --only forecast` measures how often it holds.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil, erf, exp, hypot, inf, log, prod, sqrt

from surefoot.analysis.evidence import GROSS_RATIOS, HARM_RATIOS
from surefoot.analysis.factor import Gain, best_a, gain, gain_of, relative_a
from surefoot.analysis.judge import AFTER_SWITCH, MINIMUM_WATCH
from surefoot.analysis.margins import GATE, GATE_PART, looser
from surefoot.analysis.plan import JudgePlan, MetricPlan, arms_at
from surefoot.analysis.tracks import (
    DEAD_BAND_D,
    DEAD_BAND_M,
    GROSS_M,
    GROSS_M_WARMING,
    KEPT,
    LONG_WARM_UP,
)
from surefoot.analysis.weights import split
from surefoot.analysis.words import duration
from surefoot.domain.verdict import Margin, Reading

__all__ = ["Forecast", "Wait", "forecast", "in_words", "left_in_words", "remaining", "to_see"]

A_FIFTH = 0.2
HALF, NINE_IN_TEN = 0.0, 1.2815515655446004  # as quantiles of the standard normal
CLOSE = 0.01  # of the time: no forecast is better than that
ONE_SECOND = 1.0
LEAST_EVIDENCE = 1e-300


@dataclass(frozen=True, slots=True)
class Wait:
    """Seconds within which half, and nine in ten, get there; inf where this traffic never does."""

    half: float
    nine_in_ten: float


NOW, NEVER = Wait(0.0, 0.0), Wait(inf, inf)


@dataclass(frozen=True, slots=True)
class Forecast:
    """What a plan lets expect, in seconds from first exposure.

    `verified` is when harmless changes are, `fifth` when a fifth of the canary's requests failing
    would show. `rate` is requests per second; `metric` is the one that takes longest, at `margin`;
    `in_time` tells whether nine in ten end before the time limit.
    """

    verified: Wait
    fifth: Wait
    rate: float
    metric: str | None
    margin: Margin | None
    in_time: bool

    def requests(self, seconds: float) -> float:
        """The requests that the service answers in that time, with both releases."""
        return self.rate * seconds if seconds < inf else inf


@dataclass(frozen=True, slots=True)
class Walk:
    """The log of one bet's evidence: nats a second, their variance, and the nats it needs."""

    mean: float
    variance: float
    barrier: float

    def chance_by(self, seconds: float) -> float:
        """The chance to stand above the barrier then."""
        return _below((self.mean * seconds - self.barrier) / sqrt(self.variance * seconds))

    def seconds(self, z: float) -> float:
        """When that chance is the one of z: mean t - z sqrt(variance t) = barrier, solved for t."""
        spread = z * sqrt(self.variance)
        return ((spread + sqrt(spread**2 + 4 * self.mean * self.barrier)) / (2 * self.mean)) ** 2


HOPELESS = Walk(0.0, 1.0, 1.0)


def forecast(plan: JudgePlan) -> Forecast:
    """The forecast of a plan that was made from history."""
    required = _required(plan)
    wanted = 1 / plan.alpha_ok
    proofs = {metric.name: _proofs(plan, metric, wanted) for metric in required}
    slowest = max(required, key=lambda metric: _when(proofs[metric.name], HALF), default=None)
    every = [walk for walks in proofs.values() for walk in walks]
    gate = _gate(plan, required, GATE_PART * wanted) if len(plan.steps) > 1 else []
    start = plan.warm_up + (AFTER_SWITCH if gate else 0.0)
    verified = _after(start, _wait(gate), _wait(every)) if slowest else NEVER
    verified = _in_ticks(plan, verified)
    verified = Wait(max(MINIMUM_WATCH, verified.half), max(MINIMUM_WATCH, verified.nine_in_ten))
    return Forecast(
        verified=verified,
        fifth=to_see(plan, A_FIFTH),
        rate=_rate(plan),
        metric=slowest.name if slowest else None,
        margin=slowest.margin if slowest else None,
        in_time=verified.nine_in_ten <= plan.time_limit,
    )


def remaining(plan: JudgePlan, reading: Reading, share: float) -> Wait:
    """What a harmless change at `share` still needs for *verified*, from its evidence so far.

    Seconds from the reading's moment. A reading does not tell how far the gate of the first step
    is: it is taken to begin now, and what was lost so far to be made good there. That is cautious.
    """
    required = _required(plan)
    seen = {metric.name: max(metric.ok, LEAST_EVIDENCE) for metric in reading.metrics}
    wanted = 1 / plan.alpha_ok
    every = [
        walk
        for metric in required
        for walk in _proofs(plan, metric, wanted / seen.get(metric.name, 1.0))
    ]
    start = max(0.0, plan.warm_up - reading.at)
    gate: Sequence[Walk] = []
    if share < plan.last_share:
        start += AFTER_SWITCH
        if not reading.gate:
            lost = min([1.0, *(seen.get(metric.name, 1.0) for metric in required)])
            gate = _gate(plan, required, GATE_PART * wanted / lost)
    left = _after(start, _wait(gate), _wait(every)) if required else NEVER
    least = MINIMUM_WATCH - reading.at
    return Wait(max(least, left.half, 0.0), max(least, left.nine_in_ten, 0.0))


def _in_ticks(plan: JudgePlan, wait: Wait) -> Wait:
    """Up to the end of a tick, for evidence comes with it."""
    tick = plan.interval or ONE_SECOND

    def up(seconds: float) -> float:
        return ceil(seconds / tick) * tick if seconds < inf else inf

    return Wait(up(wait.half), up(wait.nine_in_ten))


def to_see(plan: JudgePlan, bad: float) -> Wait:
    """When a canary of whose requests the fraction `bad` fails is *worse*, from first exposure.

    By the errors' own evidence, and by the bet that gets there first: at the first step; or at the
    last one, where so little harm may pass the gate. Harm within the margin is not waited for.
    """
    errors = plan.errors
    if errors is None or errors.p is None or errors.margin is None or not errors.rate:
        return NEVER
    margin = errors.margin
    if bad <= max(margin.ratio * errors.p, errors.p + margin.points / 100):
        return NEVER
    first = _seen_at(plan, errors, bad, plan.first_share, max(plan.warm_up, AFTER_SWITCH))
    if plan.first_share == plan.last_share:
        return _in_ticks(plan, first)
    _, w = arms_at(errors, plan.first_share)
    d = looser(margin, GATE.margin, errors.p).points / 100
    passing = gain(best_a(errors.p, errors.p, w, d), (1.0, d), w, bad, errors.p)
    wanted = GATE_PART / plan.alpha_ok
    gate = _wait([_walk(plan, errors, plan.first_share, passing, errors.phi, wanted)])
    last = _seen_at(plan, errors, bad, plan.last_share, AFTER_SWITCH)
    return _in_ticks(plan, _sooner([first, _after(plan.warm_up, gate, last)]))


def _seen_at(plan: JudgePlan, errors: MetricPlan, bad: float, share: float, quiet: float) -> Wait:
    """The same at one share, for evidence that begins now; only gross harm counts while `quiet`."""
    weights = split(plan.metrics, share_known=not plan.sticky)
    staked = weights.metrics.get(errors.name, 0.0) * (1 - KEPT)
    gross_m = GROSS_M_WARMING if plan.warm_up > LONG_WARM_UP else GROSS_M
    _, w = arms_at(errors, share)

    def seen(m: float, d: float, ratios: Sequence[float], phi: float, stake: float) -> Wait:
        evidence = len(ratios) / (stake * plan.alpha_worse)
        bets = (gain(relative_a(r, m, w), (m, d), w, bad, errors.p or 0.0) for r in ratios)
        return _sooner([_wait([_walk(plan, errors, share, bet, phi, evidence)]) for bet in bets])

    gross = seen(gross_m, 0.0, GROSS_RATIOS, max(1.0, errors.phi / 2), weights.gross)
    harm = seen(DEAD_BAND_M, DEAD_BAND_D, HARM_RATIOS, errors.phi, staked)
    return _sooner([gross, _after(quiet, NOW, harm)])


def _required(plan: JudgePlan) -> Sequence[MetricPlan]:
    return [metric for metric in plan.metrics if metric.required and metric.guards]


def _rate(plan: JudgePlan) -> float:
    """Requests a second, as the proxy counts them where it does."""
    by_proxy = [metric.rate or 0.0 for metric in plan.metrics if metric.group != "declared"]
    every = [metric.rate or 0.0 for metric in plan.metrics]
    return max(by_proxy, default=0.0) or max(every, default=0.0)


def _proofs(
    plan: JudgePlan, metric: MetricPlan, evidence: float, *, gate: bool = False
) -> Sequence[Walk]:
    """What must be proven of a metric, its margin or each bound: at the last step, or the gate."""
    share = plan.first_share if gate else plan.last_share
    _, w = arms_at(metric, share)
    bets: list[tuple[Gain, float]] = []
    if metric.kind == "latency":
        for bound in metric.bounds:
            one, d = (bound.slower_gate, bound.gate_d) if gate else (bound.slower_z, bound.d)
            a = best_a(one, bound.slower_x, w, d)
            bets.append((gain(a, (1.0, d), w, one, bound.slower_x), bound.phi or metric.phi))
    elif metric.rare is not None and metric.margin is not None:
        margin = looser(metric.margin, GATE.margin, metric.rare) if gate else metric.margin
        bets.append((gain_of(metric.rare, w, margin.ratio, margin.points / 100), metric.phi))
    return [_walk(plan, metric, share, bet, phi, evidence) for bet, phi in bets] or [HOPELESS]


def _gate(plan: JudgePlan, required: Sequence[MetricPlan], evidence: float) -> Sequence[Walk]:
    """What must be proven to leave the first step: of what the proxy sees, if it sees anything."""
    seen_by_proxy = [metric for metric in required if metric.group != "declared"]
    return [
        walk
        for metric in seen_by_proxy or required
        for walk in _proofs(plan, metric, evidence, gate=True)
    ]


def _walk(
    plan: JudgePlan, metric: MetricPlan, share: float, bet: Gain, phi: float, evidence: float
) -> Walk:
    """The evidence of a bet at a share, tempered by phi."""
    first, w = arms_at(metric, share)
    rate = first * (metric.rate or 0.0)
    fewer = min(rate, rate / w) * (plan.interval or ONE_SECOND)
    counted = rate * (1 - exp(-fewer))
    return Walk(counted * bet.mean, counted * bet.variance * phi, phi * log(evidence))


def _wait(walks: Sequence[Walk]) -> Wait:
    return Wait(_when(walks, HALF), _when(walks, NINE_IN_TEN))


def _when(walks: Sequence[Walk], z: float) -> float:
    """When all walks stand above their barriers with the chance of z: found by halving."""
    ahead = [walk for walk in walks if walk.barrier > 0]
    if not ahead:
        return 0.0
    if any(walk.mean <= 0 for walk in ahead):
        return inf
    early = late = max(walk.seconds(z) for walk in ahead)  # of the slowest alone
    if len(ahead) == 1:
        return late
    chance = _below(z)
    while prod(walk.chance_by(late) for walk in ahead) < chance:
        early, late = late, 2 * late
    while late - early > CLOSE * late:
        middle = (early + late) / 2
        if prod(walk.chance_by(middle) for walk in ahead) < chance:
            early = middle
        else:
            late = middle
    return late


def _below(z: float) -> float:
    """The standard normal distribution function."""
    return 0.5 + 0.5 * erf(z / sqrt(2))


def _after(start: float, one: Wait, two: Wait) -> Wait:
    """One wait after another, which do not depend on each other: their spreads add by squares."""
    half = start + one.half + two.half
    if inf in {one.nine_in_ten, two.nine_in_ten}:
        return Wait(half, inf)
    spread = hypot(one.nine_in_ten - one.half, two.nine_in_ten - two.half)
    return Wait(half, half + spread)


def _sooner(waits: Sequence[Wait]) -> Wait:
    return Wait(min(wait.half for wait in waits), min(wait.nine_in_ten for wait in waits))


def in_words(told: Forecast) -> str:
    """The forecast as people say it."""
    if not told.rate:
        return "There is no traffic, so nothing can be forecast."
    sentences = []
    if told.fifth.half < inf:
        sentences.append(f"A fifth of requests failing would show in {_told(told, told.fifth)}")
    if told.in_time:
        sentences.append(f"verified in {_told(told, told.verified)}")
        return _sentence("; ".join(sentences))
    what = "that it is not worse"
    if told.metric and told.margin:
        noun = "point" if told.margin.points == 1 else "points"
        what = f"'{told.metric} at most +{told.margin.points:g} {noun}'"
    needs = duration(told.verified.half)
    sentences.append(f"at {told.rate:.3g} requests/s this needs about {needs} to say {what}")
    return _sentence("; ".join(sentences))


def left_in_words(left: Wait) -> str:
    """What is left, as people say it: empty when nothing is, or when it never ends."""
    if not 0 < left.half < inf:
        return ""
    half, nine = duration(left.half), duration(left.nine_in_ten)
    return f"If it is harmless, verified in about {half} more (nine in ten within {nine})."


def _told(told: Forecast, wait: Wait) -> str:
    half, nine = max(1.0, wait.half), max(1.0, wait.nine_in_ten)
    requests = _rounded(told.rate * half)
    return f"about {duration(half)} or {requests} requests (nine in ten within {duration(nine)})"


def _rounded(number: float) -> str:
    """A count to two digits, with commas."""
    whole = max(1, ceil(number))
    unit = 10 ** max(0, len(str(whole)) - 2)
    return f"{-(-whole // unit) * unit:,}"


def _sentence(text: str) -> str:
    return text[0].upper() + text[1:] + "."
