"""The invariants of an engine that is killed, frozen and lied to, each a test with its number.

The twelfth, that SQLite is written by one thread in whole transactions that are on the disk, is
shown on the real store: `tests/store`. What needs real processes is in `tests/crash`.
"""

import asyncio
import json

import pytest
from engine_world import BO, World

from surefoot.domain.change import Cause
from surefoot.domain.errors import Relieved, SurefootError
from surefoot.domain.lifecycle import EXPOSED, Phase
from surefoot.ports import Finished, InstanceFacts
from surefoot.testing import Behaviour, MemoryTarget


@pytest.mark.parametrize("moment", [0.0, 1.3, 2.6, 3.9, 4.6, 5.2])
async def test_1_no_lost_wake_up(world: World, moment: float):
    """Idle, it is looked at every five seconds; amid a look too, an order is not lost."""
    await world.open()
    number = await world.ship()
    await world.until_settled(number)
    world.target.faults.slow(0.1, "look")
    await world.live(20 + moment)
    assert not world.run().busy
    await world.undo(number)
    assert await world.until(lambda: world.share(0) == 1, within=2) <= 1.5


async def test_2_no_orphan(world: World):
    """A daemon that ends amid checks, build and start leaves work that the next one takes up."""
    await world.open()
    world.checks.end(("build",), Finished(ok=True, code=0, seconds=8.0, said=""))
    number = await world.ship()
    for _ in range(3):
        await world.live(5)
        assert world.run().jobs
        await world.end()
        await world.up()
    assert (await world.until_settled(number)).phase is Phase.VERIFIED


async def test_2_no_orphan_of_a_job_that_fails_for_a_while(world: World):
    """Nothing is owned by a job that failed: it is begun again."""
    await world.open()
    world.checks.faults.fail_for(20, "run")
    number = await world.ship()
    assert (await world.until_settled(number)).phase is Phase.VERIFIED


async def test_3_losing_the_database_is_normal(world: World):
    """Every loop outlives a minute without it: the watch goes on, and so does the lease."""
    await world.open()
    number = await world.ship()
    waiting = await world.ship("waiting")
    await world.until_phase(number, Phase.ROLLING_OUT, within=100)
    world.store.faults.fail_for(60)
    with pytest.raises(SurefootError, match="fault was injected"):
        await world.desk.hold("shop", BO, "cannot be written down")
    for _ in range(55):
        await world.live(1)
        assert world.share(number) > 0
        assert world.keeper.lease_left("shop") > 8
    assert (await world.until_settled(number)).phase is Phase.VERIFIED
    assert (await world.until_settled(waiting)).phase is Phase.VERIFIED


async def test_4_fence_everywhere(world: World):
    """A newer epoch gives the orders; the old daemon's are refused."""
    await world.open()
    number = await world.ship()
    await world.until_phase(number, Phase.ROLLING_OUT, within=100)
    old = world.daemon
    world.daemon = None
    await world.up()
    await world.live(3)
    old.driver.runs["shop"].wake.set()
    await world.live(3)
    for order in (
        old.driver.outside.traffic.route(world.keeper.routes("shop"), 10.0),
        old.driver.outside.traffic.renew("shop", number, 10.0),
        old.driver.outside.traffic.retire("shop"),
    ):
        with pytest.raises(Relieved):
            await order
    await old.driver.stop()
    assert (await world.until_settled(number)).phase is Phase.VERIFIED


async def test_5_observe_before_act(world: World):
    """Written down, and killed before the act: the next daemon reads the share, and converges."""
    await world.open()
    number = await world.ship()
    world.keeper.faults.slow(5.0, "route")
    await world.until_phase(number, Phase.ROLLING_OUT, within=100)
    assert world.share(number) == 0
    await world.end()
    world.keeper.faults.heal()
    await world.up()
    await world.until(lambda: world.share(number) == world.change(number).steps[0], within=3)
    assert (await world.until_settled(number)).phase is Phase.VERIFIED


async def test_5_observe_before_act_when_the_row_is_ahead(world: World):
    """What the proxy does counts, and not what was ordered: nothing is widened on a lost order."""
    await world.open()
    number = await world.ship()
    await world.until_phase(number, Phase.ROLLING_OUT, within=100)
    share = world.share(number)
    world.keeper.faults.slow(5.0, "route")
    await world.until_phase(number, Phase.VERIFYING, within=100)
    await world.end()
    world.keeper.faults.heal()
    assert world.share(number) == share
    await world.up()
    await world.until(lambda: world.share(number) == 0.5, within=3)
    assert (await world.until_settled(number)).phase is Phase.VERIFIED


