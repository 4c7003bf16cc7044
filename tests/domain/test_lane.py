"""The lane: who is live, who waits in which order, and what harm holds."""

from dataclasses import replace

from people import NOW, a_change, commit, exposed, live, ready

from surefoot.domain.change import Cause, Intent
from surefoot.domain.lane import lane_of, live_until, serving_at
from surefoot.domain.lifecycle import Phase


def restored(number, cause=Cause.HARM, fixes=None):
    change = a_change(number, Phase.RESTORED, cause=cause)
    return replace(change, intent=Intent("x", fixes=fixes))


def test_the_latest_live_change_is_live_and_the_one_before_can_serve_again():
    """Undoing the live one makes the one before it live, by reading the changes alone."""
    lane = lane_of("shop", (live(1), live(2), live(3)), None)
    assert lane.live.number == 3
    assert lane.before.number == 2
    undone = lane_of("shop", (live(1), live(2), replace(live(3), phase=Phase.RESTORING)), None)
    assert undone.live.number == 2
    assert undone.exposed.number == 3


def test_order_is_that_of_ship_and_a_fix_goes_first():
    """Nothing overtakes but what mends the harm that holds the lane."""
    fix = replace(a_change(5), intent=Intent("mend", fixes=2))
    lane = lane_of("shop", (live(1), restored(2), a_change(3), a_change(4), fix), None)
    assert [change.number for change in lane.waiting] == [5, 3, 4]
    assert lane.head().number == 5


def test_only_harm_makes_suspects():
    """A person's undo, silence or a host's trouble leaves the lane open."""
    for cause in set(Cause) - {Cause.HARM}:
        assert lane_of("shop", (live(1), restored(2, cause)), None).harmful == ()
    assert [one.number for one in lane_of("shop", (live(1), restored(2)), None).harmful] == [2]


def test_a_live_fix_clears_what_it_mends_and_its_failed_forerunners():
    """A failed fix adds its commits to the suspects; the one that holds clears them all."""
    failed = restored(3, fixes=2)
    held = lane_of("shop", (live(1), restored(2), failed), None)
    assert [one.number for one in held.harmful] == [2, 3]
    fix = replace(live(4), intent=Intent("mend", fixes=2))
    assert lane_of("shop", (live(1), restored(2), failed, fix), None).harmful == ()


def test_a_fix_of_what_is_mended_already_is_harm_of_its_own_when_it_fails():
    """What was mended before it came mends nothing that it did itself."""
    fix, late = replace(live(3), intent=Intent("mend", fixes=2)), restored(4, fixes=2)
    held = lane_of("shop", (live(1), restored(2), fix, late), None)
    assert [one.number for one in held.harmful] == [4]
    assert held.closed
    second = replace(live(5), intent=Intent("mend", fixes=4))
    assert lane_of("shop", (live(1), restored(2), fix, late, second), None).harmful == ()


def test_a_revert_is_known_as_a_fix_by_the_subject_git_gives_it():
    """`git revert` needs no trailer."""
    lane = lane_of("shop", (live(1), restored(2)), None)
    assert lane.reverted_by([replace(commit(9), subject='Revert "change 2"')]) == 2
    assert lane.reverted_by([replace(commit(9), subject="something else")]) is None


def test_at_most_four_releases_run():
    """Warm predecessor, live, exposed, and the one prepared head."""
    soaking = live(2, stamps=replace(live(2).stamps, soak_until=NOW + 60))
    lane = lane_of("shop", (live(1), soaking, exposed(3), ready(4), a_change(5)), None)
    assert lane.wanted(NOW) == {1, 2, 3, 4}
    calm = lane_of("shop", (live(1), live(2)), None)
    assert calm.wanted(NOW) == {2}


def lived(number, since, left=None):
    change = live(number) if left is None else a_change(number, Phase.RESTORED)
    stamps = replace(change.stamps, live_at=since, undo_at=left, given_back_at=left)
    return replace(change, stamps=stamps)


def test_who_served_users_at_a_time_is_known_from_the_changes_alone():
    """A release that an undo brought back serves again from that moment on."""
    first, undone, third = lived(1, 100.0), lived(2, 200.0, left=250.0), lived(3, 300.0)
    changes = (first, undone, third, a_change(4))
    served = [serving_at(changes, at) for at in (99, 100, 220, 250, 299, 300, 999)]
    assert [one.number if one else None for one in served] == [None, 1, 2, 1, 1, 3, 3]
    assert [live_until(changes, one) for one in changes] == [300.0, 250.0, None, None]
    assert live_until((first, undone), first) is None
