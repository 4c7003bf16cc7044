"""The six looks of a page. A look is a shape, a word and a colour, never a colour alone."""

from enum import StrEnum

from surefoot.engine.status import ChangeStatus, ServiceStatus

__all__ = ["Mood", "awaits_review", "change_mood", "change_word", "fails", "service_mood"]

FAILING = 0.1  # of all requests: nobody calls that well, whatever is usual
FEW_PER_S = 0.5  # so many failures a second are no accident


class Mood(StrEnum):
    """How a change, or a service, stands."""

    WAITING = "waiting"  # grey, an open ring: no user has met it
    GOING = "going"  # blue, an arrow: rolling out or verifying
    HELD = "held"  # amber, two bars: held, or undecided
    VERIFIED = "verified"  # green, a tick
    RESTORED = "restored"  # green, a turning arrow: the service is well
    HURT = "hurt"  # red, a triangle: users are hurt now
    SETTLED = "settled"  # grey, a dot: over or live, without a proof


_BY_PHASE = {
    "proposed": Mood.WAITING,
    "getting_ready": Mood.WAITING,
    "queued": Mood.WAITING,
    "rolling_out": Mood.GOING,
    "verifying": Mood.GOING,
    "restoring": Mood.GOING,
    "not_restored": Mood.HURT,
    "restored": Mood.RESTORED,
    "verified": Mood.VERIFIED,
}


def fails(service: ServiceStatus) -> bool:
    """Whether a service fails now, whichever release its users are on."""
    rate = service.error_rate or 0.0
    return rate >= FAILING and rate * service.requests_per_s >= FEW_PER_S


def change_mood(change: ChangeStatus, service: ServiceStatus | None = None) -> Mood:
    """How a change stands. Red lasts until users are proven well again, and green needs a proof.

    What is live is no better than its service, where that is asked about.
    """
    if change.live_at is not None and service and service.live == change.number and fails(service):
        return Mood.HURT
    if change.phase == "restored" and change.unproven:
        return Mood.SETTLED
    if change.phase == "restoring" and change.cause in {"harm", "host"}:
        return Mood.HURT
    cause = change.wait.cause if change.wait else None
    if cause == "a hold" or (cause in {"a person", "being stuck"} and change.share > 0):
        return Mood.HELD
    return _BY_PHASE.get(change.phase, Mood.SETTLED)


def awaits_review(change: ChangeStatus) -> bool:
    """Whether it is somebody's turn before any user meets it."""
    return change.wait is not None and change.wait.cause == "a person" and change.share == 0


def change_word(change: ChangeStatus, service: ServiceStatus) -> str:
    """The word beside the shape."""
    mood = change_mood(change, service)
    if mood is Mood.HURT:
        return "users are hurt"
    if mood is Mood.HELD:
        return "undecided" if change.wait and change.wait.cause == "a person" else "held"
    return change.phase.replace("_", " ")


def service_mood(service: ServiceStatus, exposed: ChangeStatus | None) -> Mood:
    """How a service stands, with the change that its users meet beside the live one."""
    if fails(service):
        return Mood.HURT
    if exposed is not None and not exposed.placebo:
        return change_mood(exposed, service)
    if service.held_because or service.awaits_fix or service.parked:
        return Mood.HELD
    return Mood.VERIFIED if service.live_phase == "verified" else Mood.SETTLED
