"""Gauges, block by block (T3): which arm's is higher, and how sure that is.

The samples of a gauge hang together, so neither counts nor means of them are evidence. Of a block
that is longer than they hang together only the sign of the difference is: a fair coin while both
releases are alike. Each stake turns it into capital, 1 + stake x sign, and both directions are bet
on. Nine blocks of one sign reach 100: gauges advise, and end no rollout.
"""

from collections.abc import Sequence
from math import exp, inf, log, sqrt

from surefoot.analysis.evidence import LARGEST_LOG

__all__ = ["GaugeTest", "Likeness"]

STAKES = (0.2, 0.5, 0.9)
SHORTEST_BLOCK = 60.0
MOST_ALIKE = 0.995  # of two ticks in a row: blocks of 400 ticks
NATS = {sign: tuple(log(1 + stake * sign) for stake in STAKES) for sign in (-1, 0, 1)}


class Likeness:
    """How long the samples of a series hang together, as of the ticks so far.

    By the correlation r of neighbours, as for a first-order autoregression: the integrated time
    is (1 + r)/(1 - r) ticks. Its bias (1 + 4 r)/n (Kendall 1954) and one and a half standard errors
    are added to r, so that little data means long. Measured for samples a minute apart: of alike
    arms some 1 % cross 100 in four hours, in each direction and whatever r; a shift of two
    deviations takes half an hour at r = 0 and three at r = 0.8.
    """

    __slots__ = ("_count", "_first", "_last", "_products", "_squares", "_start", "_sum", "_t")

    def __init__(self) -> None:
        self._count = 0
        self._start = self._t = self._first = self._last = 0.0
        self._sum = self._squares = self._products = 0.0

    def add(self, t: float, value: float) -> None:
        """Take the next tick's value."""
        if not self._count:
            self._start, self._first = t, value
        value -= self._first  # what is large and hardly moves would lose its digits
        if self._count:
            self._products += self._last * value
        self._count += 1
        self._sum += value
        self._squares += value * value
        self._last, self._t = value, t

    @property
    def seconds(self) -> float:
        """The integrated time in seconds."""
        n = self._count
        if n < 3:  # noqa: PLR2004 -- one difference tells nothing of its likeness to the next
            return inf
        mean = self._sum / n
        variance = self._squares / n - mean * mean
        together = self._products / (n - 1) - mean * mean
        alike = min(max(together / variance, 0.0), 1.0) if variance > 0 else 0.0
        alike = min(alike + (1 + 4 * alike) / n + 1.5 * sqrt((1 - alike**2) / n), MOST_ALIKE)
        return (1 + alike) / (1 - alike) * (self._t - self._start) / (n - 1)


class GaugeTest:
    """Both arms of one gauge: their means, and the evidence for either direction.

    A block ends by the likeness of the baseline's samples up to then, its own among them, which
    turns with no sign. Lengths fixed before were tried: the first are long for want of data, and
    nothing is found in hours.
    """

    __slots__ = ("_block", "_likeness", "_logs", "_start", "blocks", "sums")

    def __init__(self) -> None:
        """Nothing was seen yet."""
        self.blocks = 0
        self.sums = [0.0, 0.0, 0]  # of the canary, of the baseline, and how many ticks
        self._likeness = Likeness()
        self._logs = {True: [0.0] * len(STAKES), False: [0.0] * len(STAKES)}
        self._start: float | None = None
        self._block = [0.0, 0.0]

    def step(self, t: float, canary: Sequence[float], baseline: Sequence[float]) -> None:
        """Take the samples of one tick at `t` seconds, at least one of each arm.

        A block ends with the first tick behind its length, and that tick begins the next.
        """
        mean_c, mean_b = sum(canary) / len(canary), sum(baseline) / len(baseline)
        if self._start is None:
            self._start = t
        elif t - self._start >= max(SHORTEST_BLOCK, self._likeness.seconds):
            self._settle()
            self._start = t
        self._likeness.add(t, mean_b)
        self._block[0] += mean_c
        self._block[1] += mean_b
        for place, amount in enumerate((mean_c, mean_b, 1)):
            self.sums[place] += amount

    def _settle(self) -> None:
        difference = self._block[0] - self._block[1]
        sign = (difference > 0) - (difference < 0)
        for higher, logs in self._logs.items():
            nats = NATS[sign if higher else -sign]
            self._logs[higher] = [x + fresh for x, fresh in zip(logs, nats, strict=True)]
        self.blocks += 1
        self._block = [0.0, 0.0]

    def value(self, *, higher: bool) -> float:
        """The evidence that the canary's is higher, or lower, as an e-value."""
        logs = self._logs[higher]
        return sum(exp(min(x, LARGEST_LOG)) for x in logs) / len(logs)

    @property
    def means(self) -> tuple[float, float] | None:
        """The mean of the canary and of the baseline over all ticks; None before the first."""
        canary, baseline, ticks = self.sums
        return (canary / ticks, baseline / ticks) if ticks else None
