"""The daemon ends in every phase and comes back: nothing is lost, and the lane is held once."""

import asyncio
from random import Random

import pytest
from engine_world import ANA, BO, NO_REVIEW, World, manifest

from surefoot.domain.change import Cause, Intent
from surefoot.domain.lifecycle import Phase
from surefoot.engine.control import ShipOrder
from surefoot.testing import Behaviour


@pytest.mark.parametrize(
    "phase",
    [
        Phase.PROPOSED,
        Phase.GETTING_READY,
        Phase.QUEUED,
        Phase.ROLLING_OUT,
        Phase.VERIFYING,
        Phase.VERIFIED,
    ],
)
async def test_a_new_daemon_takes_a_change_on_from_where_it_was(world: World, phase: Phase):
    """Three seconds without a daemon, in any phase, and the change is verified all the same."""
    await world.open()
    if phase is Phase.QUEUED:
        await world.desk.hold("shop", BO, "to look at it there")
    number = await world.ship()
    await world.until_phase(number, phase, within=200)
    before = world.change(number)
    await world.end()
    await world.live(3)
    await world.up()
    assert world.change(number).phase is before.phase
    await world.desk.resume("shop", BO, "seen")
    assert world.change(number).stamps.proposed_at == before.stamps.proposed_at
    change = await world.until_settled(number)
    assert change.phase is Phase.VERIFIED, change.because
    await world.live(2)
    assert world.share(number) == 1.0
    kinds = [entry.kind for entry in await world.ledger(number)]
    assert kinds.count("rolling_out") == 1
    assert kinds.count("verified") == 1


async def test_what_rollouts_told_is_known_after_a_restart(world: World):
    """The next change needs no new minute of the live release's own figures, nor a new phi."""
    await world.open()
    first = await world.ship()
    assert (await world.until_settled(first)).phase is Phase.VERIFIED
    before = world.run().watch.history
    await world.end()
    await world.live(5)
    await world.up()
    await world.live(1)
    after = world.run().watch.history
    assert after.seconds >= 60
    assert after.p("errors") == pytest.approx(before.p("errors"), rel=0.5)
    assert after.rate("errors") == pytest.approx(200, rel=0.1)
    assert len(after._pairs[0]) == len(before._pairs[0])
    number = await world.ship("another")
    assert await world.until_phase(number, Phase.ROLLING_OUT, Phase.VERIFYING, within=20) < 20


async def test_evidence_that_cannot_be_read_keeps_no_service_from_coming_back(world: World):
    """Somebody edited the file: its past is unknown, and all else goes on."""
    await world.open()
    first = await world.ship()
    await world.until_settled(first)
    await world.end()
    (world.home / "services" / "shop" / "evidence" / f"{first}.jsonl").write_text("no evidence\n")
    await world.up()
    await world.live(2)
    assert world.run().watch.history.seconds < 10
    assert world.run().lane.live.number == first
    assert (await world.until_settled(await world.ship("another"))).phase is Phase.VERIFIED


async def test_harm_is_still_found_after_a_restart(world: World):
    """The harmed of before the restart are counted too."""
    await world.open()
    number = await world.ship("a slip", Behaviour(errors=0.08))
    await world.until_phase(number, Phase.ROLLING_OUT, within=100)
    await world.live(8)
    counted = world.production.counted("shop", number).bad
    await world.end()
    await world.live(1)
    await world.up()
    change = await world.until_settled(number)
    assert change.cause is Cause.HARM
    assert change.harm.harmed >= counted > 0


async def test_a_restart_in_the_middle_of_the_way_back_still_ends_as_restored(world: World):
    """The order stands, the bad release is ended, and the proof is made by the new daemon."""
    await world.open()
    number = await world.ship("a slip", Behaviour(errors=0.3))
    await world.until_phase(number, Phase.RESTORING, within=100)
    await world.end()
    await world.live(2)
    await world.up()
    change = await world.until_settled(number, within=60)
    assert (change.phase, change.cause) == (Phase.RESTORED, Cause.HARM)
    assert "the metric is back in its band" in change.because
    assert await world.target.running("shop") == (0,)


