"""The control plane is stopped: what is exposed is given back, and users are not forgotten."""

import re

from engine_world import BO, World

from surefoot.domain.lifecycle import Phase


async def test_down_gives_back_what_is_exposed_and_leaves_users_served(world: World):
    """Sentences say both; the next daemon finds the change undone, and nothing is lost."""
    await world.open()
    number = await world.ship()
    await world.until_phase(number, Phase.ROLLING_OUT, within=100)
    said = await world.desk.down(BO)
    assert world.share(number) == 0
    assert f"{number} of shop is given back." in said
    assert "shop stays served by release 0." in said
    assert not world.desk.ends_all
    await world.end()
    await world.up()
    await world.until_phase(number, Phase.RESTORED, within=60)
    assert "surefoot down" in world.change(number).because


async def test_taking_users_off_the_air_is_on_record(world: World):
    """Whose, how many, and by whom; what was exposed is given back as well."""
    await world.open(per_s=50)
    number = await world.ship()
    await world.until_phase(number, Phase.ROLLING_OUT, within=100)
    said = await world.desk.down(BO, everything=True)
    assert world.share(number) == 0
    told = next(one for one in said if "off the air" in one)
    assert re.fullmatch(r"shop is taken off the air: \d\d\.\d requests/s had release 0\.", told)
    assert world.desk.ends_all
    last = (await world.store.entries(0, 1000, "shop"))[-1]
    assert (last.kind, last.by) == ("off_the_air", str(BO))


async def test_where_nobody_is_served_everything_ends(world: World):
    """A proxy without users is nobody's need."""
    await world.desk.down(BO)
    assert world.desk.ends_all


async def test_a_parked_service_is_served_by_what_this_version_cannot_read(world: World):
    """Its live release is unknown here, and is left alone all the same."""
    await world.open()
    await world.end()
    world.store.park("shop", 0)
    await world.up()
    await world.desk.down(BO)
    assert not world.desk.ends_all