async def test_6_an_interruption_is_a_gap_and_the_evidence_goes_on(world: World):
    """What was judged before counts, the time between is a gap, and time is not counted anew."""
    await world.open()
    number = await world.ship()
    await world.until_phase(number, Phase.ROLLING_OUT, within=100)
    await world.live(12)
    await world.end()
    file = world.home / "services" / "shop" / "evidence" / f"{number}.jsonl"
    before = file.read_text(encoding="utf-8")
    await world.live(4)
    await world.up()
    exposed_at = world.change(number).stamps.exposed_at
    await world.live(5)
    after = file.read_text(encoding="utf-8")
    assert after.startswith(before)
    rows = [json.loads(line) for line in after.splitlines()]
    gaps = [row["gap"] for row in rows if "gap" in row]
    assert gaps == [pytest.approx(4.5, abs=1.5)]
    assert rows[-1]["t"] == pytest.approx(world.clock.now() - exposed_at, abs=2)


def _gate_is_open(world: World) -> bool:
    exposure = world.run().watch.exposure
    return exposure is not None and exposure.reading is not None and exposure.reading.gate


async def test_6_a_watch_that_lags_more_than_two_ticks_holds(world: World):
    """What was good before the lag widens no share during it, although a person lifts a hold."""
    await world.open()
    number = await world.ship()
    await world.until_phase(number, Phase.ROLLING_OUT, within=100)
    await world.desk.hold("shop", BO, "a look at it")
    await world.until(lambda: _gate_is_open(world), within=100)
    share = world.share(number)
    world.daemon.telemetry.unknown = True
    await world.live(5)
    await world.desk.resume("shop", BO, "seen")
    await world.live(10)
    assert world.share(number) == share
    world.daemon.telemetry.unknown = False
    assert (await world.until_settled(number)).phase is Phase.VERIFIED


async def test_7_dead_control_plane(world: World):
    """Ten seconds without a daemon and no user meets the change; the next daemon reads it."""
    await world.open()
    number = await world.ship()
    await world.until_phase(number, Phase.ROLLING_OUT, within=100)
    await world.live(5)
    await world.end()
    await world.live(11)
    assert world.share(number) == 0
    await world.up()
    change = await world.until_settled(number, within=30)
    assert (change.phase, change.cause) == (Phase.RESTORED, Cause.UNWATCHED)
    assert "nobody renewed its lease" in change.because
    assert world.run().lane.harmful == ()
    again = await world.ship("again", revision=change.revision)
    assert (await world.until_settled(again)).phase is Phase.VERIFIED


async def test_7_a_starting_daemon_restores_before_anything_else(world: World):
    """One undo was ordered just before the end: it is done before others are looked at."""
    await world.open()
    await world.open("desk", port=8081)
    number = await world.ship("bad", Behaviour(errors=0.1))
    other = await world.ship("other", service="desk")
    await world.until_phase(number, Phase.ROLLING_OUT, within=100)
    world.keeper.faults.fail("give_back")
    await world.undo(number)
    await world.end()
    world.keeper.faults.heal()
    world.checks.faults.slow(30.0, "run")
    await world.up()
    assert await world.until(lambda: world.share(number) == 0, within=2) <= 2
    assert (await world.until_settled(number, within=60)).cause is Cause.PERSON
    assert (await world.until_settled(other)).phase is Phase.VERIFIED


async def test_8_a_poison_change_is_given_back_and_blocks_nobody(world: World):
    """After ten tries in a row it is stuck and restored; another service goes on beside it."""
    await world.open("shop", port=8080)
    await world.open("desk", port=8081)
    number = await world.ship(service="shop")
    other = await world.ship("other", service="desk")
    await world.until_phase(other, Phase.ROLLING_OUT, within=100)
    await world.until_phase(number, Phase.ROLLING_OUT, within=100)
    await world.desk.hold("desk", BO, "it needs no new route meanwhile")
    world.keeper.faults.fail("route")
    change = await world.until_settled(number, within=200)
    assert (change.phase, change.cause) == (Phase.RESTORED, Cause.UNWATCHED)
    assert "tries in a row" in change.because
    assert world.share(number) == 0
    world.keeper.faults.heal()
    await world.desk.resume("desk", BO, "the proxy is well again")
    assert (await world.until_settled(other)).phase is Phase.VERIFIED


class TornTarget(MemoryTarget):
    """Production whose record of a release cannot be read, which no port promises to survive."""

    torn: int | None = None

    async def look(self, service: str, release: int) -> tuple[InstanceFacts, ...]:
        """Its processes, unless its record is torn."""
        if release == self.torn:
            raise ValueError(f"the record of release {release} is torn")
        return await super().look(service, release)


