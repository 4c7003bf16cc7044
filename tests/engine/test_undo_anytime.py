"""Undo works in every phase, by anybody, and twice is the same as once."""

import pytest
from engine_world import BO, CY, World

from surefoot.domain.change import Cause
from surefoot.domain.errors import NotFound, Refused
from surefoot.domain.lifecycle import Phase
from surefoot.ports import Finished


async def test_what_is_withdrawn_is_not_checked_any_further(world: World):
    """Its commands end with it, and nothing is written down of them afterwards."""
    await world.open()
    for argv in (("unit",), ("build",)):
        world.checks.end(argv, Finished(ok=True, code=0, seconds=100.0, said=""))
    number = await world.ship()
    await world.until(lambda: len(world.run().jobs) == 2, within=20)
    await world.undo(number)
    await world.until_phase(number, Phase.WITHDRAWN, within=5)
    await world.live(1)
    assert not world.run().jobs
    await world.live(120)
    assert (await world.ledger(number))[-1].kind == "withdrawn"


async def test_undoing_a_first_release_undoes_nothing_beside_it(world: World):
    """Each service has its 0, told by the service; what is exposed upon it is not meant."""
    await world.open()
    await world.open("store", port=8081)
    number = await world.ship()
    await world.until_phase(number, Phase.ROLLING_OUT, within=60)
    with pytest.raises(NotFound, match="Several services have a 0"):
        await world.desk.undo(0, BO, "")
    with pytest.raises(Refused, match="no release before 0"):
        await world.desk.undo(0, BO, "", "shop")
    assert world.change(number).undo is None
    await world.live(5)
    assert world.share(number) > 0


@pytest.mark.parametrize("phase", [Phase.GETTING_READY, Phase.QUEUED])
async def test_before_any_user_undo_withdraws(world: World, phase: Phase):
    """No user met it, so there is nothing to restore; its release does not stay."""
    await world.open()
    await world.ship("holds the lane")
    number = await world.ship("is undone")
    await world.until_phase(number, phase, within=60)
    status = await world.undo(number)
    assert status.number == number
    await world.until_phase(number, Phase.WITHDRAWN, within=5)
    assert "Bo" in world.change(number).because
    assert world.share(number) == 0
    await world.live(5)
    assert number not in await world.target.running("shop")


@pytest.mark.parametrize("phase", [Phase.ROLLING_OUT, Phase.VERIFYING])
async def test_in_front_of_users_undo_gives_back_at_once(world: World, phase: Phase):
    """The share is zero within a tenth of a second of the order."""
    await world.open()
    number = await world.ship()
    await world.until_phase(number, phase, within=200)
    await world.live(2)
    await world.undo(number)
    await world.clock.sleep(0.1)
    assert world.share(number) == 0
    change = await world.until_settled(number, within=30)
    assert (change.phase, change.cause) == (Phase.RESTORED, Cause.PERSON)
    assert world.share(0) == 1.0
    assert world.run().lane.harmful == ()


async def test_in_the_soak_undo_goes_to_the_warm_release(world: World):
    """All users are back on the old release within a tenth of a second."""
    await world.open()
    number = await world.ship()
    await world.until_settled(number)
    await world.live(30)
    await world.undo(number)
    await world.clock.sleep(0.1)
    assert world.share(0) == 1.0
    await world.until_phase(number, Phase.RESTORED, within=30)


async def test_after_the_soak_undo_starts_the_old_release_again(world: World):
    """It was ended to make room; it is started, and takes all users when it is healthy."""
    await world.open()
    number = await world.ship()
    await world.until_settled(number)
    await world.live(700)
    assert await world.target.running("shop") == (number,)
    assert "must start" in (await world.desk.change(number)).undo.says
    await world.undo(number)
    await world.until_phase(number, Phase.RESTORED, within=30)
    assert world.share(0) == 1.0
    assert world.production.unanswered("shop") == 0


