"""The phases of a change, and the one table of what may follow.

Two rules for this file. Whatever moves a change from one phase to another is an event in `TABLE`:
nothing else in the product sets a phase. And the file knows no facts: why an event happened is
decided in `journey`, whether it may happen here.

The diagram in `docs/architecture.md` is made from the table by `diagram`.
"""

from enum import StrEnum

from surefoot.domain.errors import IllegalMove

__all__ = [
    "EXPOSED",
    "FINAL",
    "LIVE",
    "TABLE",
    "UNEXPOSED",
    "Event",
    "Phase",
    "after",
    "diagram",
    "way",
]


class Phase(StrEnum):
    """Where a change is in its life."""

    PROPOSED = "proposed"
    GETTING_READY = "getting_ready"
    QUEUED = "queued"
    ROLLING_OUT = "rolling_out"
    VERIFYING = "verifying"
    VERIFIED = "verified"
    ACCEPTED = "accepted"
    ADOPTED = "adopted"
    APPLIED = "applied"
    RESTORING = "restoring"
    NOT_RESTORED = "not_restored"
    RESTORED = "restored"
    WITHDRAWN = "withdrawn"
    REJECTED = "rejected"


class Event(StrEnum):
    """What can happen to a change."""

    BEGIN = "begin"  # it was written down; checks, review and build may start
    READY = "ready"  # checked, reviewed, built, warmed, and its way back rehearsed
    EXPOSE = "expose"  # the lane is free: its first users
    LAST_STEP = "last step"  # the last share but all: old and new side by side
    VERIFY = "verify"  # the verdict is *verified*
    ACCEPT = "accept"  # a person answers for what the evidence could not decide
    ADOPT = "adopt"  # the first release: there was nothing to compare with
    APPLY = "apply"  # a manifest-only change: nothing to roll out
    UNDO = "undo"  # harm, a person, or the machine orders the service back
    GIVEN_BACK = "given back"  # the service is back, proven by the metric
    STILL_HURT = "still hurt"  # not back within the limit: people are called
    WITHDRAW = "withdraw"  # undone before any user met it
    REJECT = "reject"  # it cannot be exposed, for a reason


TABLE: dict[Phase, dict[Event, Phase]] = {
    Phase.PROPOSED: {
        Event.BEGIN: Phase.GETTING_READY,
        Event.UNDO: Phase.WITHDRAWN,
        Event.WITHDRAW: Phase.WITHDRAWN,
        Event.REJECT: Phase.REJECTED,
    },
    Phase.GETTING_READY: {
        Event.READY: Phase.QUEUED,
        Event.ADOPT: Phase.ADOPTED,
        Event.APPLY: Phase.APPLIED,
        Event.UNDO: Phase.WITHDRAWN,
        Event.WITHDRAW: Phase.WITHDRAWN,
        Event.REJECT: Phase.REJECTED,
    },
    Phase.QUEUED: {
        Event.EXPOSE: Phase.ROLLING_OUT,
        Event.UNDO: Phase.WITHDRAWN,
        Event.WITHDRAW: Phase.WITHDRAWN,
        Event.REJECT: Phase.REJECTED,
    },
    Phase.ROLLING_OUT: {
        Event.LAST_STEP: Phase.VERIFYING,
        Event.ACCEPT: Phase.ACCEPTED,
        Event.UNDO: Phase.RESTORING,
    },
    Phase.VERIFYING: {
        Event.VERIFY: Phase.VERIFIED,
        Event.ACCEPT: Phase.ACCEPTED,
        Event.UNDO: Phase.RESTORING,
    },
    Phase.VERIFIED: {Event.UNDO: Phase.RESTORING},
    Phase.ACCEPTED: {Event.UNDO: Phase.RESTORING},
    Phase.ADOPTED: {Event.UNDO: Phase.RESTORING},
    Phase.RESTORING: {
        Event.GIVEN_BACK: Phase.RESTORED,
        Event.STILL_HURT: Phase.NOT_RESTORED,
        Event.UNDO: Phase.RESTORING,
    },
    Phase.NOT_RESTORED: {
        Event.GIVEN_BACK: Phase.RESTORED,
        Event.UNDO: Phase.NOT_RESTORED,
    },
    Phase.APPLIED: {},
    Phase.RESTORED: {},
    Phase.WITHDRAWN: {},
    Phase.REJECTED: {},
}

FINAL = frozenset(phase for phase, moves in TABLE.items() if not moves)
UNEXPOSED = frozenset({Phase.PROPOSED, Phase.GETTING_READY, Phase.QUEUED})
EXPOSED = frozenset({Phase.ROLLING_OUT, Phase.VERIFYING, Phase.RESTORING, Phase.NOT_RESTORED})
LIVE = frozenset({Phase.VERIFIED, Phase.ACCEPTED, Phase.ADOPTED})


def after(phase: Phase, event: Event) -> Phase:
    """The phase that follows `phase` when `event` happens.

    Raises:
        IllegalMove: the table has no such arrow.
    """
    try:
        return TABLE[phase][event]
    except KeyError:
        raise IllegalMove(f"A change that is {phase} cannot take the event '{event}'.") from None


def way(start: Phase, end: Phase) -> tuple[Event, ...]:
    """The shortest walk through the table from one phase to another; empty where there is none."""
    walks: dict[Phase, tuple[Event, ...]] = {start: ()}
    open_ = [start]
    for phase in open_:
        for event, target in TABLE[phase].items():
            if target not in walks:
                walks[target] = (*walks[phase], event)
                open_.append(target)
    return walks.get(end, ())


def diagram() -> str:
    """The table as a Mermaid state diagram, for the docs."""
    lines = ["stateDiagram-v2", "    [*] --> proposed"]
    for phase, moves in TABLE.items():
        lines += [f"    {phase} --> {target}: {event}" for event, target in moves.items()]
        if not moves:
            lines.append(f"    {phase} --> [*]")
    return "\n".join(lines) + "\n"
