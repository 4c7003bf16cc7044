"""The story of a change: what is decided from which facts."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from people import ANA, BO, DONE, NOW, WELL, a_change, exposed, facts, live, reading, ready

from surefoot.domain.change import (
    Approval,
    Cause,
    Intent,
    Order,
    PartOf,
    Parts,
    PartState,
    WaitCause,
)
from surefoot.domain.facts import Build, EndRelease, GiveBack, Prepare, Route, RunChecks, World
from surefoot.domain.journey import decide
from surefoot.domain.lane import Hold
from surefoot.domain.lifecycle import EXPOSED, FINAL, LIVE, UNEXPOSED, Phase
from surefoot.domain.verdict import Reading, Word

UNDO = Order(BO, NOW, "looks odd")


def test_checks_and_build_begin_at_once_and_unreviewed_code_is_not_started():
    """Getting ready runs checks and build side by side; starting waits for the review."""
    decision = decide(facts(a_change(2, Phase.GETTING_READY), live(1)))
    assert set(decision.acts) == {RunChecks(), Build()}
    built = a_change(2, Phase.GETTING_READY, parts=Parts(checks=DONE, build=DONE))
    decision = decide(facts(built, live(1)))
    assert decision.acts == ()
    assert decision.change.wait.cause is WaitCause.PERSON


def test_an_approval_of_this_very_diff_lets_it_be_prepared():
    """A yes to another diff, or by an author, is no yes."""
    built = a_change(2, Phase.GETTING_READY, parts=Parts(checks=DONE, build=DONE))
    yes = Approval(BO, NOW, built.diff.identity)
    assert decide(facts(replace(built, approvals=(yes,)), live(1))).acts == (Prepare(),)
    for wrong in (replace(yes, identity="another"), replace(yes, by=ANA)):
        assert decide(facts(replace(built, approvals=(wrong,)), live(1))).acts == ()


def test_a_check_that_does_not_pass_rejects_before_any_user():
    """The reason carries the end of what the check said."""
    failed = PartOf(PartState.FAILED, NOW, NOW, "2 tests failed")
    change = a_change(2, Phase.GETTING_READY, parts=Parts(checks=failed))
    decision = decide(facts(change, live(1)))
    assert decision.change.phase is Phase.REJECTED
    assert "2 tests failed" in decision.change.because


def test_the_next_change_waits_until_this_one_is_proven():
    """A prepared change stays queued while another has the lane, and goes when it is verified."""
    waiting = decide(facts(ready(3), live(1), exposed(2, Phase.VERIFYING)))
    assert waiting.change.wait.cause is WaitCause.TURN
    assert waiting.acts == ()
    goes = decide(facts(ready(3), live(1), live(2)))
    assert goes.change.phase is Phase.ROLLING_OUT
    assert goes.acts == (Route(0.1),)
    assert goes.change.stamps.exposed_at == NOW


@pytest.mark.parametrize(
    ("world", "cause"),
    [
        (replace(WELL, room=False), WaitCause.STUCK),
        (replace(WELL, answering=False), WaitCause.STUCK),
        (replace(WELL, old_answering=False), WaitCause.STUCK),
        (replace(WELL, watched_s=59.0), WaitCause.TELEMETRY),
    ],
)
def test_nothing_is_exposed_without_room_health_and_a_baseline(world, cause):
    """Each missing condition has a wait with a name, a deadline and what happens then."""
    decision = decide(facts(ready(2), live(1), world=world))
    assert decision.change.phase is Phase.QUEUED
    assert decision.change.wait.cause is cause
    assert decision.change.wait.until > NOW
    assert decision.change.wait.then


def test_the_steps_are_climbed_by_evidence_and_never_by_time():
    """Without the gate the share stays for as long as it takes; with it, it rises."""
    world = replace(WELL, share=0.1)
    change = exposed(2)
    patient = decide(facts(change, live(1), world=world, seen=reading(Word.WATCHING)))
    assert patient.change.phase is Phase.ROLLING_OUT
    assert patient.acts == ()
    opened = reading(Word.WATCHING, gate=True)
    wider = decide(facts(change, live(1), world=world, seen=opened))
    assert wider.change.phase is Phase.VERIFYING
    assert wider.acts == (Route(0.5),)


def test_a_share_that_the_proxy_does_not_have_is_ordered_again():
    """The share is read back, and converged on."""
    decision = decide(facts(exposed(2), live(1), world=replace(WELL, share=0.0)))
    assert decision.acts == (Route(0.1),)


def test_verified_takes_everything_and_opens_the_lane():
    """With the verdict, all users are on it and the old release stays warm."""
    world = replace(WELL, share=0.5)
    change = exposed(2, Phase.VERIFYING, step=1)
    word = reading(Word.VERIFIED, because="errors at most +1 point (95 %)")
    decision = decide(facts(change, live(1), world=world, seen=word))
    assert decision.change.phase is Phase.VERIFIED
    assert decision.acts == (Route(1.0),)
    assert decision.change.verdict == "errors at most +1 point (95 %)"
    assert decision.change.stamps.soak_until == NOW + 600


@pytest.mark.parametrize(
    ("more", "cause"),
    [
        ({"seen": reading(Word.WORSE)}, Cause.HARM),
        ({"world": replace(WELL, fenced="nobody renewed the lease")}, Cause.UNWATCHED),
        ({"world": replace(WELL, blind_s=31.0)}, Cause.UNWATCHED),
        ({"world": replace(WELL, host_hurt=True)}, Cause.HOST),
        ({"world": replace(WELL, stuck="10 tries")}, Cause.UNWATCHED),
    ],
)
@pytest.mark.parametrize("phase", [Phase.ROLLING_OUT, Phase.VERIFYING])
def test_harm_and_blindness_give_the_service_back(phase, more, cause):
    """Nobody has to press anything; the cause goes on record."""
    decision = decide(facts(exposed(2, phase), live(1), **more))
    assert decision.change.phase is Phase.RESTORING
    assert decision.change.cause is cause
    assert decision.acts == (GiveBack(),)


def test_worse_wins_over_an_accepting_person():
    """A person's acceptance does not keep what is proven harmful."""
    change = exposed(2, Phase.VERIFYING, accept=Order(BO, NOW, "fine by me"))
    decision = decide(facts(change, live(1), seen=reading(Word.WORSE)))
    assert decision.change.phase is Phase.RESTORING


