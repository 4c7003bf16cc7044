"""After *verified*: the released arm has no concurrent control left, only its past.

It watches for gross harm and promises no rate of false alarms for ever.
"""

from surefoot.analysis.onearm import ALARM, OneArm

__all__ = ["SoakWatch"]


class SoakWatch:
    """Watches the released arm against the rate p that the service had before."""

    def __init__(self, p: float, phi: float) -> None:
        """Compare with p (a fraction), tempered by the over-dispersion phi."""
        self._arm = OneArm(p, phi)
        self._harmful = False

    def feed(self, bad: float, all_: float) -> None:
        """Take one second: bad events, and all of them."""
        self._arm.step(bad, all_)
        self._harmful = self._harmful or self._arm.value >= ALARM

    @property
    def harmful(self) -> bool:
        """Whether gross harm was seen; once seen, it stays."""
        return self._harmful

    @property
    def evidence(self) -> float:
        """The evidence now, as an e-value."""
        return self._arm.value
