"""Whether a metric is where it used to be, and whether the old release is hurt as well."""

from collections import deque
from collections.abc import Mapping, Sequence
from math import inf, sqrt

from surefoot.analysis.latency import Bound
from surefoot.analysis.onearm import ALARM, OneArm
from surefoot.analysis.plan import MetricPlan

__all__ = ["ENOUGH_REQUESTS", "HostWatch", "in_band", "latency_in_band", "ratio_in_band"]

ENOUGH_REQUESTS = 50
WIDER, POINTS = 1.5, 0.005
ERRORS = 2.0  # standard errors of what was counted
CALM = 5  # seconds in which the rate must be back, for a spike to be over
LASTING = 20  # seconds for which harm to both arms must last


def in_band(p: float, bad: float, all_: float) -> bool:
    """Whether bad/all is at most max(1.5 p, p + 0.5 points), give or take 2 standard errors.

    Args:
        p: the baseline's rate before the harm, a fraction.
        bad: bad events of the last 10 s.
        all_: all events of the last 10 s; fewer than 50 prove nothing.
    """
    if all_ < ENOUGH_REQUESTS:
        return False
    limit = min(max(WIDER * p, p + POINTS), 1.0)
    return bad / all_ <= limit + _give_or_take(limit, all_)


def ratio_in_band(metric: MetricPlan, counted: float, all_: float) -> bool:
    """Whether a ratio is where it was when it was planned, on the side on which it can be worse.

    Where lower is worse, counted/all is at least min(p / 1.5, p - 0.5 points), give or take 2
    standard errors; or, where what is missing is judged, that is in its own band.
    """
    p = metric.rare or 0.0
    if metric.of_missing:
        return in_band(p, all_ - counted, all_)
    if metric.worse == "higher":
        return in_band(p, counted, all_)
    if all_ < ENOUGH_REQUESTS:
        return False
    limit = max(min(p / WIDER, p - POINTS), 0.0)
    return counted / all_ >= limit - _give_or_take(limit, all_)


def _give_or_take(rate: float, all_: float) -> float:
    return ERRORS * sqrt(rate * (1 - rate) / all_)


def latency_in_band(bounds: Sequence[Bound], le: Mapping[float, float]) -> bool:
    """The same for a latency: on each judged bound, the fraction slower than it.

    Args:
        bounds: the judged bounds, with what their past was.
        le: cumulative buckets of the last 10 s.
    """
    answers = le.get(inf, 0.0)
    return all(
        bound.x in le and in_band(bound.slower_x, answers - le[bound.x], answers)
        for bound in bounds
    )


class HostWatch:
    """Whether the *baseline* is harmed too: then the host is the cause, and not the change."""

    def __init__(self, p: float, phi: float) -> None:
        """Compare the baseline with its own last hour: its rate p, its over-dispersion phi."""
        self._p, self._phi = p, phi
        self._arm = OneArm(p, phi)
        self._seconds = 0
        self._lately: deque[tuple[float, float]] = deque(maxlen=CALM)

    def feed(self, bad: float, all_: float) -> None:
        """Take one second of the baseline.

        Where errors are rare the evidence of a spike would stand for minutes after it: once the
        rate is back in its band, it begins anew.
        """
        self._lately.append((bad, all_))
        bads, alls = (sum(each) for each in zip(*self._lately, strict=True))
        if len(self._lately) == CALM and in_band(self._p, bads, alls):
            self._arm = OneArm(self._p, self._phi)
        self._arm.step(bad, all_)
        self._seconds = self._seconds + 1 if self._arm.value >= ALARM else 0

    @property
    def alarmed(self) -> bool:
        """Whether there is gross harm, however short."""
        return self._seconds > 0

    @property
    def hurt(self) -> bool:
        """Whether gross harm has lasted for 20 s."""
        return self._seconds >= LASTING

    @property
    def evidence(self) -> float:
        """The evidence now, as an e-value."""
        return self._arm.value
