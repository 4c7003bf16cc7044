"""T4: plain facts about the canary, which need no statistics.

They are rules without a rate of false alarms; placebo runs measure them.
"""

from collections import deque
from dataclasses import dataclass

from surefoot.analysis.ticks import Fact

__all__ = ["Liveness", "Observation"]

LOOP_SECONDS = 60.0
LOOP_DEATHS = 2
SILENT_SECONDS = 10.0
SILENT_EXPECTED = 20.0
HANGING_REQUESTS = 5
HANGING_SECONDS = 2.0


@dataclass(frozen=True, slots=True)
class Observation:
    """What was seen of the canary in one tick that ends at `t` (seconds).

    `instances` are (pid, start time, is listening). `answered` and `baseline_answered` count the
    tick's answers, `active` the requests that wait for the canary now, open streams included.
    `expected` is how many answers the share predicts of it in this tick.
    """

    t: float
    instances: tuple[tuple[int, float, bool], ...]
    answered: float
    active: float
    baseline_answered: float
    expected: float


class Liveness:
    """Fed once for each tick; says a fact when it is there."""

    def __init__(self, slowest: float = 0.0, *, sticky: bool = False) -> None:
        """Watch a canary.

        Args:
            slowest: the baseline's p99.9 in seconds; a canary may take three times as long.
            sticky: a share of the users says nothing of the requests, so silence is no fact.
        """
        self._sticky = sticky
        self._patience = max(HANGING_SECONDS, 3 * slowest)
        self._known: frozenset[tuple[int, float]] = frozenset()
        self._started = False
        self._deaths: deque[float] = deque()
        self._hanging_since: float | None = None
        self._missed = 0.0
        self._silent_since: float | None = None
        self._due = 0.0
        self._before: float | None = None

    def feed(self, seen: Observation) -> Fact | None:
        """Take one tick; the fact it shows, or None. The plainest fact comes first."""
        fact = self._death(seen) or self._hang(seen) or self._silence(seen)
        self._before = seen.t
        return fact

    def _death(self, seen: Observation) -> Fact | None:
        """A pid or start time changed, one is missing, or one no longer listens."""
        now = frozenset((pid, started) for pid, started, _ in seen.instances)
        gone = not self._known <= now
        deaf = any(not listening for _, _, listening in seen.instances)
        nobody = self._started and not now
        self._known, self._started = now, self._started or bool(now)
        if not (gone or deaf or nobody):
            return None
        if gone:
            self._deaths.append(seen.t)
        while self._deaths and seen.t - self._deaths[0] > LOOP_SECONDS:
            self._deaths.popleft()
        return Fact.CRASH_LOOP if len(self._deaths) >= LOOP_DEATHS else Fact.DEAD

    def _hang(self, seen: Observation) -> Fact | None:
        """Requests wait and none was completed, in every tick for long enough.

        Some must have been due by what the baseline completes: streams are open and never done.
        """
        if seen.active < HANGING_REQUESTS or seen.answered > 0:
            self._hanging_since, self._missed = None, 0.0
            return None
        if self._hanging_since is None:
            self._hanging_since = seen.t if self._before is None else self._before
        self._missed += seen.expected
        lasted = seen.t - self._hanging_since >= self._patience
        return Fact.HANGING if lasted and self._missed >= HANGING_REQUESTS else None

    def _silence(self, seen: Observation) -> Fact | None:
        """No answer for 10 s and more, at least 20 were due, and the baseline still speaks."""
        if seen.answered > 0:
            self._silent_since, self._due = None, 0.0
            return None
        if self._silent_since is None:
            self._silent_since = seen.t if self._before is None else self._before
        self._due += seen.expected
        lasted = seen.t - self._silent_since >= max(SILENT_SECONDS, self._patience)
        speaks = seen.baseline_answered > 0
        due = self._due >= SILENT_EXPECTED and not self._sticky
        return Fact.SILENT if lasted and due and speaks else None
