"""Silence, found in the rows alone (T4): the canary gives nothing while the baseline still speaks.

A daemon sees more and says so with a fact; a record that somebody else made has only its rows.
Both silent is missing traffic, or missing telemetry, and never evidence.
"""

from collections.abc import Mapping
from math import inf

from surefoot.analysis.liveness import SILENT_EXPECTED, SILENT_SECONDS
from surefoot.analysis.opentick import Counted, OpenTick
from surefoot.analysis.plan import JudgePlan
from surefoot.analysis.ticks import Arm, LatencyTick, RatioTick

__all__ = ["Instances", "Silence"]

INTERVALS = 2.0
SLOWEST = 0.001  # of the baseline's answers are slower than what a canary gets three times of
TIMES_SLOWEST = 3.0
MOST_INSTANCES = 100  # are known by name


class Silence:
    """Whether the canary is silent, by what it answers and by what is sampled of it.

    It must last for 10 s and two intervals, of the ticks in which the baseline spoke. Answers
    are missed when at least 20 were due by the share: of requests, where these are counted, since
    a release may do other work alone. Samples of gauges are missed once warm-up is over, where no
    row of the canary comes at all: one gauge may be renamed, or not set before its first use.
    """

    def __init__(self, plan: JudgePlan) -> None:
        """Watch a rollout by this plan, whose interval is known."""
        self._interval = plan.interval or 1.0
        self._patience = max(SILENT_SECONDS, INTERVALS * self._interval)
        self._warm_up = plan.warm_up
        self._sticky = plan.sticky
        self._requests = plan.errors.name if plan.errors else None
        self._at = 0.0
        self._unanswered_s = self._due = self._slowest = 0.0
        self._unsampled_s = 0.0

    def step(self, at: float, tick: OpenTick, share: float) -> bool:
        """Take the tick at `at` seconds since the canary was to speak, and its share.

        Returns:
            Whether it is silent by now.
        """
        before, self._at = self._at, at
        if _has_answered(tick.canary) or tick.gap or not 0 < share < 1:
            if self._unanswered_s or self._unsampled_s:
                self._unanswered_s = self._due = self._slowest = self._unsampled_s = 0.0
            return False
        passed = min(at - before, self._interval)
        due = self._asked_of(tick.baseline)
        if due > 0:
            self._unanswered_s += passed
            self._due += due * share / (1 - share)
            self._slowest = max(self._slowest, _slowest(tick.baseline))
        sampled = {arm for _, arm in tick.gauges}
        if tick.canary or Arm.CANARY in sampled:
            self._unsampled_s = 0.0
        elif Arm.BASELINE in sampled and at > self._warm_up:
            self._unsampled_s += passed
        return self._is_unanswering or self._unsampled_s >= self._patience

    def _asked_of(self, baseline: Mapping[str, Counted]) -> float:
        """The baseline's requests; where they are not counted, the events that are most."""
        requests = baseline.get(self._requests) if self._requests else None
        if requests is not None:
            return _answers(requests)
        return max(map(_answers, baseline.values()), default=0.0)

    @property
    def _is_unanswering(self) -> bool:
        """A share of the users says nothing of the requests, so of sticky ones none are due."""
        patience = max(self._patience, TIMES_SLOWEST * self._slowest)
        is_due = self._due >= SILENT_EXPECTED and not self._sticky
        return is_due and self._unanswered_s >= patience


class Instances:
    """Instances of the canary that gave samples and give none any more, while others do.

    One may have been taken away on purpose, so that this is said, and is no verdict.
    """

    def __init__(self, interval: float) -> None:
        """Watch samples that come once in so many seconds."""
        self._patience = max(SILENT_SECONDS, INTERVALS * interval)
        self._last: dict[str, float] = {}
        self._latest = 0.0
        self._most = 0

    def step(self, at: float, tick: OpenTick) -> None:
        """Take the tick at `at` seconds since first exposure."""
        speaking = tick.instances
        self._most = max(self._most, len(speaking))
        for name in speaking:
            if name in self._last or len(self._last) < MOST_INSTANCES:
                self._last[name] = self._latest = at

    @property
    def silent(self) -> Mapping[str, float]:
        """Those that are silent by now, and since when, in seconds since first exposure.

        None, while as many speak as ever: one may come back under another name.
        """
        due = self._latest - self._patience
        silent = {name: at for name, at in self._last.items() if at < due}
        return silent if len(self._last) - len(silent) < self._most else {}


def _answers(row: Counted) -> float:
    return row.all if isinstance(row, RatioTick) else row.le.get(inf, 0.0)


def _has_answered(rows: Mapping[str, Counted]) -> bool:
    for row in rows.values():  # noqa: SIM110 -- at each tick, and any() takes three times as long
        if _answers(row):
            return True
    return False


def _slowest(rows: Mapping[str, Counted]) -> float:
    """How long an answer took, but for a thousandth of them; in seconds, by the largest bound."""
    found = 0.0
    for row in rows.values():
        if isinstance(row, LatencyTick):
            enough = row.le.get(inf, 0.0) * (1 - SLOWEST)
            bounds = sorted(bound for bound in row.le if bound < inf)
            found = max(
                found, next((b for b in bounds if row.le[b] >= enough), (bounds or [0.0])[-1])
            )
    return found
