"""A harmless change, from ship to verified, in virtual time."""

import pytest
from engine_world import NO_REVIEW, World

from surefoot.domain.lifecycle import Phase


async def test_a_harmless_change_is_verified(world: World):
    """It climbs its steps by evidence, takes all users, and the old release stays warm."""
    await world.open()
    number = await world.ship()
    change = await world.until_settled(number)
    assert change.phase is Phase.VERIFIED, change.because
    assert "at most" in change.verdict
    await world.live(2)
    assert world.share(number) == 1.0
    assert set(await world.target.running("shop")) == {0, number}
    await world.live(700)
    assert await world.target.running("shop") == (number,)


async def test_the_times_of_the_phases_add_up_to_the_wall_time(world: World):
    """From proposed to verified no second is lost."""
    await world.open()
    began = world.clock.now()
    number = await world.ship()
    await world.until_settled(number)
    wall = world.change(number).stamps.live_at - began
    times = (await world.desk.change(number)).times
    phases = times.getting_ready_s + times.queued_s + times.exposed_to_verdict_s
    assert phases == pytest.approx(wall, abs=1.0)
    assert times.commit_to_done_s == pytest.approx(wall, abs=1.0)


async def test_what_is_left_is_told_while_a_change_is_watched(world: World):
    """The forecast of the waiting change becomes what is left for it; a verdict ends both."""
    await world.open()
    number = await world.ship()
    await world.until_phase(number, Phase.ROLLING_OUT, within=120)
    await world.live(5)
    early = (await world.desk.change(number)).forecast
    await world.live(30)
    late = (await world.desk.change(number)).forecast
    for told in (early, late):
        assert told.startswith("If it is harmless, verified in about ")
        assert "nine in ten within" in told
    assert early != late
    await world.until_settled(number)
    assert (await world.desk.change(number)).forecast == ""


async def test_the_first_release_is_adopted_even_when_its_tip_is_the_manifest(world: World):
    """Describing the service to Surefoot is the usual last commit before `adopt`."""
    await world.open()
    adopted = world.change(0, "shop")
    assert adopted.diff.files == ("surefoot.toml",)
    assert adopted.phase is Phase.ADOPTED


@pytest.mark.parametrize(
    ("per_s", "more"),
    [(13.0, ""), (28.3, ""), (200.0, "[rollout]\nsteps = [0.1234567891, 0.5]\n")],
)
async def test_any_share_is_ordered_once_and_left_by_evidence(
    world: World, per_s: float, more: str
):
    """Traffic of any size, and shares that no proxy can have exactly."""
    await world.open(per_s=per_s, more=NO_REVIEW + more)
    number = await world.ship()
    change = await world.until_settled(number)
    assert change.phase is Phase.VERIFIED, change.because
    told = [entry for entry in await world.ledger(number) if entry.kind == "share"]
    ordered = [entry.data["share"] for entry in told if entry.data["share"] < 1]
    assert ordered == list(change.steps)
