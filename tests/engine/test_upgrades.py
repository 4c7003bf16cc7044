"""An older Surefoot beside what a newer one wrote: parked, said aloud, nothing lost."""

import pytest
from engine_world import ANA, BO, NO_REVIEW, World

from surefoot.domain.change import Change, Intent
from surefoot.domain.errors import Refused
from surefoot.domain.lifecycle import Phase
from surefoot.engine.control import ShipOrder
from surefoot.testing import Behaviour

REVIEWED = f'[team]\nmembers = ["{ANA}", "{BO}"]\nreview = "before"\n'
REACHED = {
    Phase.GETTING_READY: REVIEWED,
    Phase.ROLLING_OUT: NO_REVIEW,
    Phase.VERIFYING: NO_REVIEW,
    Phase.RESTORING: NO_REVIEW,
    Phase.VERIFIED: NO_REVIEW,
    Phase.RESTORED: NO_REVIEW,
}


async def in_phase(world: World, phase: Phase) -> Change:
    """A change of that phase, in a service of its own."""
    await world.open(more=REACHED[phase])
    harmful = phase in {Phase.RESTORING, Phase.RESTORED}
    number = await world.ship("a change", Behaviour(errors=0.5) if harmful else None)
    await world.until_phase(number, phase, within=600)
    return world.change(number)


@pytest.mark.parametrize("phase", REACHED)
async def test_what_a_newer_surefoot_wrote_is_parked_and_goes_on_later(world: World, phase: Phase):
    """Whatever phase it is in: nobody decides, users stay served, and nothing is lost."""
    before = await in_phase(world, phase)
    await world.end()
    world.store.park("shop", before.number)
    await world.up()
    await world.live(60)
    status = await world.desk.service("shop")
    assert "Parked: a newer Surefoot wrote" in status.sentence
    assert {one.name: one.ok for one in await world.desk.doctor()}["shop"] is False
    planned = ShipOrder("shop", world.commit("planned"), Intent("planned"))
    for order in (
        world.desk.plan(planned, BO),
        world.desk.hold("shop", BO, "x"),
        world.desk.undo_service("shop", BO, "x"),
        world.ship("another", revision=world.commit("another")),
    ):
        with pytest.raises(Refused, match="parked"):
            await order
    asked = world.production.counted("shop", 0).answered
    await world.live(5)
    live = 0 if phase is not Phase.VERIFIED else before.number
    assert world.production.counted("shop", live).answered > (asked if live == 0 else 0)
    assert world.share(before.number) in {0.0, 1.0}  # a canary that nobody watches is given back
    await world.end()
    world.store.unpark()
    await world.up()
    await world.live(30)
    after = world.change(before.number)
    assert after.revision == before.revision
    if phase in {Phase.ROLLING_OUT, Phase.VERIFYING}:
        assert after.phase is Phase.RESTORED
    if phase is Phase.VERIFIED:
        assert after.phase is Phase.VERIFIED
        following = await world.ship("next", revision=world.commit("next", on=after.revision))
        assert (await world.until_settled(following)).phase is Phase.VERIFIED


async def test_a_number_that_cannot_be_read_is_not_given_again(world: World):
    """Changes are numbered across services, the parked ones too."""
    await world.open()
    number = await world.ship("a change")
    await world.until_settled(number)
    await world.end()
    world.store.park("shop", number)
    await world.up()
    await world.open(service="till", port=8090)
    assert await world.ship("of the other", service="till") > number
