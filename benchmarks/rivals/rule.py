"""What a rule sees of a rollout, and what it can answer."""

from dataclasses import dataclass, field
from enum import Enum
from math import nan
from typing import Protocol


class Answer(Enum):
    """BAD takes the change from its users; GOOD is the tool's word of success."""

    BAD = "bad"
    GOOD = "good"


@dataclass(frozen=True, slots=True)
class Said:
    """An answer, and when it was reached, in seconds since first exposure."""

    answer: Answer
    at: float


@dataclass(frozen=True, slots=True)
class Counts:
    """Of `all` requests, `bad` failed."""

    bad: int
    all: int

    @property
    def rate(self) -> float:
        """The fraction that failed; NaN without requests, as a query of 0/0 would answer."""
        return self.bad / self.all if self.all else nan


@dataclass(slots=True)
class Stream:
    """Cumulative counts of one release; entry i is what had happened by second `i * step`."""

    step: int = 1
    bad: list[int] = field(default_factory=lambda: [0])
    all: list[int] = field(default_factory=lambda: [0])

    def add(self, counts: Counts) -> None:
        """Append what happened in the next step."""
        self.bad.append(self.bad[-1] + counts.bad)
        self.all.append(self.all[-1] + counts.all)

    def between(self, since: int, until: int) -> Counts:
        """What happened after second `since`, up to second `until`; before 0 is nothing."""
        a, b = max(since, 0) // self.step, until // self.step
        return Counts(self.bad[b] - self.bad[a], self.all[b] - self.all[a])

    def minutes(self, until: int) -> list[float]:
        """The failing fraction of each whole minute up to second `until`."""
        return [self.between(t - 60, t).rate for t in range(60, until + 1, 60)]


@dataclass(slots=True)
class Record:
    """A rollout so far: canary and baseline at the same time, and an earlier rollout by minutes.

    `t` is the second just completed, `share` the canary's fraction of the traffic in it.
    """

    t: int = 0
    share: float = 0.0
    canary: Stream = field(default_factory=Stream)
    baseline: Stream = field(default_factory=Stream)
    previous: Stream = field(default_factory=lambda: Stream(step=60))


class Rule(Protocol):
    """A way to judge a rollout; one object for each rollout."""

    every: int  # seconds; it is asked whenever so many have passed

    def look(self, record: Record) -> Said | None:
        """Judge what is known now. After BAD it is asked no more."""
        ...


def passed(record: Record, ends: float) -> Said | None:
    """GOOD once, when a run of `ends` seconds is over."""
    return Said(Answer.GOOD, ends) if record.t == ends else None
