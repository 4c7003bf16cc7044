"""Old beside old: a change that goes the way of any other and comes to nothing, on purpose.

What is seen of a placebo is chance, or the host, so that *worse* is a false alarm of this very
installation. It never becomes live, is never harm, and never keeps a change waiting.
"""

from dataclasses import replace

from surefoot.domain.change import Cause, Change, Taught
from surefoot.domain.facts import Decision, Facts, GiveBack
from surefoot.domain.lane import Lane
from surefoot.domain.lifecycle import LIVE, UNEXPOSED, Event, Phase
from surefoot.domain.text import span
from surefoot.domain.verdict import Word

__all__ = ["as_placebo", "comes_before_a_placebo"]

CLIMBING = frozenset({Phase.ROLLING_OUT, Phase.VERIFYING})


def comes_before_a_placebo(lane: Lane, now: float) -> str | None:
    """What no placebo may stand beside or before, in words; None when the lane is its own.

    A soak comes before it too: while anything is exposed, late harm is not looked for.
    """
    if lane.live is None:
        return "something live to stand beside"
    if lane.harmful:
        return f"the fix of {lane.harmful[-1].number}"
    if lane.hold:
        return f"the end of the hold by {lane.hold.by}"
    on_their_way = (*((lane.exposed,) if lane.exposed else ()), *lane.going)
    for one in on_their_way:
        if not one.placebo:
            return f"{one.number}, which is on its way"
    return f"the end of the soak of {lane.live.number}" if lane.soaks(now) else None


def as_placebo(facts: Facts, decision: Decision) -> Decision:
    """What becomes of a placebo, where this would become of any other change."""
    before, after = facts.change, decision.change
    if before.undo is None and (reason := _gives_way_to(facts)):
        return _makes_room(facts, reason)
    if before.phase in CLIMBING:
        return _in_words(_ending(facts, decision) or decision)
    if before.phase is not after.phase is Phase.RESTORED:
        back = f"{before.because.rstrip('.')}. All users are on {before.base_number} again."
        decision = replace(decision, change=replace(after, because=back))
    if before.phase is Phase.PROPOSED and after.phase is Phase.GETTING_READY:
        told = "Nothing in it is new to check, review or build."
        decision = replace(decision, change=replace(after, because=told))
    return _in_words(decision)


def _gives_way_to(facts: Facts) -> str | None:
    """Before its users, to whatever comes first; then only to what is ready for users of its own.

    When that comes has nothing to do with what the placebo shows, so that its word, where it has
    one, is not picked by this.
    """
    change, lane = facts.change, facts.lane
    if change.phase in UNEXPOSED:
        if lane.live and lane.live.number != change.base_number:
            return f"{lane.live.number}, which is live now"
        return comes_before_a_placebo(lane, facts.now)
    if change.phase not in CLIMBING:
        return None
    if lane.hold:
        return f"the hold by {lane.hold.by}"
    return next((f"{one.number}, which is ready" for one in lane.going if _ready(one)), None)


def _ready(change: Change) -> bool:
    return change.phase is Phase.QUEUED


def _makes_room(facts: Facts, reason: str) -> Decision:
    change, because = facts.change, f"It makes room for {reason}."
    if change.phase in CLIMBING:
        return _over(facts, because, None)
    withdrawn = change.moved(Event.WITHDRAW, because)
    stamps = replace(withdrawn.stamps, ended_at=facts.now)
    return _in_words(Decision(replace(withdrawn, stamps=stamps)))


def _ending(facts: Facts, decision: Decision) -> Decision | None:
    """Its end, once the evidence has said its word or the time is up; users go back."""
    after, reading = decision.change, facts.reading
    because = reading.because if reading else ""
    if after.cause is Cause.HARM:
        taught = _taught(facts, Word.WORSE)
        alarm = f"A false alarm, after {span(taught.seconds)}: {because}."
        told = replace(after, cause=Cause.PLACEBO, because=alarm, taught=taught)
        return replace(decision, change=told)
    if after.phase is Phase.VERIFIED:
        taught = _taught(facts, Word.VERIFIED)
        because = f"{because[:1].upper()}{because[1:]}, after {span(taught.seconds)}."
        return _over(facts, because, taught)
    if after.phase in LIVE:
        return _over(facts, "Nobody can answer for a placebo.", None)
    since = facts.change.stamps.exposed_at
    time_is_up = since is not None and facts.now >= since + facts.rules.time_limit_s
    if time_is_up and after.cause in {None, Cause.INCONCLUSIVE}:
        taught = _taught(facts, Word.INCONCLUSIVE)
        return _over(facts, f"Inconclusive after {span(taught.seconds)}.", taught)
    return None


def _taught(facts: Facts, word: Word) -> Taught:
    reading, since = facts.reading, facts.change.stamps.exposed_at
    errors = (
        next((one for one in reading.metrics if one.name == "errors"), None) if reading else None
    )
    return Taught(
        word=word,
        seconds=round(facts.now - (since if since is not None else facts.now), 3),
        canary=errors.canary_all if errors else 0,
        baseline=errors.baseline_all if errors else 0,
        evidence=reading.evidence if reading else 0.0,
    )


def _over(facts: Facts, because: str, taught: Taught | None) -> Decision:
    """Its users go back to where they came from, by the way of any undo."""
    change = facts.change.moved(Event.UNDO, because)
    stamps = replace(
        change.stamps,
        undo_at=facts.now,
        verdict_at=facts.now if taught else change.stamps.verdict_at,
    )
    verdict = facts.reading.because if taught and facts.reading else ""
    over = replace(change, cause=Cause.PLACEBO, taught=taught, stamps=stamps, verdict=verdict)
    return _in_words(Decision(over, (GiveBack(),), wake_at=facts.now))


def _in_words(decision: Decision) -> Decision:
    """Each sentence on it says what it is."""
    change = decision.change
    what = f"Placebo, {change.base_number} beside {change.base_number}. "
    if change.because.startswith(what):
        return decision
    return replace(decision, change=replace(change, because=what + change.because))