async def test_an_undo_ordered_just_before_the_end_is_carried_out_by_the_next(world: World):
    """An order that was answered is never lost."""
    await world.open()
    number = await world.ship()
    await world.until_phase(number, Phase.ROLLING_OUT, within=100)
    await world.undo(number)
    await world.end()
    await world.up()
    change = await world.until_settled(number, within=30)
    assert (change.phase, change.cause) == (Phase.RESTORED, Cause.PERSON)


@pytest.mark.parametrize("phase", [Phase.ROLLING_OUT, Phase.VERIFYING])
async def test_a_share_that_was_not_kept_yet_is_known_after_a_restart(world: World, phase: Phase):
    """A daemon that ends in the second of a new share loses no sight: harm is found within 15 s."""
    await world.open()
    number = await world.ship()
    async with asyncio.timeout(200):
        while world.change(number).phase is not phase or not world.run().watch.exposure.pending:
            await world.clock.sleep(0.002)
    await world.end()
    await world.up()
    world.production.behave("shop", number, Behaviour(errors=0.5))
    await world.until_phase(number, Phase.RESTORING, Phase.RESTORED, within=15)


async def test_a_service_comes_back_on_its_live_release_after_a_reboot(world: World):
    """Nothing runs; the live release is started before any change is looked at."""
    await world.open()
    number = await world.ship()
    await world.until_settled(number)
    await world.end()
    for release in await world.target.running("shop"):
        await world.target.stop("shop", release)
    await world.up()
    await world.until(lambda: world.run().decided_at > 0, within=20)
    assert number in await world.target.running("shop")
    assert world.run().lane.live.number == number


async def test_a_reboot_in_the_start_watch_of_the_first_release(world: World):
    """It is started again and adopted, and not held to account for the host."""
    await world.open(service="till", port=8090)  # a world with a service that lives
    text = manifest("shop", 8080, NO_REVIEW)
    world.tips["shop"] = world.scm.commit("shop", "first", {"surefoot.toml": text}, by=ANA)
    await world.desk.register("shop", "", text, ANA)
    order = ShipOrder("shop", world.tips["shop"], Intent("first"), adopt=True)
    number = (await world.desk.ship(order, ANA)).number
    await world.until(lambda: world.change(number, "shop").stamps.exposed_at, within=20)
    await world.live(5)
    await world.end()
    for release in await world.target.running("shop"):
        await world.target.stop("shop", release)
    await world.live(60)
    await world.up()
    await world.until(
        lambda: world.change(number, "shop").phase in {Phase.ADOPTED, Phase.REJECTED}, within=60
    )
    assert world.change(number, "shop").phase is Phase.ADOPTED
    assert number in await world.target.running("shop")


async def test_nobody_hears_of_a_state_before_it_is_written_down(world: World):
    """What was told and is gone after a crash would never have been true."""
    await world.open()
    number = await world.ship()
    await world.until_phase(number, Phase.GETTING_READY, within=5)
    world.store.faults.slow(3.0, "save")
    kept = world.store._changes
    for _ in range(40):
        await world.clock.sleep(0.5)
        phase = world.change(number).phase
        assert phase is kept["shop", number].phase
        if phase is Phase.ROLLING_OUT:
            break
    else:
        raise AssertionError(f"it never met a user: {world.told()}")
    world.store.faults.heal()
    await world.until_settled(number)


@pytest.mark.parametrize("seed", range(8))
async def test_killed_again_and_again_it_still_ends_well(world: World, seed: int):
    """Any moments, any pauses: verified or given back unwatched, and users are always served."""
    dice = Random(seed)
    await world.open(per_s=100)
    good = await world.ship("good")
    bad = await world.ship("bad", Behaviour(errors=0.4))
    for _ in range(12):
        await world.live(dice.uniform(0.0, 20.0))
        await world.end()
        await world.live(dice.choice([0.0, 0.5, 3.0, 12.0]))
        await world.up()
    await world.until_settled(good)
    await world.live(300)
    assert world.change(bad).phase is not Phase.VERIFIED
    assert world.share(bad) == 0
    assert world.production.unanswered("shop") == 0
