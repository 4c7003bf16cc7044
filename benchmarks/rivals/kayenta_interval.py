"""Kayenta's confidence interval for the shift between two samples, root finder included.

Ported as facts from spinnaker/kayenta at a69573b:

* kayenta-mannwhitney/.../MannWhitney.scala: the interval is where the standardized rank sum of the
  shifted experiment crosses the normal quantiles, with average ranks, the tie correction of the
  variance and a continuity correction of half a rank; the estimate (Hodges-Lehmann) is where it
  crosses zero. The shift is searched between min(x) - max(y) and max(x) - min(y), whose ends are
  the answer where the crossing lies beyond them.
* kayenta-mannwhitney/.../BrentSolver.java: Brent's method (1973) with an *absolute* tolerance of
  1e-4, whatever the metric's unit, and at most 1000 steps. As the rank sum is a staircase, the
  tolerance decides which side of a step is answered: verdicts on fractions of a percent depend on
  it, so the port keeps each of its conditions.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import copysign, sqrt
from statistics import NormalDist

from rivals.ranks import mann_whitney_u, tie_term

TOLERANCE = 1e-4
STEPS = 1001
EPSILON = 2.220446049250313e-16


class AllTiedError(ValueError):
    """No interval exists: all observations are equal."""


@dataclass(frozen=True, slots=True)
class Shift:
    """By how much the experiment lies above the control: an interval, and an estimate."""

    low: float
    high: float
    estimate: float


def standardized(mu: float, x: Sequence[float], y: Sequence[float]) -> float:
    """The rank sum of x - mu against y, in standard deviations.

    Raises:
        AllTiedError: the deviation is 0.
    """
    n, m = len(x), len(y)
    u, ties = mann_whitney_u([value - mu for value in x], y)
    centred = u - n * m / 2
    continuity = copysign(0.5, centred) if centred else 0.0
    both = n + m
    sigma = sqrt(n * m / 12 * (both + 1 - tie_term(ties) / (both * (both - 1))))
    if sigma == 0:
        raise AllTiedError
    return (centred - continuity) / sigma


def shift_between(x: Sequence[float], y: Sequence[float], confidence: float) -> Shift:
    """The shift of x over y, with an interval of that confidence (0.98 is Kayenta's)."""
    least, most = min(x) - max(y), max(x) - min(y)
    z = NormalDist().inv_cdf((1 - confidence) / 2)
    at_least, at_most = standardized(least, x, y), standardized(most, x, y)

    def crossing(level: float) -> float:
        return find_root(
            lambda mu: standardized(mu, x, y) - level,
            (least, at_least - level),
            (most, at_most - level),
        )

    def bounded(level: float) -> float:
        if at_least <= level:
            return least
        return most if at_most >= level else crossing(level)

    return Shift(bounded(-z), bounded(z), crossing(0.0))


Point = tuple[float, float]  # a place, and the function's value there


def find_root(function: Callable[[float], float], low: Point, high: Point) -> float:
    """Where the function crosses zero between two points of opposite sign, within TOLERANCE.

    Brent, "Algorithms for Minimization without Derivatives" (1973), chapter 4, with the tests of
    Kayenta's solver. `best` is the latest and best guess, `last` the one before, `other` one on
    the other side of the root.
    """
    last, best = low, high
    other = last
    for value in (low, high):
        if value[1] == 0:
            return value[0]
    for _ in range(STEPS):
        previous_step = best[0] - last[0]
        if abs(other[1]) < abs(best[1]):
            last, best, other = best, other, best
        tolerance = 2 * EPSILON * abs(best[0]) + TOLERANCE / 2
        step = (other[0] - best[0]) / 2
        if abs(step) <= tolerance or best[1] == 0:
            return best[0]
        if abs(previous_step) >= tolerance and abs(last[1]) > abs(best[1]):
            guess = _interpolated(last, best, other, previous_step, tolerance)
            step = step if guess is None else guess
        if abs(step) < tolerance:
            step = tolerance if step > 0 else -tolerance
        place = best[0] + step
        last, best = best, (place, function(place))
        if best[1] * other[1] > 0:
            other = last
    return best[0]


def _interpolated(
    last: Point, best: Point, other: Point, previous_step: float, tolerance: float
) -> float | None:
    """A step by the secant, or by inverse quadratic interpolation; None if it is no good."""
    across = other[0] - best[0]
    s = best[1] / last[1]
    if last[0] == other[0]:
        p, q = across * s, 1 - s
    else:
        r, q = best[1] / other[1], last[1] / other[1]
        p = s * (across * q * (q - r) - (best[0] - last[0]) * (r - 1))
        q = (q - 1) * (r - 1) * (s - 1)
    if p > 0:
        q = -q
    else:
        p = -p
    within = 0.75 * across * q - abs(tolerance * q) / 2
    return p / q if p < within and p < abs(previous_step * q / 2) else None
