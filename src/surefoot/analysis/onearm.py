"""The gross guard for one arm alone, against its own past (T5 without a concurrent control).

The one factor with a baseline of endless size: F = r^e exp(-m p (r - 1) n), whose mean is at most
1 while the rate is at most m p. It restarts each second, R <- (R + u) F, so that hours of calm do
not blunt it; by time t a false alarm at 100 has a chance of at most (1/2 + t/7200)/100. It is
capped, which only lowers it, so that it falls again as soon as the harm ends.
"""

from math import exp, log

from surefoot.analysis.evidence import GROSS_RATIOS, LARGEST_LOG

__all__ = ["ALARM", "OneArm"]

ALARM = 100.0
STAKED = 0.5
RESTART = STAKED / 3600  # for each tick of one second: the other half within an hour
GROSS_M = 2.0
RICHEST = 10 * ALARM


class OneArm:
    """Evidence that an arm does much worse than the rate p of its past."""

    __slots__ = ("_bets", "_capitals", "_p", "_tempering")

    def __init__(self, p: float, phi: float) -> None:
        """Compare with p (a fraction); `phi` is the over-dispersion, halved for gross harm."""
        self._p = p
        self._tempering = 1 / max(1.0, phi / 2)
        self._bets = tuple((r, log(r)) for r in GROSS_RATIOS)
        self._capitals = [STAKED / len(GROSS_RATIOS)] * len(GROSS_RATIOS)

    def step(self, bad: float, everything: float) -> None:
        """Take one second of the arm."""
        expected = GROSS_M * self._p * everything
        fresh = RESTART / len(self._bets)
        logs = [self._tempering * (bad * ln_r - expected * (r - 1)) for r, ln_r in self._bets]
        self._capitals = [
            min((capital + fresh) * exp(min(x, LARGEST_LOG)), RICHEST)
            for capital, x in zip(self._capitals, logs, strict=True)
        ]

    @property
    def value(self) -> float:
        """The evidence so far, as an e-value."""
        return sum(self._capitals)
