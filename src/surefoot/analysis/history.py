"""What the baseline did of late: its rates, and how much they scatter.

Ten-second blocks, at most an hour of them, and no more memory than that.
"""

from collections import deque
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from math import inf, sqrt

from surefoot.analysis.ticks import Arm, LatencyTick, RatioTick, Row

__all__ = ["UNLEARNT_PHI", "History", "dispersion"]

BLOCK_SECONDS = 10.0
BLOCKS = 360
UNLEARNT_PHI = 3.0
ENOUGH_BLOCKS = 12
ENOUGH_EVENTS = 30
LARGEST_PHI = 20.0
NORMAL_10 = -1.2815515655446004  # the tenth percentile of the standard normal


@dataclass(slots=True)
class Block:
    """The sums of one metric over ten seconds; `slower` counts answers beyond each bound."""

    index: int
    bad: float = 0.0
    all: float = 0.0
    slower: dict[float, float] = field(default_factory=dict)


@dataclass(slots=True)
class Series:
    """The blocks of one metric, and the first and last moment at which it was seen."""

    first: float
    last: float
    step: float = inf
    blocks: deque[Block] = field(default_factory=lambda: deque(maxlen=BLOCKS))

    @property
    def seconds(self) -> float:
        """The time covered, in seconds; a tick covers the step before it."""
        start = max(self.first, self.blocks[0].index * BLOCK_SECONDS)
        return self.last - start + (self.step if self.step < inf else 1.0)


class History:
    """The baseline's own past, metric by metric. Rows of the canary are left out."""

    def __init__(self) -> None:
        self._series: dict[str, Series] = {}

    def feed(self, row: Row) -> None:
        """Take a row; rows come in the order of time."""
        if not isinstance(row, RatioTick | LatencyTick) or row.arm is not Arm.BASELINE:
            return
        block = self._block(row.metric, row.t)
        if isinstance(row, RatioTick):
            block.bad += row.bad
            block.all += row.all
            return
        answers = row.le.get(inf, 0.0)
        block.all += answers
        for bound, within in row.le.items():
            block.slower[bound] = block.slower.get(bound, 0.0) + answers - within

    def _block(self, metric: str, t: float) -> Block:
        series = self._series.get(metric)
        if series is None:
            series = self._series[metric] = Series(first=t, last=t)
        if t > series.last:
            series.step = min(series.step, t - series.last)
            series.last = t
        index = int(t // BLOCK_SECONDS)
        if not series.blocks or series.blocks[-1].index != index:
            series.blocks.append(Block(index))
        return series.blocks[-1]

    @property
    def seconds(self) -> float:
        """The time covered by the metric that was seen longest."""
        return max((series.seconds for series in self._series.values()), default=0.0)

    def seconds_of(self, metric: str) -> float:
        """The time over which this metric was seen; 0 when never."""
        series = self._series.get(metric)
        return series.seconds if series else 0.0

    def all(self, metric: str) -> float:
        """Every event of the metric that is remembered."""
        return sum(block.all for block in self._blocks(metric))

    def rate(self, metric: str) -> float:
        """Events (for errors and latency: requests) per second."""
        seconds = self.seconds_of(metric)
        return self.all(metric) / seconds if seconds > 0 else 0.0

    def p(self, metric: str) -> float | None:
        """The fraction of counted events, (bad + 1/2)/(all + 1): never zero. None: never seen."""
        everything = self.all(metric)
        if everything <= 0:
            return None
        return (sum(block.bad for block in self._blocks(metric)) + 0.5) / (everything + 1)

    def slower(self, metric: str) -> Mapping[float, float]:
        """Each bound of a latency, in seconds, with the fraction slower than it."""
        counts: dict[float, float] = {}
        for block in self._blocks(metric):
            for bound, count in block.slower.items():
                counts[bound] = counts.get(bound, 0.0) + count
        everything = self.all(metric)
        return {
            bound: (counts[bound] + 0.5) / (everything + 1)
            for bound in sorted(counts)
            if bound < inf
        }

    def phi(self, metric: str) -> float:
        """How much more a rate scatters than independent requests would; 3 until learnt."""
        learnt = dispersion((block.bad, block.all) for block in self._blocks(metric))
        return UNLEARNT_PHI if learnt is None else learnt

    def phi_slower(self, metric: str, bound: float) -> float | None:
        """The same for "slower than bound"; None until learnt."""
        return dispersion(
            (block.slower.get(bound, 0.0), block.all) for block in self._blocks(metric)
        )

    def _blocks(self, metric: str) -> Sequence[Block]:
        series = self._series.get(metric)
        return series.blocks if series else ()


def dispersion(blocks: Iterable[tuple[float, float]]) -> float | None:
    """The over-dispersion phi of counts in ten-second blocks, as a 90 % upper bound in 1 to 20.

    From successive differences of (e - n p)/sqrt(n), so that a slow drift does not count: mean
    square / 2 / (p (1 - p)), taken as chi-squared with 2 (B - 1)/3 degrees of freedom.

    Args:
        blocks: counted events and all of them, in order.

    Returns:
        phi, or None for fewer than 12 blocks or 30 events of the rarer kind.
    """
    full = [(e, n) for e, n in blocks if n > 0]
    events, everything = sum(e for e, _ in full), sum(n for _, n in full)
    if len(full) < ENOUGH_BLOCKS or min(events, everything - events) < ENOUGH_EVENTS:
        return None
    p = events / everything
    residues = [(e - n * p) / sqrt(n) for e, n in full]
    square = sum((b - a) ** 2 for a, b in pairwise(residues)) / (len(full) - 1)
    freedom = 2 * (len(full) - 1) / 3
    bound = square / 2 / (p * (1 - p)) * freedom / _chi_squared_10(freedom)
    return min(max(bound, 1.0), LARGEST_PHI)


def _chi_squared_10(freedom: float) -> float:
    """The tenth percentile of chi-squared (Wilson and Hilferty 1931; 1 % off at 7 degrees)."""
    spread = 2 / (9 * freedom)
    return float(freedom * (1 - spread + NORMAL_10 * sqrt(spread)) ** 3)