async def test_8_a_change_that_cannot_even_be_decided_blocks_nobody(world: World):
    """A fault of Surefoot's own stops that change alone: the one before users is verified."""
    await world.end()
    world.target = TornTarget(world.production, world.clock)
    await world.up()
    await world.open()
    number = await world.ship()
    await world.until_phase(number, Phase.ROLLING_OUT, within=100)
    poison = await world.ship("poison")
    world.target.torn = poison
    assert (await world.until_settled(number)).phase is Phase.VERIFIED
    assert world.change(poison).phase is Phase.PROPOSED
    world.target.torn = None
    assert (await world.until_settled(poison)).phase is Phase.VERIFIED


async def test_9_unknown_state_is_left_alone_and_alarmed(world: World, caplog):
    """It is neither loaded nor written over, and nothing is decided where it belongs."""
    await world.open()
    number = await world.ship()
    await world.until_settled(number)
    later = await world.ship("later")
    await world.end()
    parked = world.store._changes["shop", later]
    world.store.park("shop", later)
    await world.up()
    assert f"shop is parked: a newer Surefoot wrote {later}" in caplog.text
    await world.live(30)
    assert later not in world.run().changes
    assert world.store._changes["shop", later] == parked


async def test_10_undo_goes_before_all_other_work(world: World):
    """Twenty changes are checked and built, one is undone: it waits for none of them."""
    await world.open()
    number = await world.ship()
    await world.until_phase(number, Phase.ROLLING_OUT, within=100)
    world.checks.end(("unit",), Finished(ok=True, code=0, seconds=100.0, said=""))
    world.checks.end(("build",), Finished(ok=True, code=0, seconds=100.0, said=""))
    for n in range(20):
        await world.ship(f"behind {n}")
    await world.live(3)
    await world.undo(number)
    assert await world.until(lambda: world.share(number) == 0, within=1) < 1


@pytest.mark.parametrize("phase", [Phase.GETTING_READY, Phase.ROLLING_OUT, Phase.VERIFYING])
@pytest.mark.parametrize("seconds", [300, -300, -86_400])
@pytest.mark.parametrize("restarts", [False, True])
async def test_11_timers_stand_a_clock_that_is_stepped(
    world: World, phase: Phase, seconds: float, restarts: bool
):
    """In any phase, both ways, and with the daemon away meanwhile: verified all the same."""
    await world.open()
    number = await world.ship()
    await world.until_phase(number, phase, within=200)
    if restarts:
        await world.end()
    world.clock.set_wall(seconds)
    if restarts:
        await world.up()
    assert (await world.until_settled(number)).phase is Phase.VERIFIED
    await world.live(30)
    assert world.run().lane.live.number == number
    assert world.share(number) == 1.0
    later = await world.ship("later")
    assert (await world.until_settled(later)).phase is Phase.VERIFIED


async def test_11_a_step_beyond_the_time_limit_gives_back_and_never_verifies(world: World):
    """A day forward is over every limit: users are on the old release, nothing is called proven."""
    await world.open()
    number = await world.ship()
    await world.until_phase(number, Phase.ROLLING_OUT, within=100)
    world.clock.set_wall(86_400)
    change = await world.until_settled(number, within=60)
    assert (change.phase, change.cause) == (Phase.RESTORED, Cause.INCONCLUSIVE)


@pytest.mark.parametrize("seconds", [86_400, -86_400])
async def test_11_an_undo_stands_a_clock_that_is_stepped(world: World, seconds: float):
    """The way back is timed in seconds that only go forward, or not at all."""
    await world.open()
    number = await world.ship()
    await world.until_phase(number, Phase.ROLLING_OUT, within=100)
    await world.live(3)
    await world.undo(number)
    world.clock.set_wall(seconds)
    await world.until(lambda: world.share(number) == 0, within=2)
    change = await world.until_settled(number, within=60)
    assert (change.phase, change.cause) == (Phase.RESTORED, Cause.PERSON)


@pytest.mark.parametrize("moment", [0.0, 0.3, 0.7])
async def test_13_lane_take_and_release_are_serialised(world: World, moment: float):
    """One is undone at the moment in which it would be verified; the next takes the lane after."""
    await world.open()
    first = await world.ship("first")
    await world.until_phase(first, Phase.VERIFYING, within=200)
    await world.until(lambda: world.run().watch.exposure.judge.reading.at > 58, within=100)
    await world.live(moment)
    second = world.commit("second")
    third = world.commit("third", on=second)
    await asyncio.gather(
        world.undo(first), *(world.ship(one[:7], revision=one) for one in (second, third))
    )
    for _ in range(300):
        exposed = [one for one in world.run().changes.values() if one.phase in EXPOSED]
        assert len(exposed) <= 1
        await world.live(0.2)
    entries = await world.store.entries(0, 10_000, "shop")
    holder = None
    for entry in entries:
        if entry.kind == "rolling_out":
            assert holder is None
            holder = entry.change
        elif entry.kind in {"verified", "restored"} and entry.change == holder:
            holder = None
    assert world.change(first).phase is Phase.RESTORED
