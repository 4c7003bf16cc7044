"""One rollout at a time for a service: who is live, who is exposed, who waits, in which order.

All of it is read off the changes; nothing here is stored beside them.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from surefoot.domain.change import Cause, Change, Commit, WaitCause
from surefoot.domain.lifecycle import EXPOSED, LIVE, UNEXPOSED, Phase

__all__ = ["Hold", "Lane", "lane_of", "live_ones", "live_until", "serving_at"]


@dataclass(frozen=True, slots=True)
class Hold:
    """A person's word that nothing further is to be exposed, until a time or until `resume`."""

    by: str
    because: str
    at: float
    until: float | None = None


@dataclass(frozen=True, slots=True)
class Lane:
    """The lane of one service.

    `live` serves users (or is given back to); `before` is the release that would serve if `live`
    were undone; `exposed` is the change that has or had the lane and is not settled yet;
    `waiting` are the unexposed ones in their order, a placebo last; `harmful` did harm and are not
    yet fixed; `suspects` are the contents of those; `going` are the unexposed ones that nothing but
    their turn holds up (a rebase makes a new one).
    `applied` touched the manifest alone, were never exposed, and stand on `live` or on one another.
    A change that a fix carries waits until that has ended, and is none of these then.
    """

    service: str
    live: Change | None
    before: Change | None
    exposed: Change | None
    waiting: tuple[Change, ...]
    harmful: tuple[Change, ...]
    hold: Hold | None
    applied: tuple[Change, ...] = ()
    suspects: frozenset[str] = frozenset()
    going: tuple[Change, ...] = ()

    @property
    def undone_first(self) -> Change | None:
        """What an undo without a number means: what is exposed, else live.

        Users who went back from a placebo would be on what is live, where they were: so that is
        meant, where something was live before it.
        """
        is_placebo = self.exposed is not None and self.exposed.placebo
        return self.live if is_placebo and self.before else self.exposed or self.live

    @property
    def ground(self) -> Change | None:
        """What the next change stands on: the live one, or the newest manifest applied upon it."""
        ground = self.live
        for one in self.applied:
            if ground and one.base == ground.revision:
                ground = one
        return ground

    def carries_suspect(self, change: Change) -> bool:
        """Whether a change holds what did harm, also rebased, picked or squashed."""
        return bool(self.suspects) and not self.suspects.isdisjoint(change.contents)

    @property
    def closed(self) -> bool:
        """Whether harm holds the lane: unmended, and nobody let it go on beside it."""
        return any(harmful.passed is None for harmful in self.harmful)

    def fixes(self, change: Change) -> bool:
        """Whether a change says that it mends what holds the lane."""
        return any(harmful.number == change.intent.fixes for harmful in self.harmful)

    def may_go(self, change: Change) -> bool:
        """While harm is unmended its fix goes on, or a second try; then what holds no suspect."""
        if any(one.number in _mends(change) for one in self.harmful):
            return True
        return not (self.closed or self.carries_suspect(change))

    def reverted_by(self, commits: Sequence[Commit]) -> int | None:
        """The harmful change that these commits revert, told by the subjects git gives them."""
        subjects = {commit.subject for commit in commits}
        for change in reversed(self.harmful):
            if all(f'Revert "{one.subject}"' in subjects for one in change.commits):
                return change.number
        return None

    def head(self) -> Change | None:
        """The first unexposed change that may go on: the one that is started and warmed."""
        return next(iter(self.going), None)

    def carried(self, change: Change) -> tuple[Change, ...]:
        """The waiting changes whose commits this fix holds."""
        if change.intent.fixes is None:
            return ()
        return tuple(one for one in self.waiting if one.carried_by == change.number)

    def position(self, change: Change) -> int:
        """Its place in the order, from 1."""
        return [one.number for one in self.waiting].index(change.number) + 1

    def soaks(self, now: float) -> bool:
        """Whether the live change is still watched for late harm, its predecessor warm."""
        until = self.live.stamps.soak_until if self.live else None
        return until is not None and now < until

    def wanted(self, now: float) -> frozenset[int]:
        """The releases that must run: live, warm while it soaks, exposed, and a prepared head."""
        wanted = {change.number for change in (self.live, self.exposed) if change}
        if self.before and self.live and (self.exposed or self.soaks(now)):
            wanted.add(self.before.number)
        head = self.head()
        if head and head.parts.build.done:
            wanted.add(head.number)
        return frozenset(wanted)


