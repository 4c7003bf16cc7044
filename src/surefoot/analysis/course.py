"""How a judgement went: the evidence and what both arms did over time, thinned to a fixed size.

At most 240 stretches of time are kept, however long the record: when there are more, each two
neighbours become one. Of the evidence a stretch keeps the highest, so that no crossing is lost.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import reduce
from math import inf
from typing import Protocol

from surefoot.analysis.plan import JudgePlan
from surefoot.analysis.ticks import (
    Arm,
    FactRow,
    GapRow,
    GaugeTick,
    LatencyTick,
    RatioTick,
    Row,
    ShareRow,
)
from surefoot.domain.verdict import Word

__all__ = ["Course", "Gauged", "Judging", "Move", "Standing", "Stretch", "Timed", "thinned"]

STRETCHES = 240
MOVES = 24  # further ones are counted
MARKS = (0.1, 0.5, 1.0)  # of what *worse* needs


@dataclass(frozen=True, slots=True)
class Standing:
    """How the evidence stands after one tick.

    `exposed_at` is when the first user was exposed, in the rows' seconds (None: not yet), and `at`
    the seconds since. `against` is what each metric adds to `evidence`, the sum that ends at
    1/alpha; `ok` is what each required metric has of the evidence that it is not worse than its
    margin.
    """

    exposed_at: float | None
    at: float | None
    word: Word
    evidence: float
    against: Mapping[str, float]
    ok: Mapping[str, float]

    @property
    def proof(self) -> float:
        """The evidence of the required metric that has least of it."""
        return min(self.ok.values(), default=1.0)


class Judging(Protocol):
    """What the course asks of a judge."""

    plan: JudgePlan

    @property
    def standing(self) -> Standing:
        """How the evidence stands as of the last complete tick."""


@dataclass(slots=True)
class Timed:
    """The answers of a latency in one stretch, and how many of them came within each bound."""

    all: float = 0.0
    within: dict[float, float] = field(default_factory=dict)

    def add(self, all_: float, within: Mapping[float, float]) -> None:
        """Count further answers."""
        self.all += all_
        for bound, count in within.items():
            self.within[bound] = self.within.get(bound, 0.0) + count


@dataclass(slots=True)
class Gauged:
    """The samples of a gauge in one stretch."""

    count: int = 0
    total: float = 0.0
    least: float = inf
    most: float = -inf

    def add(self, other: "Gauged") -> None:
        """Count further samples."""
        self.count += other.count
        self.total += other.total
        self.least, self.most = min(self.least, other.least), max(self.most, other.most)


Key = tuple[str, Arm]


@dataclass(slots=True)
class Stretch:
    """What happened from `start` to `end`, seconds since first exposure.

    `ratios` are (counted events, all events).
    """

    start: float
    end: float
    ticks: int = 0
    evidence: float = 0.0
    proof: float = 0.0
    ratios: dict[Key, tuple[float, float]] = field(default_factory=dict)
    latencies: dict[Key, Timed] = field(default_factory=dict)
    gauges: dict[Key, Gauged] = field(default_factory=dict)

    def take(self, row: Row) -> None:
        """Count one row."""
        if isinstance(row, RatioTick):
            bad, everything = self.ratios.get((row.metric, row.arm), (0.0, 0.0))
            self.ratios[row.metric, row.arm] = (bad + row.bad, everything + row.all)
        elif isinstance(row, LatencyTick):
            timed = self.latencies.setdefault((row.metric, row.arm), Timed())
            timed.add(row.le[inf], row.le)
        elif isinstance(row, GaugeTick):
            gauged = self.gauges.setdefault((row.metric, row.arm), Gauged())
            gauged.add(Gauged(1, row.value, row.value, row.value))

    def joined(self, later: "Stretch") -> "Stretch":
        """This one and the next as one. Neither is altered: somebody may be drawing them."""
        both = Stretch(
            start=self.start,
            end=later.end,
            ticks=self.ticks + later.ticks,
            evidence=max(self.evidence, later.evidence),
            proof=max(self.proof, later.proof),
            ratios={**self.ratios},
            latencies={key: Timed(one.all, {**one.within}) for key, one in self.latencies.items()},
            gauges={key: replace(one) for key, one in self.gauges.items()},
        )
        for key, (bad, everything) in later.ratios.items():
            before = both.ratios.get(key, (0.0, 0.0))
            both.ratios[key] = (before[0] + bad, before[1] + everything)
        for key, timed in later.latencies.items():
            both.latencies.setdefault(key, Timed()).add(timed.all, timed.within)
        for key, gauged in later.gauges.items():
            both.gauges.setdefault(key, Gauged()).add(gauged)
        return both


def thinned(stretches: Sequence[Stretch], most: int) -> list[Stretch]:
    """The same time in at most so many stretches, equally many neighbours joined in each."""
    each = -(-len(stretches) // most)
    return [
        reduce(Stretch.joined, stretches[at : at + each]) for at in range(0, len(stretches), each)
    ]


@dataclass(frozen=True, slots=True)
class Move:
    """Something that was done or seen, `at` seconds since first exposure."""

    at: float
    what: str


class Course:
    """Is shown each row and the judge behind it, and remembers the course of the evidence.

    What it tells it replaces and never alters: a shallow copy, between two ticks, keeps a moment.
    """

    def __init__(self) -> None:
        """Nothing was shown yet."""
        self._stretches: Sequence[Stretch] = ()
        self._ticks_each = 1
        self._t: float | None = None
        self._fresh = Stretch(0.0, 0.0)
        self._moves: tuple[Move, ...] = ()
        self.unnamed_moves = 0
        self.unwatched_s = 0.0
        self.decided: Standing | None = None
        self.last: Standing | None = None
        self.highest = (1.0, 0.0)
        self.reached: Mapping[float, float] = {}
        self.proven: Mapping[str, float] = {}

    def take(self, row: Row, judge: Judging) -> None:
        """Take a row that `judge` was just fed: one with a later `t` completed a tick."""
        if self._t is not None and row.t > self._t:
            self.end(judge)
        self._t = row.t
        self._fresh.take(row)
        if isinstance(row, GapRow):
            self.unwatched_s += row.gap
        elif isinstance(row, ShareRow | FactRow):
            what = f"{row.share * 100:.3g} %" if isinstance(row, ShareRow) else str(row.fact)
            if len(self._moves) < MOVES:
                self._moves = (*self._moves, Move(row.t, what))
            else:
                self.unnamed_moves += 1

    def end(self, judge: Judging) -> None:
        """Take the tick that `judge` has just completed."""
        fresh, self._fresh, self._t = self._fresh, Stretch(0.0, 0.0), None
        standing = self.last = judge.standing
        if standing.at is None:
            return
        self._remember(standing, standing.at, judge)
        fresh.start = self._stretches[-1].end if self._stretches else standing.at
        fresh.end, fresh.ticks = standing.at, 1
        fresh.evidence, fresh.proof = standing.evidence, standing.proof
        if self._stretches and self._stretches[-1].ticks < self._ticks_each:
            *before, last = self._stretches
            self._stretches = [*before, last.joined(fresh)]
        else:
            self._stretches = [*self._stretches, fresh]
        if len(self._stretches) > STRETCHES:
            self._thin()

    @property
    def stretches(self) -> Sequence[Stretch]:
        """The whole time since first exposure, in order."""
        return self._stretches

    @property
    def moves(self) -> Sequence[Move]:
        """Each share that was set and each fact that was seen, the first 24 of them."""
        start = self.last.exposed_at if self.last else None
        return [replace(move, at=move.at - (start or 0.0)) for move in self._moves]

    def _thin(self) -> None:
        self._ticks_each *= 2
        self._stretches = thinned(self._stretches, len(self._stretches) // 2 + 1)

    def _remember(self, standing: Standing, at: float, judge: Judging) -> None:
        before = self.decided.word if self.decided else Word.WATCHING
        if standing.word is not before:  # *worse* that comes late takes *verified* back
            self.decided = standing
        if standing.evidence > self.highest[0]:
            self.highest = (standing.evidence, at)
        for part in MARKS:
            if part not in self.reached and standing.evidence >= part / judge.plan.alpha_worse:
                self.reached = {**self.reached, part: at}
        for metric, ok in standing.ok.items():
            if metric not in self.proven and ok >= 1 / judge.plan.alpha_ok:
                self.proven = {**self.proven, metric: at}
