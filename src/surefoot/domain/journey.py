"""The story of a change, from commit to verified in production, or back.

One function for each phase, top to bottom in the order in which a change lives. Each takes the
facts of one moment and returns a decision; nothing is done here.
"""

from collections.abc import Callable
from dataclasses import replace

from surefoot.domain.change import Cause, Change, PartOf, PartState, Wait, WaitCause
from surefoot.domain.facts import (
    Act,
    Build,
    Decision,
    EndRelease,
    Facts,
    GiveBack,
    Prepare,
    Route,
    RunChecks,
    StartRelease,
)
from surefoot.domain.lifecycle import FINAL, LIVE, Event, Phase, way
from surefoot.domain.manifest import Review
from surefoot.domain.placebo import as_placebo
from surefoot.domain.risk import ONE_WAY
from surefoot.domain.text import capital, span
from surefoot.domain.verdict import Reading, Word
from surefoot.domain.waiting import BASELINE_S, waits_for

__all__ = ["decide"]

DAY_S = 24 * 3600.0
WAIT_LIMIT_S = {
    WaitCause.PERSON: DAY_S,
    WaitCause.REBASE: DAY_S,
    WaitCause.FIX: 7 * DAY_S,
    WaitCause.HOLD: 7 * DAY_S,
    WaitCause.TURN: 7 * DAY_S,
    WaitCause.STUCK: DAY_S,
    WaitCause.TELEMETRY: DAY_S,
}
START_WATCH_S = 30.0
RESTORE_LIMIT_S = 90.0
JUST_AFTER_S = 0.001


def decide(facts: Facts) -> Decision:
    """What becomes of this change now."""
    carrier = facts.carrier
    if carrier and carrier.phase in LIVE | {Phase.RESTORED}:
        return share_outcome(facts, carrier)
    if carrier and carrier.phase in FINAL:
        facts = replace(facts, change=replace(facts.change, carried_by=None), carrier=None)
    decision = STORY[facts.change.phase](facts)
    return as_placebo(facts, decision) if facts.change.placebo else decision


# --- before any user ---------------------------------------------------------------------------


def begin(facts: Facts) -> Decision:
    """It is written down. Checks, review and build start side by side."""
    if facts.change.undo:
        return _withdrawn(facts)
    return Decision(facts.change.moved(Event.BEGIN, "Checks, review and build have begun."))


def get_ready(facts: Facts) -> Decision:
    """Checked, reviewed, built; then, as the first in line, warmed and its way back rehearsed."""
    facts = replace(facts, change=_reviewed(facts))
    change, lane = facts.change, facts.lane
    if change.undo and not (lane.live is None and facts.world.live_routed):
        return _withdrawn(facts)
    if reason := _why_rejected(change):
        return Decision(_ended(change.moved(Event.REJECT, reason), facts.now))
    if acts := _open_parts(facts):
        return _waiting(facts, _stuck(facts), acts)
    if cause := _what_it_waits_for(facts):
        return _waiting(facts, cause)
    if facts.manifest_only:
        applied = change.moved(Event.APPLY, "The new manifest guards from now on.")
        return Decision(_ended(applied, facts.now))
    return _become_the_head(facts)


def _what_it_waits_for(facts: Facts) -> WaitCause | None:
    """Whose turn it is, once its own parts are done: a person's, a fix's, what it stands on."""
    change, lane = facts.change, facts.lane
    if not change.parts.review.done:
        return WaitCause.PERSON
    if facts.carrier:
        return WaitCause.FIX
    if cause := _what_it_carries_waits_for(facts):
        return cause
    if _base_is_lost(facts):
        return WaitCause.REBASE if lane.may_go(change) else WaitCause.FIX
    if facts.manifest_only:
        upon = lane.ground is not None and change.base == lane.ground.revision
        return None if upon else WaitCause.TURN
    return None if lane.may_go(change) else WaitCause.FIX


