"""Rows of evidence: what was counted, what changed, what was seen.

Counts are exact increments over one interval that ends at `t`, the same interval for both arms.
What is missing has no row; zero is a row that says zero.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Literal

__all__ = [
    "LARGEST",
    "LARGEST_SAMPLE",
    "Arm",
    "Fact",
    "FactRow",
    "GapRow",
    "GaugeTick",
    "LatencyTick",
    "RatioTick",
    "Row",
    "ShareRow",
    "Tick",
    "kind_of",
]


LARGEST = 1e30
"""A row that claims more was not counted. Sums and squares of what is less stay finite."""

LARGEST_SAMPLE = LARGEST / 1e6
"""The same of one series: a row may be the sum of a million."""


class Arm(StrEnum):
    """The two releases that serve at the same time."""

    CANARY = "canary"
    BASELINE = "baseline"


class Fact(StrEnum):
    """What needs no statistics: the canary is plainly not serving."""

    DEAD = "dead"
    CRASH_LOOP = "crash_loop"
    SILENT = "silent"
    HANGING = "hanging"


@dataclass(frozen=True, slots=True)
class RatioTick:
    """Of `all` events, `bad` were of the counted kind.

    For a metric whose `worse` is "lower", the counted kind is the good one. A `stratum` is a part
    of the events that is compared with its like alone, such as those of one route.
    """

    t: float
    metric: str
    arm: Arm
    bad: float
    all: float
    stratum: str | None = None


@dataclass(frozen=True, slots=True)
class LatencyTick:
    """Increments of cumulative histogram buckets: bound in seconds (`math.inf` too) to count."""

    t: float
    metric: str
    arm: Arm
    le: Mapping[float, float]
    stratum: str | None = None


@dataclass(frozen=True, slots=True)
class GaugeTick:
    """A sample of one instance, or (where the plan says counter) an increment of a counter."""

    t: float
    metric: str
    instance: str | None
    arm: Arm
    value: float


@dataclass(frozen=True, slots=True)
class ShareRow:
    """From `t` on the canary is meant to get this fraction of requests."""

    t: float
    share: float


@dataclass(frozen=True, slots=True)
class FactRow:
    """At `t` this was seen of the canary."""

    t: float
    fact: Fact


@dataclass(frozen=True, slots=True)
class GapRow:
    """The `gap` seconds up to `t` were not watched: unknown, never zero."""

    t: float
    gap: float


Tick = RatioTick | LatencyTick | GaugeTick
Row = RatioTick | LatencyTick | GaugeTick | ShareRow | FactRow | GapRow


def kind_of(row: Tick) -> Literal["ratio", "latency", "gauge"]:
    """The kind of metric that a row is of; the increments of a counter come as those of a gauge."""
    if isinstance(row, RatioTick):
        return "ratio"
    return "latency" if isinstance(row, LatencyTick) else "gauge"
