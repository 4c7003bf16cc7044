"""How much worse is still "not worse": the rungs, the bets that prove it, and how long it takes.

A metric takes, before exposure, the tightest rung that its traffic can prove in time.
"""

from collections.abc import Callable
from dataclasses import dataclass

from surefoot.analysis.evidence import Absolute, Bet, Relative
from surefoot.analysis.factor import best_a
from surefoot.domain.verdict import Margin

__all__ = [
    "GATE",
    "GATE_IN_TIME",
    "GATE_PART",
    "IN_TIME",
    "LATENCY_IN_TIME",
    "PATIENT",
    "RUNGS",
    "WIDE_GATE",
    "Rung",
    "choose_rung",
    "latency_bets",
    "looser",
    "ok_bets",
    "rung_named",
    "rung_not_narrower",
]

IN_TIME = 0.087  # of the time limit: 78 s of 15 min
LATENCY_IN_TIME = 0.045  # 40 s of 15 min: several bounds must hold at one moment
PATIENT = 0.29  # of the time limit: 260 s of 15 min, for rung D
GATE_IN_TIME = 0.033  # of the time limit: 30 s of 15 min, for leaving the first step
GATE_PART = 0.5  # of what "not worse" needs: E >= 10 at alpha 5 %
WIDEST = 10.0  # points of rung E, which needs consent
LARGEST_P = 0.999


@dataclass(frozen=True, slots=True)
class Rung:
    """A step of the ladder of margins.

    `ratio` and `points` (percentage points) hold for rates; for latency, the canary is measured
    at `stretch` times the baseline's bound, and `least` and `most` limit the points there.
    """

    name: str
    ratio: float
    points: float
    stretch: float
    least: float
    most: float

    @property
    def margin(self) -> Margin:
        """The margin of a rate on this rung."""
        return Margin(self.ratio, self.points, self.name)

    @property
    def latency_margin(self) -> Margin:
        """The margin of a latency on this rung: so many times slower, but for so many points."""
        return Margin(self.stretch, self.most, self.name)


RUNGS = (
    Rung("A", 1.5, 0.5, 1.2, 0.5, 2),
    Rung("B", 2, 1, 1.2, 1, 5),
    Rung("C", 3, 2, 1.3, 2, 5),
    Rung("D", 3, 5, 1.45, 5, 10),
    Rung("E", 3, 10, 1.6, 10, 15),
)
GATE = Rung("gate", 3, 2, 1.3, 5, 5)
WIDE_GATE = Rung("wide gate", 3, 2, 1.3, 10, 10)  # for a latency that scatters too much for it


def rung_named(name: str) -> Rung | None:
    """The rung of that letter, or None."""
    return next((rung for rung in RUNGS if rung.name == name), None)


def rung_not_narrower(margin: Margin) -> Rung:
    """The tightest rung that is nowhere narrower than `margin`; the widest if none is."""
    return next(
        (rung for rung in RUNGS if rung.ratio >= margin.ratio and rung.points >= margin.points),
        RUNGS[-1],
    )


def choose_rung(
    seconds: Callable[[Rung], float],
    time_limit: float,
    largest_points: float,
    in_time: float = IN_TIME,
) -> tuple[Rung, bool]:
    """The rung for a metric, and whether it can be proven in time.

    Args:
        seconds: how long proving a rung takes at this traffic (L of the rules), in seconds.
        time_limit: of the whole change, in seconds.
        largest_points: the widest margin that the team accepts, in percentage points.
        in_time: the part of the time limit that proving a rung may take.
    """
    allowed = [rung for rung in RUNGS if rung.points <= largest_points] or [RUNGS[0]]
    freely = [rung for rung in allowed if rung.points < WIDEST]
    for rung in freely:
        if seconds(rung) <= in_time * time_limit:
            return rung, True
    if seconds(freely[-1]) <= PATIENT * time_limit:
        return freely[-1], True
    return allowed[-1], seconds(allowed[-1]) <= PATIENT * time_limit


def looser(one: Margin, other: Margin, p: float) -> Margin:
    """The margin that allows more at the rate p."""

    def allows(margin: Margin) -> float:
        return max(margin.ratio * p, p + margin.points / 100)

    return one if allows(one) > allows(other) else other


def ok_bets(p: float, w: float, margin: Margin) -> tuple[Bet, ...]:
    """The bets against `p1 >= max(m p2, p2 + d)`, for a rate p at the last step's w."""
    m, d = margin.ratio, margin.points / 100

    def absolute(weight: float, at: float) -> Absolute:
        at = min(at, LARGEST_P)
        return Absolute(weight, best_a(at, at, w, d), d)

    if m * p >= p + d:
        return (
            Relative(0.45, m, 1 / m),
            Relative(0.10, m, 0.7 / m),
            Relative(0.10, m, 0.4 / m),
            absolute(0.20, p),
            absolute(0.15, 3 * p),
        )
    return (
        absolute(0.45, p),
        absolute(0.10, p / 3),
        absolute(0.20, 3 * p),
        Relative(0.15, m, 1 / m),
        Relative(0.10, m, 0.5 / m),
    )


def latency_bets(slower1: float, slower2: float, w: float, d: float) -> tuple[Bet, ...]:
    """The bets against "the canary's fraction slower is the baseline's + d, or more".

    Args:
        slower1: the baseline's fraction slower than the canary's bound.
        slower2: the baseline's fraction slower than its own bound.
        w: the last step's n1/n2.
        d: the margin, a fraction.
    """

    def at(weight: float, times: float) -> Absolute:
        one, two = min(times * slower1, LARGEST_P), min(times * slower2, LARGEST_P)
        return Absolute(weight, best_a(one, two, w, d), d)

    return (at(0.6, 1), at(0.2, 0.5), at(0.2, 2))
