"""Capital that cannot grow by luck: evidence against a null, one tick after the other.

`Capital` bets on harm and may start anew again and again (T1, T5, T6); `Mixture` bets on "not
worse than its margin"; `ShareTest` asks whether the canary gets its part of the requests. All
are tempered: log F / phi. A tick in which an arm is empty is not given to them.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from math import exp, log, log1p

__all__ = [
    "GROSS_RATIOS",
    "HARM_RATIOS",
    "LARGEST_LOG",
    "RICHEST",
    "Absolute",
    "Bet",
    "Capital",
    "Mixture",
    "Relative",
    "ShareTest",
]

HARM_RATIOS = (1.25, 1.5, 2.0, 3.0, 5.0, 10.0, 30.0, 100.0, 400.0)
GROSS_RATIOS = (2.5, 8.0, 40.0)
RICHEST = 1e200  # far beyond any threshold; keeps sums finite whatever a billion events say
LARGEST_LOG = log(RICHEST)


@lru_cache(maxsize=2048)
def _splits(ratios: tuple[float, ...], mw: float) -> tuple[tuple[float, float], ...]:
    """What each bet says of the split alone: ln((mw + 1)/(r mw + 1)) and (r - 1)/(r mw + 1).

    Kept, because all bounds of a latency share one w, and small counts come again.
    """
    return tuple((log((mw + 1) / (v := r * mw + 1)), (r - 1) / v) for r in ratios)


class Capital:
    """An equal mixture of bets that arm 1 is r times worse than `m p2 + d`.

    Part of the capital may be kept for restarts (T6): R <- (R + u) F. What was staked at the
    start and what joins later obey one recursion, so one number for each bet holds both.
    """

    __slots__ = ("_capitals", "_d", "_logs", "_ratios", "_steepest", "_tempering", "value")

    def __init__(
        self, ratios: Sequence[float], *, d: float = 0.0, phi: float = 1.0, kept: float = 0.0
    ) -> None:
        """Bet on each of `ratios`; `d` is a fraction, `kept` the part held for restarts."""
        self._d = d
        self._tempering = 1 / phi
        self._ratios = tuple(ratios)
        self._logs = tuple(log(r) for r in ratios)
        self._steepest = log(max(ratios))
        self._capitals = [(1 - kept) / len(ratios)] * len(ratios)
        self.value = 1 - kept

    def step(self, m: float, one: tuple[float, float], two: tuple[float, float], u: float) -> None:
        """Take one tick: (events, all) of both arms, after adding restart capital `u`."""
        (e1, n1), (e2, n2) = one, two
        mw = m * n1 / n2
        u /= len(self._ratios)
        tempering = self._tempering
        for_canary = tempering * e1
        for_both = tempering * (e1 + e2)
        dead_band = tempering * self._d * n1
        logs = [
            for_canary * ln_r + for_both * split - dead_band * rest
            for ln_r, (split, rest) in zip(self._logs, _splits(self._ratios, mw), strict=True)
        ]
        if for_canary * self._steepest > LARGEST_LOG:
            logs = [min(x, LARGEST_LOG) for x in logs]
        self._capitals = [(c + u) * exp(x) for c, x in zip(self._capitals, logs, strict=True)]
        self.value = sum(self._capitals)
        if self.value > RICHEST:
            self._capitals = [min(c, RICHEST) for c in self._capitals]
            self.value = sum(self._capitals)


@dataclass(frozen=True, slots=True)
class Relative:
    """A bet that arm 1 has r times what the null `m p2` allows."""

    weight: float
    m: float
    r: float


@dataclass(frozen=True, slots=True)
class Absolute:
    """The bet a against the null `p2 + d`; d is a fraction."""

    weight: float
    a: float
    d: float


Bet = Relative | Absolute


class Mixture:
    """A weighted mixture of bets, fixed before the first tick.

    Kept as logs, for it must recover from any depth. What is linear in the counts is summed up
    once for all bets; each bet keeps only what depends on w, the baseline's part.
    """

    __slots__ = (
        "_absolute",
        "_events",
        "_margins",
        "_nulls",
        "_relative",
        "_requests",
        "_rests",
        "_splits",
        "_tempering",
    )

    def __init__(self, bets: Iterable[Bet], *, phi: float = 1.0) -> None:
        """Stake the weights of `bets`, which should add up to one."""
        bets = tuple(bets)
        self._tempering = 1 / phi
        self._relative = tuple(bet for bet in bets if isinstance(bet, Relative))
        self._absolute = tuple(bet for bet in bets if isinstance(bet, Absolute))
        self._nulls = tuple((bet.m, bet.r * bet.m) for bet in self._relative)
        self._margins = tuple(1 - bet.a for bet in self._absolute)
        self._events = 0.0  # of arm 1
        self._requests = 0.0  # of arm 1
        self._splits = [0.0] * len(self._relative)
        self._rests = [0.0] * len(self._absolute)

    def step(self, one: tuple[float, float], two: tuple[float, float]) -> None:
        """Take one tick: (events, all) of both arms."""
        (e1, n1), (e2, n2) = one, two
        self._events += e1
        self._requests += n1
        if not (e1 or e2):
            return
        w = n1 / n2
        both = e1 + e2
        self._splits = [
            x + both * log((m * w + 1) / (rm * w + 1))
            for x, (m, rm) in zip(self._splits, self._nulls, strict=True)
        ]
        if e2:
            self._rests = [
                x + e2 * log1p(w * rest) for x, rest in zip(self._rests, self._margins, strict=True)
            ]

    @property
    def value(self) -> float:
        """The evidence so far, as an e-value."""
        total = 0.0
        for split, bet in zip(self._splits, self._relative, strict=True):
            x = self._events * log(bet.r) + split
            total += bet.weight * exp(min(x * self._tempering, LARGEST_LOG))
        for rest, stake in zip(self._rests, self._absolute, strict=True):
            x = self._events * log(stake.a) + rest + stake.d * (1 - stake.a) * self._requests
            total += stake.weight * exp(min(x * self._tempering, LARGEST_LOG))
        return total


class ShareTest:
    """Whether the canary gets much less than its share of the requests.

    The null is "at least s0 = 0.8 s"; the bets are that it gets 0.25 and 0.6 of s0.
    """

    __slots__ = ("_canary", "_logs", "_losses", "_share", "_tempering")

    PARTS = (0.25, 0.6)
    TOLERATED = 0.8

    def __init__(self, *, phi: float = 3.0) -> None:
        """Stake half on each bet. Requests are not independent, so phi is 3 until learnt."""
        self._tempering = 1 / phi
        self._canary = tuple(log(part) / phi for part in self.PARTS)
        self._logs = [0.0] * len(self.PARTS)
        self._share = 0.0
        self._losses: tuple[float, ...] = ()

    def step(self, share: float, canary: float, baseline: float) -> None:
        """Take the requests of one tick that was meant to be split by `share`."""
        if not 0 < share < 1:
            return
        if share != self._share:
            s0 = self.TOLERATED * share
            self._share = share
            self._losses = tuple(
                self._tempering * log((1 - part * s0) / (1 - s0)) for part in self.PARTS
            )
        self._logs = [
            x + canary * one + baseline * two
            for x, one, two in zip(self._logs, self._canary, self._losses, strict=True)
        ]

    @property
    def value(self) -> float:
        """The evidence so far, as an e-value."""
        return sum(exp(min(x, LARGEST_LOG)) for x in self._logs) / len(self._logs)
