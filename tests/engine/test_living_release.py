"""What services do to those who watch them: pages that fall silent, releases that die."""

import pytest
from engine_world import ANA, NO_REVIEW, OWN, World

from surefoot.domain.change import Cause, Intent, WaitCause
from surefoot.domain.errors import Refused
from surefoot.domain.lifecycle import Phase
from surefoot.domain.manifest import Address
from surefoot.engine.control import ShipOrder
from surefoot.testing import Behaviour

GUARDED = NO_REVIEW + OWN


async def test_a_page_that_lacks_a_guard_is_rejected_before_any_user(world: World):
    """What could not be seen is not shown to users; the reason names it, and the cure."""
    await world.open(more=GUARDED)
    world.daemon.telemetry.hidden.add("checkout_errors")
    number = await world.ship()
    change = await world.until_settled(number, within=60)
    assert change.phase is Phase.REJECTED
    assert "checkout_errors" in change.because
    assert "from its start" in change.because
    assert change.stamps.exposed_at is None


async def test_a_page_that_does_not_answer_is_asked_again_before_it_is_rejected(world: World):
    """One answer that is late rejects nothing; none at all does, and names the path."""
    await world.open(more=GUARDED)
    world.daemon.telemetry.faults.fail("names", 2)
    number = await world.ship()
    await world.until_phase(number, Phase.QUEUED, Phase.ROLLING_OUT, within=60)
    await world.undo(number)
    await world.until_settled(number, within=60)
    world.daemon.telemetry.faults.fail("names", 20)
    change = await world.until_settled(await world.ship("another"), within=60)
    assert change.phase is Phase.REJECTED


async def test_a_guard_that_falls_silent_holds_and_then_gives_back(world: World):
    """Its page stops answering while users meet it: a guard that nobody sees guards nothing."""
    await world.open(more=GUARDED)
    number = await world.ship()
    await world.until_phase(number, Phase.ROLLING_OUT, within=100)
    await world.live(3)
    world.daemon.telemetry.hidden.add("checkout_errors")
    share = world.share(number)
    await world.live(25)
    assert world.share(number) == share
    assert world.change(number).wait.cause is WaitCause.TELEMETRY
    change = await world.until_settled(number, within=20)
    assert (change.phase, change.cause) == (Phase.RESTORED, Cause.UNWATCHED)


async def test_the_old_releases_death_is_no_evidence_and_widens_nothing(world: World):
    """It is held while the old one comes back, told, and then verified: the change did no harm."""
    await world.open()
    number = await world.ship()
    await world.until_phase(number, Phase.ROLLING_OUT, within=100)
    await world.live(3)
    share = world.share(number)
    world.target.die("shop", 0)
    await world.live(2)
    assert world.change(number).wait.then == "it goes on when the old release is well again"
    assert world.share(number) == share
    assert (await world.until_settled(number)).phase is Phase.VERIFIED
    told = [entry for entry in await world.ledger(0) if entry.kind == "ended"]
    assert [entry.says for entry in told] == [
        "Instance 0 of 0, which serves users, ended by itself."
    ]


async def test_errors_of_a_dying_old_release_do_not_make_it_the_host(world: World):
    """It dies again and again, and fails its users meanwhile; nothing of it is the change's."""
    await world.open(more=NO_REVIEW)
    number = await world.ship()
    await world.until_phase(number, Phase.ROLLING_OUT, within=100)
    for _ in range(10):
        world.production.behave("shop", 0, Behaviour(errors=0.9))
        world.target.die("shop", 0)
        await world.live(3)
    world.production.behave("shop", 0, Behaviour())
    assert world.change(number).phase in {Phase.ROLLING_OUT, Phase.VERIFYING}
    assert (await world.until_settled(number)).phase is Phase.VERIFIED


async def test_an_undone_release_covers_for_a_dead_one_until_that_is_back(world: World):
    """Ended before, it would leave nobody to answer."""
    await world.open()
    number = await world.ship()
    await world.until_phase(number, Phase.ROLLING_OUT, within=100)
    await world.live(3)
    world.production.behave("shop", 0, Behaviour(healthy=False))
    await world.undo(number)
    await world.live(30)
    assert number in await world.target.running("shop")
    world.production.behave("shop", 0, Behaviour())
    await world.until_phase(number, Phase.RESTORED, within=30)
    await world.live(5)
    assert number not in await world.target.running("shop")


async def test_an_address_that_somebody_holds_is_refused_before_anything_starts(world: World):
    """Who holds it is said, by `plan` too; once it is free, the same order is taken."""
    listen = Address("127.0.0.1", 8080)
    world.target.taken[listen] = "process 4711 (python app.py)"
    with pytest.raises(Refused, match=r"127.0.0.1:8080: it is held by process 4711"):
        await world.open()
    assert await world.target.running("shop") == ()
    order = ShipOrder("shop", world.tips["shop"], Intent("first"), adopt=True)
    with pytest.raises(Refused, match="it is held by process 4711"):
        await world.desk.plan(order, ANA)
    world.target.taken.clear()
    assert (await world.desk.plan(order, ANA)).position == 1
    await world.desk.ship(order, ANA)


async def test_a_look_that_began_before_the_exposure_is_no_fact_of_it(world: World):
    """The processes of the live release, which soaks, are not taken for those of its successor."""
    await world.open()
    await world.until_settled(await world.ship("one"))
    world.daemon.telemetry.faults.slow(0.7, "look")
    for _ in range(4):
        change = await world.until_settled(await world.ship("next"))
        assert change.phase is Phase.VERIFIED, change.because


async def test_what_came_with_a_live_change_is_told_as_the_weaker_grade(world: World):
    """Once nothing is beside it, its rates are ranked among the differences of the past."""
    await world.open()
    await world.live(1500)
    number = await world.ship()
    await world.until_settled(number)
    assert (await world.desk.change(number)).before_after == ""  # it is too early to say
    await world.live(90)
    said = (await world.desk.change(number)).before_after
    assert said.startswith("Before and after, the weaker grade: errors")
    assert "such stretches without a change" in said
    assert (await world.desk.change(0)).before_after == ""
    other = await world.ship("another", Behaviour(errors=0.5))
    await world.until_settled(other)
    await world.live(90)
    assert (await world.desk.change(number)).before_after == ""  # another was before users since


async def test_what_came_with_a_change_is_not_told_of_the_release_below_it(world: World):
    """Once it is undone, the one before it is live again, and brought none of that."""
    await world.open()
    await world.live(1500)
    number = await world.ship()
    await world.until_settled(number)
    await world.live(700)
    assert (await world.desk.change(number)).before_after != ""
    await world.undo(number)
    await world.until_phase(number, Phase.RESTORED, within=60)
    assert (await world.desk.change(0)).before_after == ""


async def test_what_the_change_before_brought_is_no_stretch_without_a_change(world: World):
    """A minute after the second of two changes the first one's rise is not counted as chance."""
    await world.open()
    await world.live(1500)
    await world.until_settled(await world.ship("one"))
    await world.live(90)
    number = await world.ship("two")
    await world.until_settled(number)
    await world.live(90)
    assert (await world.desk.change(number)).before_after == ""  # too short a past of its own