def test_the_time_limit_asks_a_person_and_then_gives_back():
    """No data is never a pass: inconclusive, held, then restored when nobody answers."""
    change, world = exposed(2), replace(WELL, share=0.1)
    late = NOW - 20 + 900
    asked = decide(facts(change, live(1), world=world, now=late))
    assert asked.change.phase is Phase.ROLLING_OUT
    assert asked.change.wait.cause is WaitCause.PERSON
    assert asked.change.wait.until == late + 1800
    given_back = decide(facts(asked.change, live(1), world=world, now=late + 1800))
    assert given_back.change.phase is Phase.RESTORING
    assert given_back.change.cause is Cause.INCONCLUSIVE


def test_accepted_is_another_word_and_works_like_verified():
    """A person who answers for it ends it as accepted, never as verified."""
    change = exposed(2, accept=Order(BO, NOW, "low traffic at night"))
    decision = decide(facts(change, live(1), world=replace(WELL, share=0.1)))
    assert decision.change.phase is Phase.ACCEPTED
    assert decision.acts == (Route(1.0),)
    assert "low traffic at night" in decision.change.because


def test_a_hold_keeps_the_share_and_the_watch():
    """Held, nothing goes further, and it is known until when; harm still restores."""
    hold = Hold("Bo", "release party", NOW)
    change, world = exposed(2), replace(WELL, share=0.1)
    gate = reading(Word.WATCHING, gate=True)
    held = decide(facts(change, live(1), world=world, seen=gate, hold=hold))
    assert held.change.phase is Phase.ROLLING_OUT
    assert held.change.wait.cause is WaitCause.HOLD
    assert held.change.wait.until is None
    hour = replace(hold, until=NOW + 3600.0)
    held = decide(facts(held.change, live(1), world=world, seen=gate, hold=hour))
    assert held.change.wait.until == NOW + 3600.0
    hurt = decide(facts(change, live(1), world=world, seen=reading(Word.WORSE), hold=hold))
    assert hurt.change.phase is Phase.RESTORING


