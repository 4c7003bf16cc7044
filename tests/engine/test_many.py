"""Many changes at once: the one before users never waits for those behind it."""

from dataclasses import replace

from engine_world import BO, World

from surefoot.domain.lane import lane_of
from surefoot.domain.lifecycle import Phase
from surefoot.engine.run import NEAR


async def test_a_long_queue_is_begun_from_its_front(world: World):
    """Those behind are written down, keep their place, and can be withdrawn at once."""
    await world.open()
    await world.desk.hold("shop", BO, "a long talk")
    numbers = [await world.ship(f"change {index}") for index in range(40)]
    await world.live(60)
    begun = [n for n in numbers if world.change(n).phase is not Phase.PROPOSED]
    assert begun == numbers[:NEAR]
    assert (await world.desk.change(numbers[-1])).position == 40
    await world.undo(numbers[-1])
    await world.until_phase(numbers[-1], Phase.WITHDRAWN, within=5)
    await world.desk.resume("shop", BO, "done")
    for number in numbers[:3]:
        assert (await world.until_settled(number)).phase is Phase.VERIFIED
    assert world.change(numbers[NEAR + 1]).phase is Phase.GETTING_READY


async def test_each_look_decides_a_few(world: World):
    """However many wait, and all of them in turn."""
    await world.open()
    await world.desk.hold("shop", BO, "a long talk")
    numbers = [await world.ship(f"change {index}") for index in range(60)]
    run = world.run()
    for number in numbers:
        run.changes[number] = replace(run.changes[number], phase=Phase.GETTING_READY)
    looks = [set(run.to_decide()) for _ in range(12)]
    assert all(len(look) <= 2 * NEAR + 2 for look in looks)
    assert set(numbers) <= set().union(*looks)


async def test_the_lane_is_read_off_again_when_a_change_is_another(world: World):
    """What is remembered is what one would find now."""
    await world.open()
    run = world.run()
    for _ in range(3):
        number = await world.ship("a change")
        assert run.lane is run.lane
        assert run.lane == lane_of("shop", tuple(run.changes.values()), None)
        await world.until_settled(number)
    await world.desk.hold("shop", BO, "x")
    assert run.lane.hold is not None
    assert run.lane == lane_of("shop", tuple(run.changes.values()), run.lane.hold)