def _become_the_head(facts: Facts) -> Decision:
    """Only the first in line is started, so that at most four releases of a service run."""
    change, head = facts.change, facts.lane.head()
    if head and head.number != change.number:
        return _waiting(facts, WaitCause.TURN)
    if not change.parts.prepare.done:
        return _waiting(facts, _stuck(facts), (Prepare(),))
    if facts.lane.live is None:
        return _adopt(facts)
    ready = change.moved(Event.READY, f"Ready: {_rehearsed(change)}")
    return Decision(replace(ready, stamps=replace(change.stamps, ready_at=facts.now)))


def queue(facts: Facts) -> Decision:
    """Ready, and waiting for the lane. The next change waits until the last one is proven."""
    change, world = facts.change, facts.world
    if change.undo:
        return _withdrawn(facts)
    if reason := _why_rejected(change):
        return Decision(_ended(change.moved(Event.REJECT, reason), facts.now))
    if cause := _what_holds_the_lane(facts):
        return _waiting(facts, cause)
    if not (world.answering and world.old_answering):
        return _waiting(facts, WaitCause.STUCK, (Prepare(),))
    exposed = replace(
        change.moved(Event.EXPOSE, f"{_percent(facts.steps[0])} of the requests meet it."),
        steps=facts.steps,
        stamps=replace(change.stamps, exposed_at=facts.now, share_at=facts.now),
    )
    if len(facts.steps) == 1:
        exposed = exposed.moved(Event.LAST_STEP, exposed.because)
    return Decision(exposed, (Route(facts.steps[0]),))


def _what_holds_the_lane(facts: Facts) -> WaitCause | None:
    """Why no user may meet it yet."""
    lane, world = facts.lane, facts.world
    if facts.carrier or not lane.may_go(facts.change):
        return WaitCause.FIX
    if lane.exposed:
        return WaitCause.TURN
    if _base_is_lost(facts):
        return WaitCause.REBASE
    if lane.hold:
        return WaitCause.HOLD
    if not world.room:
        return WaitCause.STUCK
    return WaitCause.TELEMETRY if world.watched_s < BASELINE_S else None


# --- in front of users -------------------------------------------------------------------------


def roll_out(facts: Facts) -> Decision:
    """Climb the steps by evidence, never by a timer."""
    if ending := _must_end(facts):
        return ending
    change, reading = facts.change, facts.reading
    at_share = facts.world.has_share(change.steps[change.step])
    undecided = reading is None or not reading.gate or reading.word is Word.INCONCLUSIVE
    if undecided or not at_share or _held(facts):
        return _watching(facts)
    step = change.step + 1
    wider = replace(change, step=step, wait=None, stamps=replace(change.stamps, share_at=facts.now))
    if step == len(change.steps) - 1:
        wider = wider.moved(Event.LAST_STEP, "Old and new side by side, until it is proven.")
    else:
        wider = replace(wider, because=f"{_percent(change.steps[step])} of the requests meet it.")
    return Decision(wider, (Route(change.steps[step]),))


def verify(facts: Facts) -> Decision:
    """The last step: the old release stays the concurrent control until the end."""
    if ending := _must_end(facts):
        return ending
    reading = facts.reading
    if reading is None or reading.word is not Word.VERIFIED or _held(facts):
        return _watching(facts)
    verified = facts.change.moved(Event.VERIFY, capital(reading.because))
    return _takes_all(facts, replace(verified, verdict=reading.because))


def soak(facts: Facts) -> Decision:
    """All users are on it; the one before stays warm a while, and late harm still restores."""
    change = facts.change
    if facts.lane.live is None or facts.lane.live.number != change.number:
        return Decision(change)  # another one is live: this one is history
    if change.undo:
        cause = Cause.CARRIED if change.undo.carried else Cause.PERSON
        return _undo(facts, cause, _asked_for(change))
    soaking = change.stamps.soak_until is not None and facts.now < change.stamps.soak_until
    if soaking and facts.reading and facts.reading.word is Word.WORSE:
        late = f"Late harm: {facts.reading.because}"
        return _undo(facts, Cause.HARM, late, facts.reading)
    acts = () if facts.world.live_routed else (Route(1.0),)
    return Decision(change, acts, wake_at=change.stamps.soak_until if soaking else None)


