"""The table of phases: what may follow, walked at random, and what never may."""

from hypothesis import given
from hypothesis import strategies as st
from people import a_change

from surefoot.domain.errors import IllegalMove
from surefoot.domain.lifecycle import (
    EXPOSED,
    FINAL,
    LIVE,
    TABLE,
    UNEXPOSED,
    Event,
    Phase,
    after,
    diagram,
)


@given(st.lists(st.sampled_from(Event), max_size=40))
def test_no_walk_becomes_verified_without_the_event_verify(events):
    """Whatever happens in whatever order, only a verdict makes a change verified."""
    change = a_change(1)
    for event in events:
        before = change
        try:
            change = change.moved(event, "because")
        except IllegalMove:
            assert change is before
        if change.phase is Phase.VERIFIED and before.phase is not Phase.VERIFIED:
            assert event is Event.VERIFY
            assert before.phase is Phase.VERIFYING


@given(st.sampled_from(Phase), st.sampled_from(Event))
def test_an_illegal_move_raises_and_changes_nothing(phase, event):
    """A change keeps every field when the table has no such arrow."""
    change = a_change(1, phase)
    copy = a_change(1, phase)
    try:
        moved = change.moved(event, "because")
    except IllegalMove:
        assert event not in TABLE[phase]
    else:
        assert moved.phase is TABLE[phase][event]
    assert change == copy


def test_every_phase_that_is_not_final_can_be_left_by_undo():
    """Undo is a legal event everywhere but at the end."""
    for phase in set(Phase) - FINAL:
        assert after(phase, Event.UNDO) in Phase


def test_undo_leads_to_an_end_from_everywhere():
    """From undo on, the table leads to restored or withdrawn, and cannot lead back to users."""
    for phase in set(Phase) - FINAL:
        reached = {after(phase, Event.UNDO)}
        for _ in Phase:
            reached |= {target for one in reached for target in TABLE[one].values()}
        assert reached & FINAL
        assert not reached & (LIVE | {Phase.ROLLING_OUT, Phase.VERIFYING, Phase.QUEUED})


def test_the_phases_fall_into_four_kinds():
    """Each phase is unexposed, exposed, live or final, and only one of them."""
    kinds = [UNEXPOSED, EXPOSED, LIVE, FINAL]
    assert frozenset().union(*kinds) == frozenset(Phase)
    assert sum(len(kind) for kind in kinds) == len(Phase)


def test_the_diagram_has_every_arrow_of_the_table():
    """What the docs draw is what the table says."""
    drawn = diagram()
    for phase, moves in TABLE.items():
        for event, target in moves.items():
            assert f"{phase} --> {target}: {event}" in drawn
