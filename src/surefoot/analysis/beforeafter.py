"""Before and after a change, where no other release is beside it: the weaker grade of evidence.

A rate that differs after a change may differ for any other reason. What can be said without a
control is how unusual the difference is: the same two stretches of time, as far apart, are compared
at moments of the past at which nothing was shipped (placebos). Of n of these, k rose as much:
p = (1 + k)/(1 + n), the rank of a randomisation test. It is told, and makes no verdict.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from math import log

from surefoot.analysis.history import REMEMBERED_S, History

__all__ = ["BeforeAfter", "before_after", "in_words"]

SHORTEST_S, LONGEST_S = 60.0, 300.0  # of a stretch
FEWEST = 5  # placebos; with fewer a rank says nothing

Span = tuple[float, float]


@dataclass(frozen=True, slots=True)
class BeforeAfter:
    """A metric's rate after a change beside that before it, in stretches of `seconds`.

    `before` and `after` are fractions of counted events; of `placebos` pairs of stretches without a
    change, `as_much` moved as much for the worse, or more.
    """

    metric: str
    seconds: float
    before: float
    after: float
    as_much: int
    placebos: int


def before_after(
    history: History,
    metric: str,
    change: Span,
    now: float,
    *,
    worse: str = "higher",
    since: float = 0.0,
) -> BeforeAfter | None:
    """Rank the difference that came with a change among those of its past.

    Args:
        history: of the releases that served all users, in seconds of its own.
        metric: a ratio.
        change: from its first exposure to when it took all users, in those seconds; what lies in
            between belongs to neither stretch.
        now: in those seconds.
        worse: the direction that is worse, "higher" or "lower".
        since: in those seconds; what served before then was another release, and no placebo.

    Returns:
        None while it took all users for less than a minute, or with fewer than five placebos.
    """
    first, live = change
    seconds = min(now - live, LONGEST_S)
    if seconds < SHORTEST_S:
        return None
    sign = 1 if worse == "higher" else -1

    def rise(start: float) -> tuple[float, float, float] | None:
        """Of the stretch that ends at `start` and the one as far behind it as this change's."""
        before = history.counts(metric, start - seconds, start)
        after = history.counts(metric, start + live - first, start + live - first + seconds)
        if not before[1] or not after[1]:
            return None
        rates = [(bad + 0.5) / (everything + 1) for bad, everything in (before, after)]
        return rates[0], rates[1], sign * log(rates[1] / rates[0])

    found = rise(first)
    oldest = max(since, now - REMEMBERED_S)
    past = [one for start in _moments(first, live - first, seconds, oldest) if (one := rise(start))]
    if found is None or len(past) < FEWEST:
        return None
    before, after, moved = found
    as_much = sum(one[2] >= moved for one in past)
    return BeforeAfter(metric, seconds, before, after, as_much, len(past))


def _moments(first: float, apart: float, seconds: float, oldest: float) -> Iterator[float]:
    """Back from the change: both stretches of each lie before it, half a stretch apart."""
    start = first - apart - seconds
    while start - seconds >= oldest:
        yield start
        start -= seconds / 2


def in_words(found: Iterable[BeforeAfter]) -> str:
    """What was found, as one sentence; empty without anything."""
    told = ", ".join(
        f"{one.metric} {one.after * 100:.2g} % (before {one.before * 100:.2g} %; of "
        f"{one.placebos} such stretches without a change {one.as_much} rose as much)"
        for one in found
    )
    return f"Before and after, the weaker grade: {told}." if told else ""
