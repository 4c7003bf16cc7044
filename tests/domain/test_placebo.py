"""A placebo in pure decisions: whatever is seen of it, it becomes nothing and delays nobody."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from people import BO, DONE, NOW, WELL, a_change, exposed, facts, live, reading, ready

from surefoot.domain.change import Cause, Change, Intent, Order, Parts
from surefoot.domain.facts import GiveBack, Prepare, Route, World
from surefoot.domain.journey import decide
from surefoot.domain.lane import Hold, lane_of
from surefoot.domain.lifecycle import FINAL, LIVE, UNEXPOSED, Phase
from surefoot.domain.placebo import comes_before_a_placebo
from surefoot.domain.retention import to_keep_built
from surefoot.domain.verdict import Word

CLIMBING = [Phase.ROLLING_OUT, Phase.VERIFYING]
ORDER = Order(BO, NOW, "as somebody likes")


def placebo(number: int, of: Change, phase: Phase, **more: object) -> Change:
    upon = {"base": of.revision, "base_number": of.number, "revision": of.revision}
    made = exposed if phase in CLIMBING else ready if phase is Phase.QUEUED else a_change
    arguments = (number,) if phase is Phase.QUEUED else (number, phase)
    intent = Intent(f"placebo: {of.number} beside {of.number}", placebo=True)
    return made(*arguments, **upon, intent=intent, **more)


@given(
    phase=st.sampled_from(sorted(set(Phase) - FINAL - LIVE)),
    word=st.sampled_from([None, *Word]),
    orders=st.sets(st.sampled_from(["undo", "accept"])),
    world=st.builds(
        World,
        share=st.sampled_from([0.0, 0.1, 0.5]),
        answering=st.booleans(),
        old_answering=st.booleans(),
        fenced=st.sampled_from([None, "its lease ran out"]),
        blind_s=st.sampled_from([0.0, 60.0]),
        host_hurt=st.booleans(),
        watched_s=st.just(300.0),
    ),
    held=st.booleans(),
    late=st.sampled_from([0.0, 901.0, 5000.0]),
    another=st.sampled_from([None, Phase.GETTING_READY, Phase.QUEUED]),
)
def test_a_placebo_never_becomes_live_nor_harm(phase, word, orders, world, held, late, another):
    """Whatever was seen and ordered, users are never on it for good, and none is a suspect."""
    below = live(1)
    change = placebo(2, below, phase, **dict.fromkeys(orders, ORDER))
    if phase in {Phase.RESTORING, Phase.NOT_RESTORED}:
        change = replace(change, cause=Cause.PLACEBO)
    others = [below, *([a_change(3, another)] if another else [])]
    hold = Hold("Bo", "market day", NOW) if held else None
    seen = reading(word) if word else None
    decision = decide(facts(change, *others, world=world, seen=seen, hold=hold, now=NOW + late))
    after = decision.change
    assert after.phase not in LIVE
    assert after.cause is not Cause.HARM
    assert not any(isinstance(act, Route) and act.share >= 1 for act in decision.acts)
    assert after.because.startswith("Placebo, 1 beside 1. ")
    assert lane_of("shop", (*others, after), None).harmful == ()
    if another is Phase.QUEUED and after.phase not in FINAL:
        assert after.phase in {Phase.RESTORING, Phase.NOT_RESTORED}


@pytest.mark.parametrize(
    ("word", "late", "told"),
    [
        (Word.WORSE, 0, "A false alarm, after 20 s: errors as before."),
        (Word.VERIFIED, 0, "Errors as before, after 20 s."),
        (Word.WATCHING, 900, "Inconclusive after 15 min."),
    ],
)
def test_each_word_ends_a_placebo_by_the_way_of_an_undo(word, late, told):
    """What it taught goes with it: the word, and the seconds since its first user."""
    below = live(1)
    change = placebo(2, below, Phase.VERIFYING, step=1)
    world = replace(WELL, share=0.5)
    decision = decide(facts(change, below, world=world, seen=reading(word), now=NOW + late))
    after = decision.change
    assert (after.phase, after.cause) == (Phase.RESTORING, Cause.PLACEBO)
    assert decision.acts == (GiveBack(),)
    assert after.because == f"Placebo, 1 beside 1. {told}"
    expected = Word.INCONCLUSIVE if late else word
    assert (after.taught.word, after.taught.seconds) == (expected, 20 + late)
    assert not after.made_room


def test_nothing_of_a_placebo_is_checked_reviewed_or_built():
    """It is what is live; so it says, and only its processes are prepared."""
    below = live(1)
    begun = decide(facts(placebo(2, below, Phase.PROPOSED), below))
    assert begun.acts == ()
    because = "Placebo, 1 beside 1. Nothing in it is new to check, review or build."
    assert begun.change.because == because
    done = Parts(checks=DONE, review=DONE, build=DONE)
    ready_to_go = placebo(2, below, Phase.GETTING_READY, parts=done)
    assert decide(facts(ready_to_go, below)).acts == (Prepare(),)


def test_what_the_keeper_or_a_person_ended_taught_nothing():
    """Its cause is theirs, and it is not owed once more."""
    below = live(1)
    fenced = replace(WELL, share=0.1, fenced="its lease ran out")
    after = decide(facts(placebo(2, below, Phase.ROLLING_OUT), below, world=fenced)).change
    assert (after.cause, after.taught, after.made_room) == (Cause.UNWATCHED, None, False)
    undone = placebo(2, below, Phase.ROLLING_OUT, undo=ORDER)
    after = decide(facts(undone, below, a_change(3, Phase.QUEUED))).change
    assert (after.cause, after.taught, after.made_room) == (Cause.PERSON, None, False)


@pytest.mark.parametrize("phase", sorted(UNEXPOSED))
def test_before_its_users_a_placebo_makes_room_for_any_change_on_its_way(phase):
    """It is withdrawn, and owed once more."""
    below = live(1)
    after = decide(facts(placebo(2, below, phase), below, a_change(3))).change
    assert (after.phase, after.made_room) == (Phase.WITHDRAWN, True)
    assert after.because == "Placebo, 1 beside 1. It makes room for 3, which is on its way."
    assert after.stamps.ended_at == NOW


def test_a_placebo_stands_beside_what_is_live_or_not_at_all():
    """What it was to stand beside was undone or overtaken while it got ready."""
    below, now_live = live(1), live(2)
    after = decide(facts(placebo(3, below, Phase.QUEUED), below, now_live)).change
    assert after.phase is Phase.WITHDRAWN
    assert "2, which is live now" in after.because


def test_in_the_lane_a_placebo_comes_last_and_a_fix_first():
    """Whatever their numbers."""
    below = live(1)
    bad = a_change(2, Phase.RESTORED, cause=Cause.HARM)
    fix = a_change(5, Phase.QUEUED, intent=Intent("fix", fixes=2))
    waiting = (placebo(3, below, Phase.QUEUED), a_change(4, Phase.QUEUED), fix)
    lane = lane_of("shop", (below, bad, *waiting), None)
    assert [one.number for one in lane.waiting] == [5, 4, 3]


def test_what_comes_before_a_placebo_is_said():
    """Each thing that keeps one from beginning, in words; and nothing on an idle lane."""
    below = live(1)
    soaking = replace(below, stamps=replace(below.stamps, soak_until=NOW + 60))
    bad = a_change(2, Phase.RESTORED, cause=Cause.HARM)
    hold = Hold("Bo", "market day", NOW)
    for changes, held, first in [
        ((), None, "something live to stand beside"),
        ((below, bad), None, "the fix of 2"),
        ((below,), hold, "the end of the hold by Bo"),
        ((below, exposed(2)), None, "2, which is on its way"),
        ((below, a_change(2)), None, "2, which is on its way"),
        ((soaking,), None, "the end of the soak of 1"),
        ((below,), None, None),
        ((below, placebo(2, below, Phase.QUEUED)), None, None),
    ]:
        assert comes_before_a_placebo(lane_of("shop", changes, held), NOW) == first


def test_a_placebo_keeps_no_build_and_lets_none_go():
    """It runs that of what is live; the last one that was really restored stays to be looked at."""
    below = live(1)
    stamps = replace(below.stamps, restored_at=NOW - 50)
    bad = a_change(2, Phase.RESTORED, cause=Cause.HARM, stamps=stamps)
    stamps = replace(below.stamps, restored_at=NOW - 10)
    over = replace(placebo(3, below, Phase.RESTORED), stamps=stamps, cause=Cause.PLACEBO)
    assert over.built_as == 1
    assert to_keep_built((below, bad, over)) == {1, 2}
