"""PipeCD's ANALYSIS stage: a threshold, or a Mann-Whitney test against another series.

Facts from pipe-cd/pipecd at 7e22859, pkg/app/pipedv1/plugin/analysis:

* executestage/metrics_analyzer.go: each interval, the points of the last interval are judged; the
  stage fails when failures exceed `failureLimit`, 0 unless set. THRESHOLD fails if any point is out
  of range; PREVIOUS compares with the previous rollout at the same time since its start,
  CANARY_BASELINE with the baseline now; alpha is 0.05, without correction for looking again. Both
  sides empty, or all values equal, is no failure; one side empty is.
* executestage/mannwhitney/mannwhitney.go: exact with up to 50 values a side, 25 if there are ties;
  else normal with tie and continuity corrections. Greater: 1 - P(U <= u - 1), and differing: twice
  P(U <= min(u, u')), also where ties make the distribution lopsided and u half a number.
* analysisprovider/metrics/prometheus/prometheus.go: a range query with a step of one minute; a NaN
  is an error, and an error is a failure.
* docs, "Automated deployment analysis": duration 30m, interval 5m, `expected: max: 0.01`,
  `deviation: HIGH`, and queries of the form rate(errors[5m]) / rate(all[5m]).

So a look sees five or six values, each over five minutes that overlap with the next one's. The
stage's deadline and its sixth tick coincide; the deadline began first, so five looks are taken in
the documented 30 min.
"""

from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import Enum
from functools import cache
from math import comb, copysign, isnan, nan, sqrt
from statistics import NormalDist

from rivals.ranks import mann_whitney_u, tie_term
from rivals.rule import Answer, Record, Said, Stream, passed

ALPHA = 0.05
EXACT_LIMIT = 50
EXACT_LIMIT_WITH_TIES = 25
INTERVAL = 300
WINDOW = 300
STEP = 60
DURATION = 1800
MOST_ERRORS = 0.01


class Deviation(Enum):
    """In which direction a difference is a failure."""

    LOW = "LOW"
    HIGH = "HIGH"
    EITHER = "EITHER"


@cache
def _ways(first: int, ties: tuple[int, ...]) -> dict[int, int]:
    """In how many ways `first` of all values can be chosen, by twice their U statistic.

    Group by group of equal values, ascending: k of them lie above all of the other sample that
    came before, and tie with the group's rest (Klotz 1966 describes the distribution).
    """
    ways: dict[tuple[int, int], int] = {(0, 0): 1}
    before = 0
    for size in ties:
        grown: dict[tuple[int, int], int] = defaultdict(int)
        for (taken, twice_u), count in ways.items():
            for k in range(min(size, first - taken) + 1):
                more = k * (2 * (before - taken) + size - k)
                grown[taken + k, twice_u + more] += count * comb(size, k)
        ways, before = grown, before + size
    return {twice_u: count for (taken, twice_u), count in ways.items() if taken == first}


def at_most(u: float, first: int, ties: Sequence[int]) -> float:
    """P(U <= u) when every choice of the first sample among all values is as likely."""
    ways = _ways(first, tuple(ties))
    return sum(count for twice, count in ways.items() if twice <= 2 * u) / sum(ways.values())


def p_value(first: Sequence[float], second: Sequence[float], deviation: Deviation) -> float:
    """The p-value that `first` deviates so; NaN where all values are equal."""
    u, ties = mann_whitney_u(first, second)
    if len(ties) == 1:
        return nan
    larger = max(len(first), len(second))
    if larger <= (EXACT_LIMIT_WITH_TIES if max(ties) > 1 else EXACT_LIMIT):
        return _exact_p(u, len(first), ties, deviation)
    return _normal_p(u, len(first), ties, deviation)


def _exact_p(u: float, n: int, ties: Sequence[int], deviation: Deviation) -> float:
    if deviation is Deviation.LOW:
        return at_most(u, n, ties)
    if deviation is Deviation.HIGH:
        return 1 - at_most(u - 1, n, ties)
    pairs = n * (sum(ties) - n)
    return 1.0 if 2 * u == pairs else 2 * at_most(min(u, pairs - u), n, ties)


def _normal_p(u: float, n: int, ties: Sequence[int], deviation: Deviation) -> float:
    both = sum(ties)
    pairs = n * (both - n)
    sigma = sqrt(pairs * (both + 1 - tie_term(ties) / (both * (both - 1))) / 12)
    centred, normal = u - pairs / 2, NormalDist().cdf
    if deviation is Deviation.LOW:
        return normal((centred + 0.5) / sigma)
    if deviation is Deviation.HIGH:
        return 1 - normal((centred - 0.5) / sigma)
    below = normal((centred - (copysign(0.5, centred) if centred else 0.0)) / sigma)
    return 2 * min(below, 1 - below)


def compare(
    experiment: Sequence[float], control: Sequence[float], deviation: Deviation = Deviation.HIGH
) -> bool:
    """Whether the stage accepts the experiment's values beside the control's."""
    if not experiment and not control:
        return True
    if not experiment or not control or any(map(isnan, (*experiment, *control))):
        return False
    return not p_value(experiment, control, deviation) <= ALPHA


def within(values: Sequence[float], most: float = MOST_ERRORS) -> bool:
    """Whether every value is in range; no value is no failure, NaN is one."""
    return all(value <= most for value in values)


def points(stream: Stream, t: int) -> list[float]:
    """The failing fraction over five minutes, as it stood at each minute of the last interval."""
    return [
        stream.between(at - WINDOW, at).rate for at in range(t - INTERVAL, t + 1, STEP) if at > 0
    ]


@dataclass(slots=True)
class PipeCD:
    """One analysis with the default failureLimit; the strategy decides whether a look is well."""

    accepts: Callable[[Record], bool]
    every: int = INTERVAL

    def look(self, record: Record) -> Said | None:
        """BAD at the first look that is not accepted; GOOD when the documented time is over."""
        good = passed(record, DURATION)
        if good is None and not self.accepts(record):
            return Said(Answer.BAD, record.t)
        return good


def threshold() -> PipeCD:
    """THRESHOLD as documented: at most 1 % of errors."""
    return PipeCD(lambda record: within(points(record.canary, record.t)))


def previous() -> PipeCD:
    """PREVIOUS: against the rollout before, at the same time since its start."""
    return PipeCD(
        lambda r: compare(points(r.canary, r.t), points(r.previous, r.t)),
    )


def canary_baseline() -> PipeCD:
    """CANARY_BASELINE: against the baseline at the same time."""
    return PipeCD(
        lambda r: compare(points(r.canary, r.t), points(r.baseline, r.t)),
    )
