"""Stores, proxies and releases that do not do their part: giving back waits for none of them."""

import asyncio
import resource

import pytest
from engine_world import World

from surefoot.domain.change import Cause
from surefoot.domain.errors import OutsideFailed
from surefoot.domain.lifecycle import Phase
from surefoot.engine.evidence import read_evidence
from surefoot.ports import Routes
from surefoot.testing import Behaviour, MemoryKeeper


async def test_undo_does_not_wait_for_a_locked_store(world: World):
    """Users are back at once; the ledger is complete when the store is."""
    await world.open()
    number = await world.ship()
    await world.until_phase(number, Phase.ROLLING_OUT, within=100)
    await world.live(5)
    world.store.faults.fail_for(60, "save")
    began = world.clock.boottime()
    await world.undo(number)
    assert world.share(number) == 0
    assert world.clock.boottime() - began < 2
    await world.live(30)
    assert number not in await world.target.running("shop")
    await world.live(35)
    assert world.store._changes["shop", number] == world.change(number)
    assert world.change(number).phase is Phase.RESTORED
    kinds = [entry.kind for entry in await world.ledger(number)]
    assert kinds[-3:] == ["undo", "restoring", "restored"]


async def test_undo_does_not_wait_for_a_slow_store(world: World):
    """A disk that takes five seconds for each write costs the users none of them."""
    await world.open()
    number = await world.ship()
    await world.until_phase(number, Phase.ROLLING_OUT, within=100)
    await world.live(3)
    world.store.faults.slow(5.0, "save")
    ordered = asyncio.create_task(world.undo(number))
    await world.clock.sleep(0.2)
    assert world.share(number) == 0
    await ordered
    world.store.faults.heal()
    assert (await world.until_settled(number, within=60)).cause is Cause.PERSON


async def test_an_order_outlives_a_locked_store_and_the_daemon(world: World):
    """Undone while nothing can be written down; killed then; who ordered it is still known."""
    await world.open()
    number = await world.ship()
    await world.until_phase(number, Phase.ROLLING_OUT, within=100)
    await world.live(3)
    world.store.faults.fail_for(30, "save")
    await world.undo(number)
    assert world.share(number) == 0
    await world.end()
    await world.live(40)
    await world.up()
    assert (await world.until_settled(number, within=60)).cause is Cause.PERSON
    assert [entry.kind for entry in await world.ledger(number)].count("undo") == 1


async def test_harm_does_not_wait_for_a_locked_store(world: World):
    """The verdict's order is carried out first and written down as soon as that goes."""
    await world.open()
    number = await world.ship()
    await world.until_phase(number, Phase.ROLLING_OUT, within=100)
    await world.live(5)
    world.store.faults.fail_for(60, "save")
    world.production.behave("shop", number, Behaviour(errors=0.5))
    await world.until(lambda: world.share(number) == 0, within=15)
    await world.live(70)
    change = world.change(number)
    assert (change.phase, change.cause) == (Phase.RESTORED, Cause.HARM)
    assert world.store._changes["shop", number] == change
    kinds = [entry.kind for entry in await world.ledger(number)]
    assert kinds[-2:] == ["restoring", "restored"]


class LateKeeper(MemoryKeeper):
    """Puts an exposed change's routes in place, and is so slow that its first answer is lost."""

    lost: int = 0

    def set(self, routes: Routes, lease_s: float) -> None:
        """As any keeper does."""
        super().set(routes, lease_s)
        if routes.change is not None and self.lost == 0:
            self.lost += 1
            raise OutsideFailed("The keeper did not answer in time.")


async def test_a_share_is_judged_although_the_answer_to_its_order_was_lost(world: World):
    """What the proxy says counts: users meet the change, so harm is found within 15 s."""
    await world.end()
    world.keeper = LateKeeper(world.production, world.clock)
    await world.up()
    await world.open()
    number = await world.ship("a slip", Behaviour(errors=0.5))
    await world.until_phase(number, Phase.ROLLING_OUT, within=100)
    await world.until_phase(number, Phase.RESTORING, Phase.RESTORED, within=15)
    assert world.keeper.lost == 1
    assert world.change(number).cause is Cause.HARM


