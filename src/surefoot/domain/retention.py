"""What is kept of changes that are settled: their evidence always, their builds for a while.

The changes themselves are all in the store. What the engine holds of them is what can still matter.
"""

from collections import defaultdict
from collections.abc import Iterable, Sequence

from surefoot.domain.change import Change
from surefoot.domain.lane import lane_of, live_ones
from surefoot.domain.lifecycle import EXPOSED, UNEXPOSED, Phase

__all__ = ["BEFORE_LIVE", "LED_BACK", "NEWEST", "family", "that_matter", "to_keep_built"]

BEFORE_LIVE = 3  # so many undos in a row need no build
LED_BACK = 10  # that were live last are held; the engine fetches the next one with every undo
NEWEST = 100  # settled ones are held whatever they are: most questions are about them


def to_keep_built(changes: Sequence[Change]) -> frozenset[int]:
    """The releases that stay built.

    These are the live one and the last three that were live before it, the one that was restored
    last (somebody will look into it), and every change that is still on its way.
    """
    on_their_way = [one for one in changes if one.phase in UNEXPOSED | EXPOSED]
    restored = [  # what a fix carries is built in it, and a placebo is what is live
        one
        for one in changes
        if one.phase is Phase.RESTORED and one.carried_by is None and not one.placebo
    ]
    restored.sort(key=lambda one: one.stamps.restored_at or 0.0)
    kept = (*on_their_way, *live_ones(changes)[: 1 + BEFORE_LIVE], *restored[-1:])
    return frozenset(one.number for one in kept)


def that_matter(
    changes: Sequence[Change], newest: int = NEWEST, led_back: int = LED_BACK
) -> frozenset[int]:
    """The numbers of those of a service's changes that can still matter to what is decided.

    These are what stays built, the `led_back` to which users may be led back next, what did harm
    and is not fixed, and the `newest` of the settled ones; each with its whole family. A family
    that is left out as a whole holds no harm that is open, and nothing that can be undone before
    it is fetched again: `lane_of` finds the same without it.
    """
    settled = sorted(one.number for one in changes if one.phase not in UNEXPOSED | EXPOSED)
    harmful = lane_of("", changes, None).harmful
    lived = live_ones(changes)[:led_back]
    themselves = {one.number for one in (*harmful, *lived)} | to_keep_built(changes)
    return family(changes, themselves.union(settled[-newest:]))


def family(changes: Iterable[Change], numbers: Iterable[int]) -> frozenset[int]:
    """These changes and all that is tied to them, over however many others.

    A change is tied to what it fixes, tries once more or is carried by, and the other way round;
    and to the manifests that were applied upon it. Numbers that no change has are left out.
    """
    by_number: dict[int, Change] = {}
    tied_to: dict[int, list[int]] = defaultdict(list)
    upon: dict[str, list[int]] = defaultdict(list)
    for change in changes:
        by_number[change.number] = change
        for number in change.ties:
            tied_to[number].append(change.number)
        if change.phase is Phase.APPLIED and change.base is not None:
            upon[change.base].append(change.number)
    found: set[int] = set()
    open_ = [number for number in numbers if number in by_number]
    while open_:
        number = open_.pop()
        if number in found:
            continue
        found.add(number)
        change = by_number[number]
        near = (*change.ties, *tied_to[number], *upon[change.revision])
        open_ += [one for one in near if one in by_number]
    return frozenset(found)
