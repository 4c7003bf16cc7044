"""A simulated production: users who ask, releases that answer well, badly, slowly or not at all.

Requests are served when somebody asks what happened, or when anything changes; up to then nothing
did, so the outcome is the same as if each had been served in its own moment. The dice are handed
in: the same dice make the same day.
"""

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from itertools import pairwise
from math import inf, log, log1p

from surefoot.ports import Clock, Routes

__all__ = ["BOUNDS_S", "Behaviour", "Counted", "Production"]

BOUNDS_S = (0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0, inf)
HALF = 0.5


@dataclass(frozen=True, slots=True)
class Behaviour:
    """How a release behaves.

    `errors` is the fraction of requests answered badly; `median_s` the median of its answers'
    times, which fall off exponentially. `metrics` says what its own page shows: for a ratio the
    fraction of its counted kind; for a gauge or a counter how many requests of all add one to it.
    A release that `hangs` takes requests and never answers; one that is not `healthy` does not
    answer its health path. It is ready `ready_s` after its start, and dies `dies_after_s` after
    each start, if it does.
    """

    errors: float = 0.01
    median_s: float = 0.03
    metrics: Mapping[str, float] = field(default_factory=dict)
    hangs: bool = False
    healthy: bool = True
    ready_s: float = 0.3
    dies_after_s: float | None = None


@dataclass(slots=True)
class Counted:
    """What one release did since the world began. `slow` counts answers by their bucket."""

    answered: int = 0
    bad: int = 0
    active: int = 0
    slow: Counter[float] = field(default_factory=Counter)
    metrics: Counter[str] = field(default_factory=Counter)


@dataclass(slots=True)
class _Service:
    """One service's users: how many there are, where they are led, and up to when they came."""

    per_s: float
    since: float
    owed: float = 0.0
    routes: Routes | None = None
    unanswered: int = 0
    up: set[int] = field(default_factory=set)
    behaviours: dict[int, Behaviour] = field(default_factory=dict)
    counted: dict[int, Counted] = field(default_factory=dict)

    def of(self, release: int) -> Counted:
        """What a release counted."""
        if release not in self.counted:
            self.counted[release] = Counted()
        return self.counted[release]


class Production:
    """Every service's users and releases.

    Whatever a method changes holds from now on; what was before is counted as it was.
    """

    def __init__(self, clock: Clock, dice: Callable[[], float]) -> None:
        """Take the clock, and dice that give a number from 0 to 1, such as `Random(7).random`."""
        self._clock = clock
        self._dice = dice
        self._services: dict[str, _Service] = {}

    # --- what a test says ----------------------------------------------------------------------

    def ask(self, service: str, per_s: float) -> None:
        """So many requests each second come to this service."""
        self._up_to_now(service).per_s = per_s

    def behave(self, service: str, release: int, behaviour: Behaviour) -> None:
        """Let a release behave so."""
        self._up_to_now(service).behaviours[release] = behaviour

    # --- what is true --------------------------------------------------------------------------

    def behaviour(self, service: str, release: int) -> Behaviour:
        """How a release behaves; harmless where nothing was said."""
        return self._service(service).behaviours.get(release, Behaviour())

    def counted(self, service: str, release: int) -> Counted:
        """Everything that a release did up to now."""
        return self._up_to_now(service).of(release)

    def unanswered(self, service: str) -> int:
        """Requests that met no release at all."""
        return self._up_to_now(service).unanswered

    def healthy(self, service: str, release: int) -> bool:
        """Whether a release runs and answers its health path."""
        known, behaviour = self._service(service), self.behaviour(service, release)
        return release in known.up and behaviour.healthy and not behaviour.hangs

    # --- what the ports say --------------------------------------------------------------------

    def lead(self, service: str, routes: Routes | None) -> None:
        """Users are led by these routes."""
        self._up_to_now(service).routes = routes

    def rise(self, service: str, release: int) -> None:
        """A release takes requests."""
        self._up_to_now(service).up.add(release)

    def fall(self, service: str, release: int) -> None:
        """A release is gone; what waited for it is answered by the one that serves."""
        known = self._up_to_now(service)
        known.up.discard(release)
        counted = known.of(release)
        waiting, counted.active = counted.active, 0
        if known.routes:
            self._serve(known, known.routes.live, waiting)

    # --- serving -------------------------------------------------------------------------------

    def _service(self, service: str) -> _Service:
        if service not in self._services:
            self._services[service] = _Service(per_s=0.0, since=self._clock.boottime())
        return self._services[service]

    def _up_to_now(self, service: str) -> _Service:
        """Serve every request that came since the last time."""
        known, now = self._service(service), self._clock.boottime()
        known.owed += known.per_s * (now - known.since)
        known.since = now
        came = int(known.owed)
        known.owed -= came
        routes = known.routes
        if routes is None:
            known.unanswered += came
            return known
        drawn = self._draw(came, routes.share) if routes.candidate is not None else 0
        if routes.candidate is not None:
            self._serve(known, routes.candidate, drawn)
        self._serve(known, routes.live, came - drawn)
        return known

    def _serve(self, known: _Service, chosen: int, requests: int) -> None:
        """Requests of the chosen release, answered by another when that one is gone."""
        routes = known.routes
        others = (routes.live, routes.candidate, routes.spare) if routes else ()
        release = next((one for one in (chosen, *others) if one in known.up), None)
        if release is None:
            known.unanswered += requests
            return
        behaviour, counted = known.behaviours.get(release, Behaviour()), known.of(release)
        if behaviour.hangs:
            counted.active += requests
            return
        counted.answered += requests
        counted.bad += self._draw(requests, behaviour.errors)
        for name, value in behaviour.metrics.items():
            counted.metrics[name] += self._draw(requests, value)
        left = requests
        for lower, upper in pairwise((0.0, *BOUNDS_S)):
            within = self._draw(left, 1.0 - 0.5 ** ((upper - lower) / behaviour.median_s))
            counted.slow[upper] += within
            left -= within

    def _draw(self, times: int, chance: float) -> int:
        """How many of so many throws succeed: from one success to the next, not throw by throw."""
        if chance > HALF:
            return times - self._draw(times, 1.0 - chance)
        if chance <= 0.0 or times == 0:
            return 0
        found, thrown, step = 0, 0, log1p(-chance)
        while True:
            thrown += int(log(1.0 - self._dice()) / step) + 1
            if thrown > times:
                return found
            found += 1