@pytest.mark.parametrize(
    ("phase", "seen"),
    [
        (Phase.ROLLING_OUT, reading(Word.WATCHING, gate=True)),
        (Phase.VERIFYING, reading(Word.VERIFIED, gate=True)),
    ],
)
def test_a_full_disk_holds_what_is_exposed(phase, seen):
    """No further user meets it, it is not verified, and harm still restores."""
    change = exposed(2, phase)
    world = replace(WELL, share=change.steps[change.step], room=False)
    held = decide(facts(change, live(1), world=world, seen=seen))
    assert held.change.phase is phase
    assert held.acts == ()
    assert held.change.wait.cause is WaitCause.STUCK
    hurt = decide(facts(change, live(1), world=world, seen=reading(Word.WORSE)))
    assert hurt.change.phase is Phase.RESTORING


def restoring(**more):
    change = exposed(2, Phase.RESTORING, cause=Cause.HARM, worse="errors", because="WORSE")
    return replace(change, stamps=replace(change.stamps, undo_at=NOW - 2), **more)


def test_restored_needs_the_metric_back_in_its_band():
    """The share alone is not enough when something was worse."""
    switched = replace(WELL, share=0.0, ended=True)
    assert decide(facts(restoring(), live(1), world=switched)).change.phase is Phase.RESTORING
    proven = replace(switched, in_band=True)
    decision = decide(facts(restoring(), live(1), world=proven))
    assert decision.change.phase is Phase.RESTORED
    assert decision.change.stamps.restored_at == NOW


@pytest.mark.parametrize(
    "world",
    [
        replace(WELL, share=0.1, in_band=True),
        replace(WELL, share=0.0, in_band=True, old_answering=False),
        replace(WELL, share=0.0, in_band=True, active=3),
    ],
)
def test_restored_needs_the_share_the_old_release_and_no_open_request(world):
    """Each of the three keeps it in restoring."""
    assert decide(facts(restoring(), live(1), world=world)).change.phase is Phase.RESTORING


def test_the_bad_release_is_ended_at_once_when_it_hangs_and_after_draining_else():
    """Streams do not leave a release by themselves, so it is ended after the switch."""
    world = replace(WELL, share=0.0, active=4)
    assert decide(facts(restoring(), live(1), world=world)).acts == ()
    later = decide(facts(restoring(), live(1), world=world, now=NOW + 4))
    assert later.acts == (EndRelease(2),)
    hangs = decide(facts(restoring(worse="hanging"), live(1), world=world))
    assert hangs.acts == (EndRelease(2, kill=True),)


def test_not_restored_after_ninety_seconds_and_it_keeps_trying():
    """The machine goes on, and what succeeds later is restored."""
    world = replace(WELL, share=0.1)
    late = decide(facts(restoring(), live(1), world=world, now=NOW + 88))
    assert late.change.phase is Phase.NOT_RESTORED
    assert GiveBack() in late.acts
    well = replace(WELL, share=0.0, ended=True, in_band=True)
    assert decide(facts(late.change, live(1), world=well)).change.phase is Phase.RESTORED


def test_after_harm_only_the_fix_goes_on():
    """Changes behind wait for the fix, keeping their place; the fix goes first."""
    harmful = restoring(phase=Phase.RESTORED)
    behind = a_change(3, Phase.GETTING_READY, parts=Parts(DONE, DONE, DONE))
    behind = replace(behind, base=live(1).revision)
    waits = decide(facts(behind, live(1), harmful))
    assert waits.change.wait.cause is WaitCause.FIX
    fix = replace(behind, number=4, intent=Intent("mend it", fixes=2))
    assert decide(facts(fix, live(1), harmful, behind)).acts == (Prepare(),)


