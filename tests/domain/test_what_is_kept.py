"""Which builds stay, whatever the order in which changes were settled."""

from dataclasses import replace

from people import NOW, a_change, exposed, live, ready

from surefoot.domain.lifecycle import Phase
from surefoot.domain.retention import to_keep_built


def restored(number, at):
    change = a_change(number, Phase.RESTORED)
    return replace(change, stamps=replace(change.stamps, restored_at=NOW + at))


def test_the_live_one_and_the_last_three_before_it_stay_built():
    """Three undos in a row need no build."""
    changes = tuple(live(number) for number in range(1, 9))
    assert to_keep_built(changes) == {8, 7, 6, 5}


def test_the_one_that_was_restored_last_stays_built():
    """Somebody will look into it; what was restored before it has been looked into."""
    changes = (live(1), restored(2, 30), restored(3, 40), restored(4, 20))
    assert to_keep_built(changes) == {1, 3}


def test_what_is_on_its_way_stays_built():
    """Whatever the phase, forward or back."""
    back = exposed(3, Phase.NOT_RESTORED)
    assert to_keep_built((live(1), back, ready(4), a_change(5))) == {1, 3, 4, 5}


def test_what_a_fix_carried_keeps_no_build_of_its_own():
    """It was built in the fix; the releases that really served are counted."""
    carried = tuple(live(number, carried_by=9) for number in range(5, 9))
    changes = (*(live(number) for number in range(1, 5)), *carried, live(9))
    assert to_keep_built(changes) == {9, 4, 3, 2}


def test_what_never_served_is_not_kept():
    """Withdrawn, rejected and applied ones leave their evidence alone, if they have any."""
    over = (Phase.WITHDRAWN, Phase.REJECTED, Phase.APPLIED)
    changes = (live(1), *(a_change(2 + index, phase) for index, phase in enumerate(over)))
    assert to_keep_built(changes) == {1}
