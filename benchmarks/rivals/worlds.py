"""Simulated traffic: what the change does, and what the site does meanwhile.

One-second steps, Poisson requests. The stresses are those that break tests of two proportions:

* drift: the site's own error rate grows fourfold over the watch, half of a day's swing;
* shocks: now and then, every ten minutes on average, it is threefold for about a minute;
* bursts: failures come as retry storms of five on average (geometric), each retry a request more;
* noise: each release's rate has a slow factor of its own, lognormal with deviation 0.3, which
  forgets in about 50 s.
"""

import math
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from math import cos, exp, log, log1p, pi, sqrt

from simulated import Dice

from rivals.rule import Counts, Record

BURST = 5.0
DRIFT = 4.0
MEMORY = 50.0
SHOCK = 3.0
SHOCK_EVERY = 600.0
SHOCK_LASTS = 60.0


@dataclass(frozen=True)
class World:
    """A service and a change.

    `p` is the failing fraction without harm; the canary's is `canary_p` from second `harm_from`
    to `harm_until`, if that is given. `shares` are the canary's, each with the second from which
    it holds; `watch` is how long is watched.
    """

    rps: float
    p: float
    shares: tuple[tuple[int, float], ...]
    watch: int
    canary_p: float | None = None
    harm_from: int = 0
    harm_until: float = float("inf")
    drifts: bool = False
    bursts: bool = False
    noise: float = 0.0

    @cached_property
    def steps(self) -> tuple[float, ...]:
        """The shares alone."""
        return tuple(share for _, share in self.shares)

    def share(self, t: int) -> float:
        """The canary's share in second `t`."""
        return next(share for since, share in reversed(self.shares) if t > since)


class Noise:
    """A factor on one release's rate that wanders around 1."""

    def __init__(self, spread: float) -> None:
        self.spread = spread
        self.at: float | None = None

    def factor(self, dice: Dice, seconds: float) -> float:
        """Let `seconds` pass."""
        if not self.spread:
            return 1.0
        kept = exp(-seconds / MEMORY) if self.at is not None else 0.0
        fresh = dice.rng.gauss(0, self.spread * sqrt(1 - kept**2))
        self.at = kept * (self.at or 0.0) + fresh
        return exp(self.at - self.spread**2 / 2)


class Site:
    """The traffic of one rollout, second by second."""

    def __init__(self, world: World, dice: Dice) -> None:
        self.world = world
        self._dice = dice
        self._canary, self._baseline = Noise(world.noise), Noise(world.noise)
        self._shock_until = self._shock_at = 0.0

    def before(self, seconds: int, step: int) -> Iterable[Counts]:
        """The baseline alone with all of the traffic, before the rollout."""
        noise = Noise(self.world.noise)
        for t in range(-seconds, 0, step):
            rate = self.world.p * self._common(t, step) * noise.factor(self._dice, step)
            yield self._counts(self.world.rps * step, rate)
        self._shock_until = 0.0

    def advance(self, record: Record) -> None:
        """One second more, of both releases; each minute also of an earlier, harmless rollout."""
        world = self.world
        record.t += 1
        t, record.share = record.t, world.share(record.t)
        common = self._common(t, 1)
        harmed = world.canary_p is not None and world.harm_from < t <= world.harm_until
        p = world.canary_p if harmed and world.canary_p is not None else world.p
        for stream, rps, rate, noise in (
            (record.canary, world.rps * record.share, p, self._canary),
            (record.baseline, world.rps * (1 - record.share), world.p, self._baseline),
        ):
            stream.add(self._counts(rps, rate * common * noise.factor(self._dice, 1)))
        if t % 60 == 0:
            record.previous.add(self._counts(60 * world.rps * record.share, world.p))

    def _common(self, t: float, seconds: float) -> float:
        """What both releases suffer alike."""
        if not self.world.drifts:
            return 1.0
        grown = (1 - cos(pi * min(max(t, 0) / self.world.watch, 1))) / 2
        if self._dice.rng.random() < seconds / SHOCK_EVERY:
            self._shock_until = t + seconds + self._dice.rng.expovariate(1 / SHOCK_LASTS)
        shock = SHOCK if t < self._shock_until else 1.0
        return math.pow(DRIFT, grown - 0.5) * shock

    def _counts(self, requests: float, rate: float) -> Counts:
        n = self._dice.poisson(requests)
        if not self.world.bursts:
            return Counts(self._dice.binomial(n, min(rate, 1.0)), n)
        storms = self._dice.binomial(n, rate / BURST)
        end = log1p(-1 / BURST)
        bad = sum(1 + int(log(1 - self._dice.rng.random()) / end) for _ in range(storms))
        return Counts(bad, n + bad - storms)