def share_outcome(facts: Facts, carrier: Change) -> Decision:
    """Its commits are in the fix that carries it: it ends as that does, by the same arrows."""
    change = facts.change
    because = f"Carried by {carrier.number}: {carrier.because}"
    for event in way(change.phase, carrier.phase):
        change = change.moved(event, because)
    own = change.stamps
    stamps = replace(carrier.stamps, committed_at=own.committed_at, proposed_at=own.proposed_at)
    shared = replace(
        change,
        because=because,
        stamps=stamps,
        steps=carrier.steps,
        step=carrier.step,
        verdict=carrier.verdict,
        accept=carrier.accept,
        cause=Cause.CARRIED if carrier.cause else None,
        unproven=carrier.unproven,
    )
    return Decision(shared)


# --- the way back ------------------------------------------------------------------------------


def restore(facts: Facts) -> Decision:
    """Give the service back by the fastest way, and prove by the metric that it is well."""
    change, world = facts.change, facts.world
    acts = _way_back(facts)
    switched = world.share == 0 and bool(world.old_answering)
    back = switched and (world.active == 0 or world.ended)
    if switched and change.stamps.given_back_at is None:
        change = replace(change, stamps=replace(change.stamps, given_back_at=facts.now))
    if back and (change.cause is not Cause.HARM or world.in_band or not world.seen_by_users):
        return Decision(_restored(facts, change), acts)
    began = change.stamps.undo_at or facts.now
    if change.phase is Phase.RESTORING and facts.now >= began + RESTORE_LIMIT_S:
        hurt = f"Not restored after {RESTORE_LIMIT_S:.0f} s: {_what_is_missing(facts)}"
        return Decision(change.moved(Event.STILL_HURT, f"{hurt} Surefoot keeps trying."), acts)
    return Decision(change, acts, wake_at=facts.now + 1.0)


def settled(facts: Facts) -> Decision:
    """Final: nothing more is decided."""
    return Decision(facts.change)


STORY: dict[Phase, Callable[[Facts], Decision]] = {
    Phase.PROPOSED: begin,
    Phase.GETTING_READY: get_ready,
    Phase.QUEUED: queue,
    Phase.ROLLING_OUT: roll_out,
    Phase.VERIFYING: verify,
    Phase.VERIFIED: soak,
    Phase.ACCEPTED: soak,
    Phase.ADOPTED: soak,
    Phase.RESTORING: restore,
    Phase.NOT_RESTORED: restore,
    Phase.RESTORED: settled,
    Phase.APPLIED: settled,
    Phase.WITHDRAWN: settled,
    Phase.REJECTED: settled,
}


# --- what the phases share ---------------------------------------------------------------------


def _must_end(facts: Facts) -> Decision | None:
    """What ends an exposure, gravest first; and an accepting person."""
    change, world, reading = facts.change, facts.world, facts.reading
    if change.undo:
        cause = Cause.CARRIED if change.undo.carried else Cause.PERSON
        return _undo(facts, cause, _asked_for(change))
    if world.fenced:
        return _undo(facts, Cause.UNWATCHED, f"Given back by the keeper: {world.fenced}.")
    if reading and reading.word is Word.WORSE:
        return _undo(facts, Cause.HARM, capital(reading.because), reading)
    if world.host_hurt:
        both = "Old and new are both hurt, so nobody can tell whether it is this change."
        return _undo(facts, Cause.HOST, both)
    if world.stuck:
        return _undo(facts, Cause.UNWATCHED, f"It could not be taken further: {world.stuck}")
    if world.blind_s > facts.rules.blind_limit_s:
        blind = f"Nothing was known of it for {world.blind_s:.0f} s."
        return _undo(facts, Cause.UNWATCHED, blind)
    if change.accept:
        accepted = f"Accepted by {change.accept.by.name}: {change.accept.because}"
        verdict = reading.because if reading else ""
        return _takes_all(facts, replace(change.moved(Event.ACCEPT, accepted), verdict=verdict))
    return None


