"""What is kept of changes that are settled: their evidence always, their builds for a while."""

from collections.abc import Sequence

from surefoot.domain.change import Change
from surefoot.domain.lane import live_ones
from surefoot.domain.lifecycle import EXPOSED, UNEXPOSED, Phase

__all__ = ["BEFORE_LIVE", "to_keep_built"]

BEFORE_LIVE = 3  # so many undos in a row need no build


def to_keep_built(changes: Sequence[Change]) -> frozenset[int]:
    """The releases that stay built.

    These are the live one and the last three that were live before it, the one that was restored
    last (somebody will look into it), and every change that is still on its way.
    """
    on_their_way = [one for one in changes if one.phase in UNEXPOSED | EXPOSED]
    restored = [  # what a fix carries is built in it
        one for one in changes if one.phase is Phase.RESTORED and one.carried_by is None
    ]
    restored.sort(key=lambda one: one.stamps.restored_at or 0.0)
    kept = (*on_their_way, *live_ones(changes)[: 1 + BEFORE_LIVE], *restored[-1:])
    return frozenset(one.number for one in kept)
