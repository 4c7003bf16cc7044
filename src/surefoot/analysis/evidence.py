"""Capital that cannot grow by luck: evidence against a null, one tick after the other.

`Capital` bets on harm and may start anew again and again (T1, T5, T6); `Mixture` bets on "not
worse than its margin"; `ShareTest` asks whether the canary gets its part of the requests. All
are tempered: log F / phi. A tick in which an arm is empty is not given to them.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
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
ROUNDING = 1e-9  # in nats, of a sum of weights that should be one


def _capped_exp(nats: float) -> float:
    return exp(min(nats, LARGEST_LOG))


class Capital:
    """An equal mixture of bets that arm 1 is r times worse than `m p2 + d`.

    Part of the capital may be kept for restarts (T6): R <- (R + u) F. What was staked at the
    start and what joins later obey one recursion, so one number for each bet holds both.
    """

    __slots__ = ("_bets", "_dead_band", "_steepest", "_tempering", "value")

    def __init__(
        self, ratios: Sequence[float], *, d: float = 0.0, phi: float = 1.0, kept: float = 0.0
    ) -> None:
        """Bet on each of `ratios`; `d` is a fraction, `kept` the part held for restarts."""
        self._tempering = 1 / phi
        self._dead_band = d / phi
        # Of each bet: the capital it has now, ln r, and r - 1.
        self._bets = tuple([(1 - kept) / len(ratios), log(r), r - 1] for r in ratios)
        self._steepest = log(max(ratios))
        self.value = 1 - kept

    def step(self, m: float, one: tuple[float, float], two: tuple[float, float], u: float) -> None:
        """Take one tick: (events, all) of both arms, after adding restart capital `u`.

        With g = m w/(m w + 1), arm 1's part of the events when it is m times worse, and
        x = (r - 1) g, the split (m w + 1)/(r m w + 1) is 1/(1 + x), and the dead band
        d n1 (r - 1)/(r m w + 1) is (d n2/m) x/(1 + x). One loop, and log1p at a third of the
        price of log, for here the judge spends most of its time.
        """
        (e1, n1), (e2, n2) = one, two
        allowed = m * n1
        g = allowed / (allowed + n2)
        u /= len(self._bets)
        for_canary = self._tempering * e1
        for_both = self._tempering * (e1 + e2)
        dead_band = self._dead_band * n2 / m
        growth = exp if for_canary * self._steepest < LARGEST_LOG else _capped_exp
        value = 0.0
        for bet in self._bets:
            capital, ln_r, excess = bet
            x = excess * g
            nats = for_canary * ln_r - for_both * log1p(x) - dead_band * x / (1.0 + x)
            bet[0] = capital = (capital + u) * growth(nats)
            value += capital
        if value > RICHEST:
            for bet in self._bets:
                bet[0] = min(bet[0], RICHEST)
            value = sum(bet[0] for bet in self._bets)
        self.value = value


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

    __slots__ = ("_absolute", "_events", "_relative", "_requests", "_stakes", "_tempering")

    def __init__(self, bets: Iterable[Bet], *, phi: float = 1.0) -> None:
        """Stake the weights of `bets`, which should add up to one."""
        self._tempering = tempering = 1 / phi
        self._events = 0.0  # of arm 1
        self._requests = 0.0  # of arm 1
        # Of each bet: what depends on w, so far, and the constants of it.
        self._relative: list[list[float]] = []
        self._absolute: list[list[float]] = []
        # Of each bet: its weight, the nats of an event and a request of arm 1, and its list above.
        self._stakes: list[tuple[float, float, float, list[float]]] = []
        for bet in bets:
            if isinstance(bet, Relative):
                rm = bet.r * bet.m
                rest = [0.0, bet.m - rm, rm]
                self._relative.append(rest)
                self._stakes.append((bet.weight, tempering * log(bet.r), 0.0, rest))
            else:
                less = 1 - bet.a
                rest = [0.0, less]
                self._absolute.append(rest)
                of_event, of_request = tempering * log(bet.a), tempering * bet.d * less
                self._stakes.append((bet.weight, of_event, of_request, rest))

    def step(self, one: tuple[float, float], two: tuple[float, float]) -> None:
        """Take one tick: (events, all) of both arms."""
        (e1, n1), (e2, n2) = one, two
        self._events += e1
        self._requests += n1
        if not (e1 or e2):
            return
        w = n1 / n2
        for_both = self._tempering * (e1 + e2)
        for relative in self._relative:
            rest, less, rm = relative  # less = m - r m, so the log is ln((m w + 1)/(r m w + 1))
            relative[0] = rest + for_both * log1p(less * w / (rm * w + 1.0))
        if not e2:
            return
        for_baseline = self._tempering * e2
        for absolute in self._absolute:
            rest, less = absolute
            absolute[0] = rest + for_baseline * log1p(less * w)

    @property
    def value(self) -> float:
        """The evidence so far, as an e-value."""
        events, requests = self._events, self._requests
        total = 0.0
        for weight, of_event, of_request, rest in self._stakes:
            nats = of_event * events + of_request * requests + rest[0]
            total += weight * (exp(nats) if nats < LARGEST_LOG else RICHEST)
        return total

    def reaches(self, evidence: float) -> bool:
        """Whether the value is at least `evidence`: cheap while no single bet has that much.

        The weights add up to one, so that the mixture is never above its richest bet.
        """
        events, requests, enough = self._events, self._requests, log(evidence) - ROUNDING
        for _, of_event, of_request, rest in self._stakes:
            if of_event * events + of_request * requests + rest[0] >= enough:
                return self.value >= evidence
        return False


class ShareTest:
    """Whether the canary gets much less than its share of the requests.

    The null is "at least s0 = 0.8 s"; the bets are that it gets 0.25 and 0.6 of s0.
    """

    __slots__ = ("_bets", "_share", "_tempering", "value")

    PARTS = (0.25, 0.6)
    TOLERATED = 0.8

    def __init__(self, *, phi: float = 3.0) -> None:
        """Stake half on each bet. Requests are not independent, so phi is 3 until learnt."""
        self._tempering = 1 / phi
        self._share = 0.0
        # Of each bet: its log so far, and what a request of each arm brings.
        self._bets = tuple([0.0, log(part) / phi, 0.0] for part in self.PARTS)
        self.value = 1.0

    def step(self, share: float, canary: float, baseline: float) -> None:
        """Take the requests of one tick that was meant to be split by `share`."""
        if not 0 < share < 1:
            return
        if share != self._share:
            self._share = share
            s0 = self.TOLERATED * share
            for bet, part in zip(self._bets, self.PARTS, strict=True):
                bet[2] = self._tempering * log((1 - part * s0) / (1 - s0))
        total = 0.0
        for bet in self._bets:
            before, of_canary, of_baseline = bet
            bet[0] = nats = before + canary * of_canary + baseline * of_baseline
            total += exp(nats) if nats < LARGEST_LOG else RICHEST
        self.value = total / len(self._bets)