def _watching(facts: Facts) -> Decision:
    """Nothing to do but to watch, until the time limit asks a person."""
    change, rules = facts.change, facts.rules
    acts = _hold_share(facts)
    limit = (change.stamps.exposed_at or facts.now) + rules.time_limit_s
    if facts.now < limit:
        wait = _stalled(facts)
        because = facts.reading.because if facts.reading else "Watching: nothing is counted yet."
        return Decision(replace(change, because=capital(because), wait=wait), acts, wake_at=limit)
    answer_by = limit + rules.answer_within_s
    if facts.now >= answer_by and rules.on_inconclusive == "restore":
        nobody = "Nobody answered for it, and the evidence could not decide."
        return _undo(facts, Cause.INCONCLUSIVE, nobody)
    then = "it is given back" if rules.on_inconclusive == "restore" else "it stays as it is"
    because = (
        f"Inconclusive: the evidence could not decide within {span(rules.time_limit_s)}. "
        f"Somebody may accept it or undo it."
    )
    wait = Wait(WaitCause.PERSON, limit, answer_by, then)
    return Decision(replace(change, because=because, wait=wait), acts, wake_at=answer_by)


def _held(facts: Facts) -> bool:
    """Whether no further user may meet it now, whatever the evidence says."""
    world = facts.world
    return facts.lane.hold is not None or not world.room or world.lagging or _old_is_hurt(facts)


def _old_is_hurt(facts: Facts) -> bool:
    """Whether what it is compared with, and would be given back to, does not do its part."""
    return facts.world.old_hurt or not facts.world.old_answering


def _stalled(facts: Facts) -> Wait | None:
    """What keeps an exposed change from going on, other than time."""
    since = facts.change.wait.since if facts.change.wait else facts.now
    if facts.lane.hold:
        until = facts.lane.hold.until
        return Wait(WaitCause.HOLD, since, until, "it goes on when the hold ends")
    if not facts.world.room:
        return Wait(WaitCause.STUCK, since, None, "it goes on when there is disk space")
    if _old_is_hurt(facts):
        return Wait(WaitCause.STUCK, since, None, "it goes on when the old release is well again")
    if facts.world.lagging or facts.world.blind_s > 0:
        until = since + facts.rules.blind_limit_s
        return Wait(WaitCause.TELEMETRY, since, until, "it is given back")
    return None


def _hold_share(facts: Facts) -> tuple[Act, ...]:
    """The share that the present step asks for, if the proxy says another."""
    wanted = facts.change.steps[facts.change.step]
    return () if facts.world.has_share(wanted) else (Route(wanted),)


def _takes_all(facts: Facts, change: Change) -> Decision:
    """It is the live release now; the old one stays warm through the soak."""
    soak_until = facts.now + facts.rules.soak_s
    before = facts.lane.live.stamps.live_at if facts.lane.live else None
    live_at = max(facts.now, (before or 0.0) + JUST_AFTER_S)  # whatever somebody does to the clock
    stamps = replace(change.stamps, verdict_at=facts.now, live_at=live_at, soak_until=soak_until)
    live = replace(change, stamps=stamps, kept=facts.kept)
    return Decision(live, (Route(1.0),), wake_at=soak_until)


def _adopt(facts: Facts) -> Decision:
    """The first release of a service: it takes all users, and its start is watched."""
    change, world = facts.change, facts.world
    if not world.live_routed:
        if stuck := _stuck(facts):
            return _waiting(facts, stuck, (Route(1.0),))
        return Decision(replace(change, because="It takes all users."), (Route(1.0),))
    first_user_at = change.stamps.exposed_at or facts.now
    if world.answering is False and facts.now > first_user_at + START_WATCH_S:
        ended = change.moved(Event.REJECT, "It does not answer.")
        return Decision(_ended(ended, facts.now))
    if facts.now < first_user_at + START_WATCH_S:
        watched = replace(
            change,
            because=f"All users are on it; its start is watched for {START_WATCH_S:.0f} s.",
            stamps=replace(change.stamps, exposed_at=first_user_at),
        )
        return Decision(watched, wake_at=first_user_at + START_WATCH_S)
    adopted = replace(change, undo=None)  # there was nothing to go back to
    adopted = adopted.moved(Event.ADOPT, "Adopted: there was nothing to compare it with.")
    return Decision(replace(adopted, stamps=replace(adopted.stamps, live_at=facts.now)))


