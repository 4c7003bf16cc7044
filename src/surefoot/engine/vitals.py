"""Whether the release that users are on lives: its processes, from one look to the next."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from surefoot.ports import InstanceFacts

__all__ = ["Vitals"]

RECOVERY_S = 5.0  # after a death: until the proxy asks the new process, and what waited is answered


@dataclass(slots=True)
class Vitals:
    """The processes of the release that serves, as they were last seen."""

    _release: int | None = None
    _known: dict[int, tuple[int | None, float | None]] = field(default_factory=dict)
    _unwell_at: float | None = None

    def feed(self, release: int, instances: Sequence[InstanceFacts], now: float) -> tuple[int, ...]:
        """Take one look, at boottime `now`; the indexes of instances that ended since the last."""
        if release != self._release:
            self._release, self._known, self._unwell_at = release, {}, None
        before = self._known
        self._known = {one.index: (one.pid, one.started) for one in instances if one.up}
        ended = tuple(
            index for index, process in before.items() if self._known.get(index) != process
        )
        if ended or any(not one.listening for one in instances):
            self._unwell_at = now
        return ended

    def recovering(self, now: float) -> bool:
        """Whether one ended or was deaf a moment ago: its errors say nothing of the host."""
        return self._unwell_at is not None and now - self._unwell_at < RECOVERY_S
