"""One change at a time for a service; the next is made ready meanwhile; services are apart."""

from engine_world import World

from surefoot.domain.change import WaitCause
from surefoot.domain.lifecycle import Phase
from surefoot.ports import Finished
from surefoot.testing import Behaviour


async def test_two_changes_keep_their_order_and_the_second_is_prepared_meanwhile(world: World):
    """The second is queued while the first is verified, and exposed right after it."""
    await world.open()
    first = await world.ship("first")
    second = await world.ship("second")
    await world.until_phase(first, Phase.VERIFYING, within=200)
    assert world.change(second).phase is Phase.QUEUED
    assert world.change(second).rehearsed_s is not None
    assert world.change(second).wait.cause is WaitCause.TURN
    await world.until_settled(first)
    assert await world.until_phase(second, Phase.ROLLING_OUT, within=90) < 90
    assert (await world.until_settled(second)).phase is Phase.VERIFIED
    assert world.change(first).stamps.live_at <= world.change(second).stamps.exposed_at


async def test_only_the_head_is_started_and_four_releases_run_at_most(world: World):
    """Behind it, checks and builds run side by side, and nothing is started."""
    await world.open()
    numbers = [await world.ship(f"change {n}") for n in range(4)]
    most = 0
    for _ in range(60):
        await world.live(5)
        most = max(most, len(await world.target.running("shop")))
    assert most <= 4
    await world.until_settled(numbers[-1], within=1500)
    assert [world.change(one).phase for one in numbers] == [Phase.VERIFIED] * 4
    exposed = [world.change(one).stamps.exposed_at for one in numbers]
    assert exposed == sorted(exposed)


async def test_when_the_change_ahead_is_undone_the_next_waits_for_a_rebase(world: World):
    """Its commits hold what was undone; the way on is said, and a rebased one goes at once."""
    await world.open()
    base = world.tips["shop"]
    first = await world.ship("first")
    second = await world.ship("second")
    await world.until_phase(first, Phase.ROLLING_OUT, within=100)
    await world.undo(first)
    await world.until_phase(first, Phase.RESTORED, within=30)
    await world.live(3)
    assert world.change(second).wait.cause is WaitCause.REBASE
    (line,) = (await world.desk.change(second)).next
    assert line.startswith(f"git rebase --onto {base[:7]} ")
    rebased = world.commit("second", on=base)
    third = await world.ship("second, rebased", revision=rebased)
    assert (await world.until_settled(third)).phase is Phase.VERIFIED
    world.clock.set_wall(24 * 3600)
    await world.until_phase(second, Phase.WITHDRAWN, within=10)


async def test_services_do_not_wait_for_one_another(world: World):
    """One is verified while another harms and the third has no users at all."""
    for port, name in enumerate(("shop", "desk", "mail"), 8080):
        await world.open(name, port=port, per_s=100)
    good = await world.ship("good", service="shop")
    bad = await world.ship("bad", Behaviour(errors=0.3), service="desk")
    world.production.ask("mail", 0)
    quiet = await world.ship("quiet", service="mail")
    assert len({good, bad, quiet}) == 3
    await world.until_phase(bad, Phase.RESTORED, within=120)
    await world.until_phase(good, Phase.VERIFIED, within=400)
    assert world.change(quiet).phase in {Phase.ROLLING_OUT, Phase.VERIFYING}
    assert world.run("desk").lane.live.number == 0


async def test_a_check_that_does_not_pass_rejects_and_the_next_is_told(world: World):
    """No user met it, and what it said is in the reason."""
    await world.open()
    failed = Finished(ok=False, code=1, seconds=0.5, said="2 tests failed")
    world.checks.end(("unit",), failed)
    number = await world.ship()
    change = await world.until_settled(number, within=20)
    assert change.phase is Phase.REJECTED
    assert "2 tests failed" in change.because
    assert (await world.desk.change(number)).exit_code == 30
    assert number not in await world.target.running("shop")


async def test_a_release_that_is_never_ready_is_rejected(world: World):
    """It was started, did not answer in its time, and is ended before any user."""
    await world.open()
    number = await world.ship("never ready", Behaviour(ready_s=500))
    change = await world.until_settled(number, within=120)
    assert change.phase is Phase.REJECTED
    assert world.production.counted("shop", number).answered == 0
    await world.live(5)
    assert await world.target.running("shop") == (0,)