def _undo(facts: Facts, cause: Cause, because: str, reading: Reading | None = None) -> Decision:
    """Order the service back. What did harm is said, and stays on record."""
    change = facts.change.moved(Event.UNDO, because)
    stamps = replace(
        change.stamps,
        undo_at=facts.now,
        verdict_at=change.stamps.verdict_at or (facts.now if reading else None),
    )
    verdict = reading.because if reading else change.verdict
    worse = reading.metric if reading else None
    undone = replace(change, cause=cause, worse=worse, stamps=stamps, verdict=verdict)
    return Decision(undone, (GiveBack(),), wake_at=facts.now)


def _way_back(facts: Facts) -> tuple[Act, ...]:
    """Start the old release if it must be, switch, then end the bad one."""
    change, world, lane = facts.change, facts.world, facts.lane
    acts: list[Act] = []
    if lane.live and not world.old_running:
        acts.append(StartRelease(lane.live.number))
    if world.share != 0:
        acts.append(GiveBack())
    elif not world.ended and world.old_answering:  # until then it covers for the old one
        drained = facts.now >= (change.stamps.undo_at or 0) + facts.rules.undo_drain_s
        dead = change.worse in {"dead", "crash_loop", "silent", "hanging"}
        if drained or dead or world.active == 0:
            acts.append(EndRelease(change.number, kill=dead))
    return tuple(acts)


def _restored(facts: Facts, change: Change) -> Change:
    """The end of the way back, with its proof in words."""
    old = f"release {facts.lane.live.number}" if facts.lane.live else "the old release"
    proof = {
        (True, True): "and the metric is back in its band",
        (True, False): "not yet seen by users: no traffic; its health path answers",
    }.get((change.cause is Cause.HARM, facts.world.seen_by_users), "nothing was worse")
    well = f"Users are well again on {old}, {proof}."
    if change.cause is Cause.HOST:  # it was not this change, so that its end proves nothing
        well = f"Users are back on {old}; nothing proves that they are well."
    unwell = change.cause in {Cause.HARM, Cause.HOST}
    because = f"{well} {change.because}" if unwell else f"{change.because} {well}"
    because += _one_way(change) + _called(facts)
    restored = change.moved(Event.GIVEN_BACK, because)
    stamps = replace(restored.stamps, restored_at=facts.now, ended_at=facts.now)
    unseen = change.cause is Cause.HARM and not facts.world.seen_by_users
    return replace(restored, stamps=stamps, unproven=unseen or change.cause is Cause.HOST)


def _what_is_missing(facts: Facts) -> str:
    if not facts.world.old_answering:
        return "there is no healthy release to go back to."
    if facts.world.share != 0:
        return "the proxy has not taken the old routes."
    return "the metric is not back in its band."


def _called(facts: Facts) -> str:
    """Whom a second fix that did harm calls."""
    failed = [one for one in facts.lane.harmful if one.intent.fixes is not None]
    if facts.change.cause is not Cause.HARM or facts.change.intent.fixes is None or not failed:
        return ""
    return " Two fixes did harm: bring in somebody who wrote neither."


def _withdrawn(facts: Facts) -> Decision:
    withdrawn = facts.change.moved(Event.WITHDRAW, _asked_for(facts.change))
    return Decision(_ended(withdrawn, facts.now))


def _ended(change: Change, now: float) -> Change:
    return replace(change, stamps=replace(change.stamps, ended_at=now))


def _why_rejected(change: Change) -> str | None:
    """The first part that did not pass, with the end of what it said."""
    parts = change.parts
    for name, part in (
        ("A check did not pass", parts.checks),
        ("It could not be built", parts.build),
        ("It could not be made ready", parts.prepare),
    ):
        if part.failed:
            return f"{name}: {part.said}"
    return None


def _stuck(facts: Facts) -> WaitCause | None:
    """It has been tried again and again, and what it needs does not do its part."""
    return WaitCause.STUCK if facts.world.stuck else None


def _open_parts(facts: Facts) -> tuple[Act, ...]:
    parts = facts.change.parts
    acts: list[Act] = []
    if not parts.checks.done:
        acts.append(RunChecks())
    if not parts.build.done and not facts.manifest_only:
        acts.append(Build())
    return tuple(acts)