def _stranded(change: Change) -> bool:
    return change.wait is not None and change.wait.cause is WaitCause.REBASE


def live_ones(changes: Sequence[Change]) -> list[Change]:
    """The changes that users may be led back to, the last one that went live first.

    What a fix carries never ran by itself.
    """
    found = [one for one in changes if one.phase in LIVE and one.carried_by is None]
    return sorted(found, key=lambda one: (one.stamps.live_at or 0.0, one.number), reverse=True)


def lane_of(service: str, changes: Sequence[Change], hold: Hold | None) -> Lane:
    """The lane of a service, from all its changes, or from those that matter (`retention`)."""
    live = live_ones(changes)
    harmful = _harmful(changes)
    waiting = [change for change in changes if change.phase in UNEXPOSED]
    numbers = {change.number for change in harmful}
    waiting.sort(
        key=lambda change: (change.intent.fixes not in numbers, change.placebo, change.number)
    )
    lane = Lane(
        service=service,
        live=live[0] if live else None,
        before=live[1] if len(live) > 1 else None,
        exposed=next((change for change in changes if change.phase in EXPOSED), None),
        waiting=tuple(waiting),
        harmful=harmful,
        hold=hold,
        applied=_applied_upon(live[0], changes) if live else (),
        suspects=frozenset(name for change in harmful for name in change.contents),
    )
    going = (one for one in waiting if one.carried_by is None and not _stranded(one))
    return replace(lane, going=tuple(one for one in going if lane.may_go(one)))


def _applied_upon(live: Change, changes: Sequence[Change]) -> tuple[Change, ...]:
    applied = (one for one in changes if one.phase is Phase.APPLIED)
    under, found = {live.revision}, []
    for one in sorted(applied, key=lambda change: change.number):
        if one.base in under:
            under.add(one.revision)
            found.append(one)
    return tuple(found)


def serving_at(changes: Sequence[Change], at: float) -> Change | None:
    """The change that all users were on at a time (epoch seconds), or None before the first."""
    taken = [one for one in changes if one.stamps.live_at is not None and one.stamps.live_at <= at]
    kept = [one for one in taken if (one.stamps.left_at or at + 1) > at]
    return max(kept, key=lambda one: (one.stamps.live_at or 0.0, one.number), default=None)


def live_until(changes: Sequence[Change], change: Change) -> float | None:
    """When users left a change that all of them were on; None while they are on it, or never were.

    One that serves again because what came after it was undone has not been left.
    """
    if change.stamps.live_at is None:
        return None
    later = [
        one.stamps.live_at
        for one in changes
        if one.stamps.live_at is not None
        and one.stamps.live_at > change.stamps.live_at
        and one.stamps.left_at is None
    ]
    return change.stamps.left_at or min(later, default=None)


def _harmful(changes: Sequence[Change]) -> tuple[Change, ...]:
    """Restored for harm, with no later fix that is live. A failed fix joins what it failed on.

    One that says that it fixes what a change before it has mended, and fails, is harm of its own.
    """
    mended: set[int] = set()
    by_number = {change.number: change for change in changes}
    failed: dict[int, list[int]] = {}
    for change in changes:
        if change.phase is Phase.RESTORED and change.intent.fixes is not None:
            failed.setdefault(change.intent.fixes, []).append(change.number)
    for mender in (one for one in changes if one.phase in LIVE):
        reached: set[int] = set()
        open_ = _mends(mender)
        while open_:
            target = open_.pop()
            if target in reached:
                continue
            reached.add(target)
            mended.add(target)
            mended.update(one for one in failed.get(target, ()) if one < mender.number)
            if target in by_number:
                open_ += _mends(by_number[target])
    found = (
        change
        for change in changes
        if change.phase is Phase.RESTORED
        and change.cause is Cause.HARM
        and change.number not in mended
    )
    return tuple(sorted(found, key=lambda change: change.number))


def _mends(change: Change) -> list[int]:
    """The harm that a change ends if it is live: what it fixes, or tries once more."""
    return [one for one in (change.intent.fixes, change.intent.again) if one is not None]
