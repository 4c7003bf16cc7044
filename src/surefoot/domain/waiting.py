"""What a change that waits says: whose turn it is, in a sentence, with the line to type."""

from collections.abc import Callable

from surefoot.domain.change import WaitCause
from surefoot.domain.facts import Facts
from surefoot.domain.risk import ONE_WAY

__all__ = ["BASELINE_S", "waits_for"]

BASELINE_S = 60.0  # of the live release's own figures: the margins are fixed from them


def waits_for(facts: Facts, cause: WaitCause) -> str:
    """What keeps a change that no user has met yet from going on."""
    return WORDS[cause](facts)


def _a_review(facts: Facts) -> str:
    carried = facts.lane.carried(facts.change)
    open_ = [one.number for one in carried if not one.parts.review.done]
    if facts.change.parts.review.done and open_:
        return f"It waits for somebody's review of {open_[0]}, which it carries."
    if facts.change.intent.forward_only:
        return f"It alters data ({ONE_WAY}), so it waits for a second person's approval."
    return "It waits for somebody's review."


def _a_fix(facts: Facts) -> str:
    if facts.carrier:
        return f"It shares the outcome of {facts.carrier.number}, the fix that carries it."
    harmful = ", ".join(str(one.number) for one in facts.lane.harmful)
    return f"It waits for the fix of {harmful}."


def _a_rebase(facts: Facts) -> str:
    live = facts.lane.live
    onto, base = live.revision[:7] if live else "HEAD", (facts.change.base or "")[:7]
    return f"What it stands on is not live. Type: git rebase --onto {onto} {base}"


def _its_turn(facts: Facts) -> str:
    lane = facts.lane
    unchecked = [one.number for one in lane.carried(facts.change) if not one.parts.checks.done]
    if unchecked:
        return f"It waits for the checks of {unchecked[0]}, which it carries."
    ahead = lane.exposed or lane.head()
    return f"It waits for {ahead.number} ahead of it." if ahead else "It waits its turn."


def _a_hold(facts: Facts) -> str:
    hold = facts.lane.hold
    return f"Held by {hold.by}: {hold.because}" if hold else "It is held."


def _telemetry(facts: Facts) -> str:
    left = BASELINE_S - facts.world.watched_s
    return f"It waits for {left:.0f} s more of the live release's own figures."


def _being_stuck(facts: Facts) -> str:
    if facts.world.stuck:
        return f"It does not get ready: {facts.world.stuck} `surefoot doctor` looks for the reason."
    if not facts.world.room:
        return "Too little disk space is free to expose anything new."
    return "Its release, or the old one, does not answer right now."


WORDS: dict[WaitCause, Callable[[Facts], str]] = {
    WaitCause.PERSON: _a_review,
    WaitCause.FIX: _a_fix,
    WaitCause.REBASE: _a_rebase,
    WaitCause.TURN: _its_turn,
    WaitCause.HOLD: _a_hold,
    WaitCause.TELEMETRY: _telemetry,
    WaitCause.TRAFFIC: _being_stuck,
    WaitCause.STUCK: _being_stuck,
}
