"""What services do to those who watch them: pages that fall silent, releases that die."""

from engine_world import NO_REVIEW, OWN, World

from surefoot.domain.lifecycle import Phase

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