async def test_a_second_undo_by_another_member_changes_nothing(world: World):
    """It says where the change is; the first order stays on record."""
    await world.open()
    number = await world.ship()
    await world.until_phase(number, Phase.ROLLING_OUT, within=100)
    await world.undo(number, BO)
    await world.undo(number, CY)
    await world.until_phase(number, Phase.RESTORED, within=30)
    before = world.store.everything()
    status = await world.undo(number, CY)
    assert status.phase == "restored"
    assert world.store.everything() == before
    assert world.change(number).undo.by == BO
    assert [one.kind for one in await world.ledger(number)].count("undo") == 1


async def test_undoing_what_stands_under_an_exposed_change_carries_that_back_too(world: World):
    """One order: all users to the release under both, and the upper one is no suspect."""
    await world.open()
    lower = await world.ship("lower")
    upper = await world.ship("upper")
    await world.until_settled(lower)
    await world.until_phase(upper, Phase.ROLLING_OUT, within=100)
    await world.live(3)
    await world.undo(lower)
    await world.clock.sleep(0.2)
    assert world.share(0) == 1.0
    await world.until_phase(lower, Phase.RESTORED, within=60)
    await world.until_phase(upper, Phase.RESTORED, within=60)
    assert world.change(upper).cause is Cause.CARRIED
    assert world.change(lower).cause is Cause.PERSON
    await world.live(10)
    assert world.run().lane.live.number == 0
    assert await world.target.running("shop") == (0,)


async def test_an_undo_by_service_means_what_is_exposed_and_then_what_is_live(world: World):
    """Nobody has to know a number; typed twice, it does not take the good release away too."""
    await world.open()
    first = await world.ship("first")
    await world.until_settled(first)
    second = await world.ship("second")
    await world.until_phase(second, Phase.ROLLING_OUT, within=100)
    assert (await world.desk.undo_service("shop", BO, "")).number == second
    await world.until_phase(second, Phase.RESTORED, within=30)
    await world.live(2)
    assert (await world.desk.undo_service("shop", CY, "I see errors too")).number == second
    assert world.share(first) == 1.0
    await world.live(60)
    assert (await world.desk.undo_service("shop", BO, "")).number == first
    await world.until_phase(first, Phase.RESTORED, within=30)
    await world.live(61)
    with pytest.raises(Refused, match="no release before"):
        await world.desk.undo_service("shop", BO, "")


async def test_undo_while_a_check_runs_does_not_wait_for_it(world: World):
    """The check takes ten minutes; the order a moment."""
    await world.open()
    world.checks.end(("unit",), Finished(ok=True, code=0, seconds=600, said=""))
    number = await world.ship()
    await world.live(5)
    await world.undo(number)
    await world.until_phase(number, Phase.WITHDRAWN, within=2)
    await world.live(620)
    assert world.change(number).phase is Phase.WITHDRAWN


async def test_an_undone_change_can_be_shipped_again(world: World):
    """A person's undo makes no commit suspect: the lane is open."""
    await world.open()
    number = await world.ship()
    await world.until_phase(number, Phase.ROLLING_OUT, within=100)
    await world.undo(number)
    await world.until_phase(number, Phase.RESTORED, within=30)
    again = await world.ship("again", revision=world.change(number).revision)
    assert (await world.until_settled(again)).phase is Phase.VERIFIED


async def test_the_next_undo_does_not_wait_for_the_archive(world: World):
    """What users may be led back to after that is fetched beside it, however long that takes."""
    await world.open()
    for name in ("one", "two"):
        await world.until_settled(await world.ship(name))
    for method in ("last_live", "recall"):
        world.store.faults.slow(60, method)
    await world.undo(2)
    await world.until_phase(2, Phase.RESTORED, within=30)
    assert world.share(1) == 1.0
    await world.live(2)
    await world.undo(1)
    await world.until(lambda: world.share(0) == 1.0, within=15)
