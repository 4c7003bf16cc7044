"""What the evidence says, as a value: one of four words, and what stands beside it."""

from dataclasses import dataclass
from enum import StrEnum

__all__ = ["Level", "Margin", "MetricReading", "PromiseReading", "Reading", "Word"]


class Word(StrEnum):
    """A verdict. Exactly these four."""

    WORSE = "worse"
    VERIFIED = "verified"
    WATCHING = "watching"
    INCONCLUSIVE = "inconclusive"


@dataclass(frozen=True, slots=True)
class Margin:
    """How much worse a metric may be and still count as not worse.

    `ratio` multiplies the baseline's rate, `points` adds to it (percentage points); whichever is
    looser holds. `rung` names the step of the ladder it came from, or "declared".
    """

    ratio: float
    points: float
    rung: str

    def __str__(self) -> str:
        """The margin in words: "at most +1 point or x2"."""
        noun = "point" if self.points == 1 else "points"
        return f"at most +{self.points:g} {noun} or x{self.ratio:g}"


@dataclass(frozen=True, slots=True)
class Level:
    """How a gauge stands: the mean of both arms in its own unit, over so many blocks of time.

    `higher` and `lower` are the evidence, as e-values, that the canary's is the one or the other.
    """

    canary: float
    baseline: float
    blocks: int
    higher: float
    lower: float


@dataclass(frozen=True, slots=True)
class MetricReading:
    """What is known of one metric. `harm` and `ok` are evidence as e-values (1 is none).

    A gauge has a `level`; its `harm` counts for nothing but itself. Of a latency, what is bad was
    slower than these bounds, in seconds: the canary's and the baseline's.
    """

    name: str
    word: Word
    margin: Margin | None
    harm: float
    ok: float
    required: bool
    canary_bad: int = 0
    canary_all: int = 0
    baseline_bad: int = 0
    baseline_all: int = 0
    level: Level | None = None
    slower_than: tuple[float, float] | None = None


@dataclass(frozen=True, slots=True)
class PromiseReading:
    """How one expectation stands: `expects` is the sentence of the commit, about `metric`.

    `canary` and `baseline` are what both did over all judged ticks, where they are compared: the
    bad fraction of a ratio, seconds of a latency, else in the metric's unit. Where a level or a use
    is expected, `canary` is what is seen of it so far, and `baseline` is None; None is also what is
    not known yet. `evidence` is that the metric moved in the promised direction, as an e-value of
    which `needed` is enough; both are None where none is asked for.
    """

    expects: str
    metric: str
    kind: str
    met: bool
    canary: float | None = None
    baseline: float | None = None
    evidence: float | None = None
    needed: float | None = None


@dataclass(frozen=True, slots=True)
class Reading:
    """The judge's answer at one moment.

    `at` is in seconds since the first exposure. `evidence` is the weighted sum against *worse*,
    which 100 ends. `gate` tells that enough is known to leave the present step. `promises` are
    what was expected, as of now or of the moment of *verified*; `warnings` are sentences about
    what this evidence cannot show.
    """

    word: Word
    at: float
    metric: str | None
    because: str
    evidence: float
    gate: bool
    ratio: tuple[float, float] | None = None
    metrics: tuple[MetricReading, ...] = ()
    promises: tuple[PromiseReading, ...] = ()
    warnings: tuple[str, ...] = ()