def _reviewed(facts: Facts) -> Change:
    """The change with its review behind it, when somebody said yes or nobody has to."""
    change = facts.change
    two_answer = _two_answer(facts)
    nobody_must = (facts.review is not Review.BEFORE and not two_answer) or facts.team_of_one
    urgent = facts.lane.fixes(change) and facts.lane.exposed is not None and not two_answer
    if change.parts.review.done or not (change.approved or nobody_must or urgent):
        return change
    said = "" if change.approved else "not asked for before exposure"
    began = change.stamps.proposed_at
    review = PartOf(PartState.DONE, started_at=began, ended_at=facts.now, said=said)
    return replace(change, parts=replace(change.parts, review=review))


def _two_answer(facts: Facts) -> bool:
    """Whether it needs a second person whatever `[team] review` says, and however urgent it is.

    No way back covers altered data, nor a guard or a name of data that is no longer there.
    """
    loosens = facts.manifest_only and bool(facts.kept)
    one_way = facts.change.intent.forward_only or bool(facts.unnamed)
    return loosens or (one_way and facts.lane.live is not None)


def _what_it_carries_waits_for(facts: Facts) -> WaitCause | None:
    """A fix takes with it what lies between: all of that is checked and approved first.

    While the service is not restored, the reviews follow after, as that of the fix itself.
    """
    open_ = [one.parts for one in facts.lane.carried(facts.change)]
    if any(not parts.checks.done for parts in open_):
        return WaitCause.TURN
    urgent = facts.lane.exposed is not None
    if not urgent and any(not parts.review.done for parts in open_):
        return WaitCause.PERSON
    return None


def _base_is_lost(facts: Facts) -> bool:
    """Whether what it stands on is neither live nor still on its way there."""
    change, lane = facts.change, facts.lane
    if lane.live is None:
        return False
    going = (*lane.applied, *lane.waiting, *((lane.exposed,) if lane.exposed else ()))
    under = {
        one.revision: one
        for one in going
        if one.number < change.number and one.phase not in {Phase.RESTORING, Phase.NOT_RESTORED}
    }
    base = change.base
    while base != lane.live.revision:  # all the way down: what is under it must go there too
        below = under.pop(base or "", None)
        if below is None:
            return True
        base = below.base
    return False


def _waiting(facts: Facts, cause: WaitCause | None, acts: tuple[Act, ...] = ()) -> Decision:
    """It stays where it is. What it waits for has a name, a deadline, and what happens then."""
    change = facts.change
    if cause is None:
        return Decision(replace(change, wait=None, because=_busy_with(facts)), acts)
    since = change.wait.since if change.wait and change.wait.cause is cause else facts.now
    until = since + WAIT_LIMIT_S[cause]
    if facts.now >= until:
        late = f"Withdrawn: it waited for {cause} for {span(until - since)}."
        return Decision(_ended(change.moved(Event.WITHDRAW, late), facts.now))
    wait = Wait(cause, since, until, "it is withdrawn")
    because = waits_for(facts, cause)
    return Decision(replace(change, wait=wait, because=because), acts, wake_at=until)


def _busy_with(facts: Facts) -> str:
    parts = facts.change.parts
    if parts.checks.done and parts.build.done:
        return "It is started, warmed, and its way back rehearsed."
    open_parts = [
        name
        for name, part in (
            ("checks", parts.checks),
            ("review", parts.review),
            ("build", parts.build),
        )
        if not part.done
    ]
    return f"Under way: {', '.join(open_parts)}."


def _asked_for(change: Change) -> str:
    if change.undo is None:
        return "Undone."
    why = f": {change.undo.because}" if change.undo.because else "."
    return f"Undone by {change.undo.by.name}{why}"


def _rehearsed(change: Change) -> str:
    if change.rehearsed_s is None:
        return f"its way back is a switch of traffic.{_one_way(change)}"
    return f"way back rehearsed, traffic returns in {change.rehearsed_s:.3f} s.{_one_way(change)}"


def _one_way(change: Change) -> str:
    """What no way back covers, where it alters data."""
    return f" {capital(ONE_WAY)}." if change.intent.forward_only else ""


def _percent(share: float) -> str:
    return f"{share * 100:g} %"
