"""Faults to inject into a port: what it does wrong, and for how long."""

from collections.abc import Iterable
from math import inf

from surefoot.domain.errors import OutsideFailed
from surefoot.ports import Clock

__all__ = ["Faults"]

EVERY = "*"


class Faults:
    """What is wrong with a port now. Each of its methods meets them before it does anything.

    A method is named as in the port; without a name, all of them are meant.
    """

    def __init__(self, clock: Clock) -> None:
        """Take the clock in which faults last."""
        self._clock = clock
        self._left: dict[str, float] = {}
        self._until: dict[str, float] = {}
        self._slow: dict[str, float] = {}

    def fail(self, method: str = EVERY, times: float = inf) -> None:
        """Raise `OutsideFailed` this many times."""
        self._left[method] = times

    def fail_for(self, seconds: float, method: str = EVERY) -> None:
        """Raise `OutsideFailed` until so many seconds have passed."""
        self._until[method] = self._clock.boottime() + seconds

    def slow(self, seconds: float, method: str = EVERY) -> None:
        """Take this much longer, every time."""
        self._slow[method] = seconds

    def heal(self) -> None:
        """Nothing is wrong any more."""
        self._left, self._until, self._slow = {}, {}, {}

    async def meet(self, method: str) -> None:
        """Be slow, then fail, as was asked for.

        Raises:
            OutsideFailed: a fault was injected.
        """
        delay = sum(_for(self._slow, method))
        if delay:
            await self._clock.sleep(delay)
        now = self._clock.boottime()
        if any(until > now for until in _for(self._until, method)):
            raise OutsideFailed(f"'{method}' cannot be done now: a fault was injected.")
        for name in (method, EVERY):
            if self._left.get(name, 0) > 0:
                self._left[name] -= 1
                raise OutsideFailed(f"'{method}' did not succeed: a fault was injected.")


def _for(faults: dict[str, float], method: str) -> Iterable[float]:
    return (faults[name] for name in (method, EVERY) if name in faults)
