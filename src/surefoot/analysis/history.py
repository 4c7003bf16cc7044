"""What the baseline did of late: its rates, and how much they scatter.

Ten-second blocks, at most an hour of them, and no more memory than that. How much a rate scatters
between two releases that run side by side is less than how much one scatters by itself, for a busy
host slows both: so pairs of releases, where there were any, are asked first; and before them pairs
of the same release, of which nothing but chance and the host can tell one from the other.
"""

from collections import deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from itertools import pairwise
from math import inf, sqrt

from surefoot.analysis.ticks import Arm, LatencyTick, RatioTick, Row

__all__ = [
    "REMEMBERED_S",
    "UNLEARNT_PHI",
    "History",
    "Pair",
    "Source",
    "dispersion",
    "paired_dispersion",
]

BLOCK_SECONDS = 10.0
BLOCKS = 360
REMEMBERED_S = BLOCKS * BLOCK_SECONDS
UNLEARNT_PHI = 3.0
ENOUGH_BLOCKS = 12
ENOUGH_EVENTS = 30
LARGEST_PHI = 20.0
PAIRED_BLOCKS = 120
NORMAL_10 = -1.2815515655446004  # the tenth percentile of the standard normal


@dataclass(slots=True)
class Block:
    """The sums of one metric over ten seconds; `slower` counts answers beyond each bound.

    `beside` are the events of a canary that served at the same time.
    """

    index: int
    bad: float = 0.0
    all: float = 0.0
    slower: dict[float, float] = field(default_factory=dict)
    beside: float = 0.0

    def add(self, row: RatioTick | LatencyTick) -> None:
        """Count one tick."""
        if isinstance(row, RatioTick):
            self.bad += row.bad
            self.all += row.all
            return
        answers = row.le.get(inf, 0.0)
        self.all += answers
        for bound, within in row.le.items():
            self.slower[bound] = self.slower.get(bound, 0.0) + answers - within


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


Counts = tuple[float, float]  # counted events, and all of them