async def test_a_verdict_outlives_a_full_disk_and_the_daemon(world: World):
    """Neither the store nor the evidence can be written; killed then, its harm is still known."""
    await world.open()
    number = await world.ship()
    await world.until_phase(number, Phase.ROLLING_OUT, within=100)
    await world.live(5)
    file = world.run().watch.evidence(number)
    kept = file.read_bytes()
    world.store.faults.fail_for(60, "save")
    world.production.behave("shop", number, Behaviour(errors=0.5))
    await world.until(lambda: world.share(number) == 0, within=15)
    await world.end()
    file.write_bytes(kept)  # what a full disk leaves of it
    await world.live(60)
    await world.up()
    change = await world.until_settled(number, within=60)
    assert (change.phase, change.cause) == (Phase.RESTORED, Cause.HARM)
    assert [one.kind for one in await world.ledger(number)].count("restoring") == 1


async def test_harm_is_found_although_the_evidence_cannot_be_kept(world: World):
    """A full disk blinds nobody; what was kept before it is whole."""
    await world.open()
    number = await world.ship()
    await world.until_phase(number, Phase.ROLLING_OUT, within=100)
    await world.live(5)
    file = world.run().watch.evidence(number)
    kept = file.read_bytes()
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (len(kept) + 300, limits[1]))
    try:
        world.production.behave("shop", number, Behaviour(errors=0.5))
        await world.until(lambda: world.share(number) == 0, within=15)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert world.change(number).cause is Cause.HARM
    after = file.read_bytes()
    assert after.startswith(kept)
    plan, rows = read_evidence(file)
    assert plan.errors
    assert rows


async def test_nothing_is_exposed_that_could_not_be_written_down(world: World):
    """A locked store holds up the first user, not the way back."""
    await world.open()
    number = await world.ship()
    await world.until_phase(number, Phase.QUEUED, Phase.GETTING_READY, within=20)
    world.store.faults.fail_for(60, "save")
    await world.live(55)
    assert world.share(number) == 0
    assert (await world.until_settled(number)).phase is Phase.VERIFIED


async def test_a_first_share_that_never_comes_is_stuck(world: World):
    """Ten tries in a row, then it is over; no user met it."""
    await world.open()
    number = await world.ship()
    world.keeper.faults.fail("route")
    await world.until_phase(number, Phase.ROLLING_OUT, within=100)
    change = await world.until_settled(number, within=60)
    assert (change.phase, change.cause) == (Phase.RESTORED, Cause.UNWATCHED)
    assert world.production.counted("shop", number).answered == 0


async def test_a_driver_that_cannot_decide_does_not_hold_the_lease_for_ever(world: World):
    """The watch alone must not keep users on a change that nobody can take back."""
    await world.open()
    number = await world.ship()
    await world.until_phase(number, Phase.ROLLING_OUT, within=100)
    await world.live(3)
    world.target.faults.fail("look")
    await world.live(45)
    assert world.share(number) == 0
    world.target.faults.heal()
    change = await world.until_settled(number, within=30)
    assert change.cause is Cause.UNWATCHED


async def test_no_healthy_release_to_go_back_to_is_not_restored_until_there_is(world: World):
    """After 90 s people are called; the machine keeps trying and ends as restored."""
    await world.open()
    number = await world.ship()
    await world.until_phase(number, Phase.ROLLING_OUT, within=100)
    await world.live(3)
    world.production.behave("shop", 0, Behaviour(healthy=False))
    await world.undo(number)
    await world.until_phase(number, Phase.NOT_RESTORED, within=100)
    assert (await world.desk.change(number)).exit_code == 20
    world.production.behave("shop", 0, Behaviour())
    await world.until_phase(number, Phase.RESTORED, within=30)


async def test_a_check_that_cannot_be_run_is_tried_again(world: World):
    """What stands outside failed, so the change is not rejected for it."""
    await world.open()
    world.checks.faults.fail("run", times=3)
    number = await world.ship()
    assert (await world.until_settled(number)).phase is Phase.VERIFIED


async def test_a_slow_proxy_does_not_stop_the_service(world: World):
    """Each order takes a second; the change is verified all the same."""
    await world.open()
    world.keeper.faults.slow(1.0, "route")
    number = await world.ship()
    assert (await world.until_settled(number)).phase is Phase.VERIFIED


@pytest.mark.parametrize("is_live", [True, False])
async def test_a_release_that_cannot_be_ended_is_tried_once_a_second(
    world: World, caplog: pytest.LogCaptureFixture, *, is_live: bool
):
    """A supervisor that does not answer costs no core, after a soak or on the way back."""
    await world.open()
    number = await world.ship()
    if is_live:
        await world.until_settled(number)
        await world.live(595)
    else:
        await world.until_phase(number, Phase.ROLLING_OUT, within=100)
    world.target.faults.fail("stop")
    if not is_live:
        await world.undo(number)
    await world.live(15)
    tried = [one for one in caplog.records if "'stop' did not succeed" in one.getMessage()]
    assert 2 <= len(tried) <= 20