@pytest.mark.parametrize("forward_only", [False, True])
def test_an_urgent_fix_is_reviewed_afterwards_unless_it_alters_data(forward_only: bool):
    """A hurt service waits for no review, but for the second person where there is no way back."""
    harmful = restoring(phase=Phase.RESTORED)
    hurt = exposed(3, Phase.NOT_RESTORED)
    mend = Intent("mend it", fixes=2, forward_only=forward_only)
    fix = a_change(4, Phase.GETTING_READY, intent=mend, base=live(1).revision)
    decided = decide(facts(fix, live(1), harmful, hurt)).change
    assert decided.parts.review.done is not forward_only
    alone = decide(facts(fix, live(1), harmful, hurt, team_of_one=True)).change
    assert alone.parts.review.done


def test_the_first_release_is_adopted_after_its_start_was_watched():
    """With nothing to compare with, it is never called verified."""
    change = a_change(1, Phase.GETTING_READY, parts=Parts(DONE, DONE, DONE, DONE))
    first = decide(facts(change))
    assert first.acts == (Route(1.0),)
    routed = replace(WELL, live_routed=True)
    watched = decide(facts(change, world=routed))
    assert watched.change.phase is Phase.GETTING_READY
    adopted = decide(facts(watched.change, world=routed, now=NOW + 31))
    assert adopted.change.phase is Phase.ADOPTED


readings = st.one_of(
    st.none(),
    st.builds(
        Reading,
        word=st.sampled_from(Word),
        at=st.just(1.0),
        metric=st.sampled_from([None, "errors", "dead"]),
        because=st.just("so"),
        evidence=st.floats(0, 200),
        gate=st.booleans(),
    ),
)
worlds = st.builds(
    World,
    share=st.sampled_from([0.0, 0.1, 0.5, 1.0]),
    live_routed=st.booleans(),
    answering=st.sampled_from([None, True, False]),
    old_answering=st.sampled_from([None, True, False]),
    old_running=st.booleans(),
    active=st.integers(0, 3),
    ended=st.booleans(),
    fenced=st.sampled_from([None, "lease"]),
    stuck=st.sampled_from([None, "tries"]),
    room=st.booleans(),
    lagging=st.booleans(),
    blind_s=st.sampled_from([0.0, 40.0]),
    host_hurt=st.booleans(),
    in_band=st.booleans(),
    seen_by_users=st.booleans(),
    watched_s=st.sampled_from([0.0, 100.0]),
)
states = st.sampled_from(
    [
        a_change(2),
        a_change(2, Phase.GETTING_READY),
        a_change(2, Phase.GETTING_READY, parts=Parts(DONE, DONE, DONE, DONE)),
        ready(2),
        exposed(2),
        exposed(2, Phase.VERIFYING, step=1),
        restoring(),
        live(2, stamps=replace(live(2).stamps, soak_until=NOW + 100)),
        *(a_change(2, phase) for phase in FINAL),
    ]
)


@given(states, worlds, readings, st.booleans(), st.sampled_from([0.0, 800.0, 9e5]))
def test_any_world_gives_a_legal_decision(change, world, seen, undone, later):
    """From any facts: a legal move, verified only by the verdict, undo obeyed at once."""
    if undone:
        change = replace(change, undo=UNDO)
    decision = decide(facts(change, live(1), world=world, seen=seen, now=NOW + later))
    after = decision.change.phase
    if after is Phase.VERIFIED and change.phase is not Phase.VERIFIED:
        assert seen is not None
        assert seen.word is Word.VERIFIED
    if undone and change.phase in UNEXPOSED:
        assert after is Phase.WITHDRAWN
    if undone and change.phase in {Phase.ROLLING_OUT, Phase.VERIFYING} | LIVE:
        assert after is Phase.RESTORING
        assert GiveBack() in decision.acts
    if change.phase in FINAL:
        assert decision.acts == ()
        assert decision.change == change
    if after in EXPOSED and change.phase in UNEXPOSED:
        assert world.room
        assert world.old_answering