class Pair:
    """Both arms of one rollout, side by side, in ten-second blocks: the last 120 of them."""

    def __init__(self) -> None:
        self._arms: dict[Arm, dict[str, dict[int, Block]]] = {arm: {} for arm in Arm}

    def feed(self, row: Row, t: float | None = None) -> None:
        """Take a row of either arm, at its own time or at `t`."""
        if isinstance(row, RatioTick | LatencyTick):
            index = int((row.t if t is None else t) // BLOCK_SECONDS)
            blocks = self._arms[row.arm].setdefault(row.metric, {})
            if index not in blocks:
                blocks[index] = Block(index)
                while next(iter(blocks)) <= index - PAIRED_BLOCKS:
                    del blocks[next(iter(blocks))]
            blocks[index].add(row)

    def __len__(self) -> int:
        """How many blocks it has of the metric that was seen longest."""
        return max(
            (len(blocks) for arm in self._arms.values() for blocks in arm.values()), default=0
        )

    def counts(
        self, metric: str, counted: Callable[[Block], float]
    ) -> Sequence[tuple[Counts, Counts]]:
        """What canary and baseline did, block by block, where both did anything."""
        canary, baseline = (self._arms[arm].get(metric, {}) for arm in Arm)
        both = ((one, baseline[at]) for at, one in sorted(canary.items()) if at in baseline)
        return [
            ((counted(one), one.all), (counted(two), two.all))
            for one, two in both
            if one.all > 0 and two.all > 0
        ]


class Source(StrEnum):
    """What told how much a rate scatters, the best first."""

    PLACEBOS = "placebo runs"
    INSTANCES = "the live release's instances beside each other"
    ROLLOUTS = "verified rollouts"
    ALONE = "the live release alone"
    NOTHING = "nothing yet"


class History:
    """The baseline's own past, metric by metric; of canaries, only how much they were asked."""

    def __init__(self) -> None:
        self._series: dict[str, Series] = {}
        self._pairs: deque[Pair] = deque()
        self._placebos: deque[Pair] = deque()
        self._halves = Pair()

    def learn(self, pair: Pair, *, placebo: bool = False) -> None:
        """Take both arms of a rollout that was found to do no harm, or of any placebo run.

        The oldest of their kind make room.
        """
        pairs = self._placebos if placebo else self._pairs
        pairs.append(pair)
        while len(pairs) > 1 and sum(map(len, pairs)) > PAIRED_BLOCKS:
            pairs.popleft()

    def compare(self, halves: Iterable[Row], t: float) -> None:
        """Take what two halves of the live release's instances did, in the place of both arms."""
        for row in halves:
            self._halves.feed(row, t)

    def feed(self, row: Row, t: float | None = None) -> None:
        """Take a row, at its own time or at `t`; rows come in the order of time."""
        if not isinstance(row, RatioTick | LatencyTick):
            return
        block = self._block(row.metric, row.t if t is None else t)
        if row.arm is Arm.BASELINE:
            block.add(row)
        else:
            block.beside += row.all if isinstance(row, RatioTick) else row.le.get(inf, 0.0)

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

    def counts(self, metric: str, start: float, end: float) -> Counts:
        """Counted events and all of them, in the blocks of ten seconds that begin in this time."""
        first, last = start / BLOCK_SECONDS, end / BLOCK_SECONDS
        blocks = [block for block in self._blocks(metric) if first <= block.index < last]
        return sum(block.bad for block in blocks), sum(block.all for block in blocks)

    def rate(self, metric: str) -> float:
        """Events (for errors and latency: requests) per second, those of a canary included."""
        seconds = self.seconds_of(metric)
        everything = sum(block.all + block.beside for block in self._blocks(metric))
        return everything / seconds if seconds > 0 else 0.0

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
        learnt, _ = self._scatter(metric, _bad)
        return UNLEARNT_PHI if learnt is None else learnt

    def phi_slower(self, metric: str, bound: float) -> float | None:
        """The same for "slower than bound"; None until learnt."""
        return self._scatter(metric, _slower_than(bound))[0]

    def learnt_from(self, metric: str, bound: float | None = None) -> Source:
        """What told the phi of a ratio, or that of "slower than bound" of a latency."""
        return self._scatter(metric, _bad if bound is None else _slower_than(bound))[1]

    def _scatter(
        self, metric: str, counted: Callable[[Block], float]
    ) -> tuple[float | None, Source]:
        """By pairs of the same release if there are enough, else of any, else by one alone."""
        for pairs, source in (
            (self._placebos, Source.PLACEBOS),
            ((self._halves,), Source.INSTANCES),
            (self._pairs, Source.ROLLOUTS),
        ):
            counts = (pair.counts(metric, counted) for pair in pairs)
            paired = paired_dispersion(counts, same=source is not Source.ROLLOUTS)
            if paired is not None:
                return paired, source
        alone = dispersion((counted(block), block.all) for block in self._blocks(metric))
        return alone, Source.NOTHING if alone is None else Source.ALONE

    def _blocks(self, metric: str) -> Sequence[Block]:
        series = self._series.get(metric)
        return series.blocks if series else ()


def _bad(block: Block) -> float:
    return block.bad


def _slower_than(bound: float) -> Callable[[Block], float]:
    return lambda block: block.slower.get(bound, 0.0)


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
    squares = [(b - a) ** 2 / (p * (1 - p)) for a, b in pairwise(residues)]
    return _upper_bound(squares)


def paired_dispersion(
    rollouts: Iterable[Sequence[tuple[Counts, Counts]]], *, same: bool = False
) -> float | None:
    """The over-dispersion phi of the *difference* of two arms, as a 90 % upper bound in 1 to 20.

    In each block z = (p_c - p_b)/sqrt(p (1 - p) (1/n_c + 1/n_b)), p that of both arms together: its
    variance is phi however the service's own rate drifts. Of successive z within a rollout, so that
    a lasting difference between the two releases does not count; a block without events, or with
    nothing else, says nothing. Degrees of freedom as for `dispersion`.

    Where both arms are the `same` release, z itself is taken: what differs between them for longer
    than ten seconds is noise of one arm as well, and nothing else can show that.

    Returns:
        phi, or None for fewer than 12 blocks or 30 events of the rarer kind.
    """
    squares: list[float] = []
    events = others = 0.0
    blocks = 0
    for rollout in rollouts:
        scores = []
        for (e_c, n_c), (e_b, n_b) in rollout:
            p = (e_c + e_b) / (n_c + n_b)
            events, others = events + e_c + e_b, others + n_c + n_b - e_c - e_b
            if 0 < p < 1:
                scores.append((e_c / n_c - e_b / n_b) / sqrt(p * (1 - p) * (1 / n_c + 1 / n_b)))
        blocks += len(scores)
        squares += (
            [2 * z**2 for z in scores] if same else [(b - a) ** 2 for a, b in pairwise(scores)]
        )
    if blocks < ENOUGH_BLOCKS or not squares or min(events, others) < ENOUGH_EVENTS:
        return None
    return _upper_bound(squares)


def _upper_bound(squares: Sequence[float]) -> float:
    """Phi from squared successive differences, each of mean 2 phi."""
    freedom = 2 * len(squares) / 3
    bound = sum(squares) / len(squares) / 2 * freedom / _chi_squared_10(freedom)
    return min(max(bound, 1.0), LARGEST_PHI)


def _chi_squared_10(freedom: float) -> float:
    """The tenth percentile of chi-squared (Wilson and Hilferty 1931; 1 % off at 7 degrees)."""
    spread = 2 / (9 * freedom)
    return float(freedom * (1 - spread + NORMAL_10 * sqrt(spread)) ** 3)
