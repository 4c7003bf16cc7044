"""Sequences of ordinary events that once led to a wrong end."""

import asyncio

import pytest
from engine_world import ANA, NO_REVIEW, World, manifest

from surefoot.domain.change import Cause, Intent, WaitCause
from surefoot.domain.errors import Refused
from surefoot.domain.lifecycle import Phase
from surefoot.engine.control import ShipOrder
from surefoot.ports import Finished
from surefoot.testing import Behaviour

BAD = Behaviour(errors=0.5)


async def first_revision(world: World, port: int = 8080) -> str:
    """A service that is known and not adopted yet."""
    text = manifest("shop", port, NO_REVIEW)
    files = {"app.py": "1\n", "surefoot.toml": text}
    world.tips["shop"] = world.scm.commit("shop", "first", files, by=ANA)
    await world.desk.register("shop", "", text, ANA)
    return world.tips["shop"]


async def test_what_stands_on_an_undone_change_is_not_shown_to_users(world: World):
    """The second behind it, too: it holds the same commits."""
    await world.open()
    undone, second, third = [await world.ship(name) for name in ("one", "two", "three")]
    await world.until_phase(undone, Phase.ROLLING_OUT, within=100)
    await world.undo(undone)
    await world.live(60)
    for number in (second, third):
        assert world.change(number).wait.cause is WaitCause.REBASE
        assert world.change(number).stamps.exposed_at is None


async def test_what_holds_a_suspect_is_not_shown_after_its_fix(world: World):
    """The fix is not in it, and the harm is."""
    await world.open()
    harmful = await world.ship("one", BAD)
    tip = world.tips["shop"]
    later = [await world.ship(name, BAD) for name in ("two", "three")]
    await world.until_phase(harmful, Phase.RESTORED, within=100)
    fix = await world.ship("fix", revision=world.commit('Revert "one"', on=tip))
    await world.until_phase(fix, Phase.VERIFIED, within=400)
    await world.live(100)
    assert [world.change(number).stamps.exposed_at for number in later] == [None, None]


@pytest.mark.parametrize("per_s", [2.0, 4.0])
async def test_a_restore_is_proven_with_few_requests_too(world: World, per_s: float):
    """Fifty requests take as long as they take; then users are said to be well."""
    await world.open(per_s=per_s)
    number = await world.ship("bad", Behaviour(errors=1.0))
    await world.until_phase(number, Phase.RESTORING, Phase.NOT_RESTORED, within=900)
    await world.until_phase(number, Phase.RESTORED, within=80)


async def test_an_undo_waits_for_no_release_that_ends_slowly(world: World):
    """An old release drains for 9 s after each verified change."""
    await world.open()
    await world.until_settled(await world.ship("one"))
    second = await world.ship("two")
    await world.until_phase(second, Phase.ROLLING_OUT, within=100)
    world.target.faults.slow(9, "stop")
    await world.until_settled(second)
    await world.live(0.5)
    began = world.clock.boottime()
    await world.undo(second)
    await world.until(lambda: world.share(second) == 0, within=20)
    assert world.clock.boottime() - began < 1


async def test_a_slow_end_loses_no_healthy_rollout(world: World):
    """A queued release that is withdrawn takes its minute; the exposed one goes on."""
    await world.open()
    first, second = await world.ship("one"), await world.ship("two")
    await world.until_phase(first, Phase.ROLLING_OUT, within=100)
    await world.until_phase(second, Phase.QUEUED, within=100)
    world.target.faults.slow(50, "stop")
    await world.undo(second)
    assert (await world.until_settled(first)).phase is Phase.VERIFIED


async def test_an_undo_needs_no_proxy_that_can_be_read(world: World):
    """The keeper gives back at once, although nobody can say what the proxy does."""
    await world.open()
    number = await world.ship("one")
    await world.until_phase(number, Phase.ROLLING_OUT, within=100)
    await world.live(5)
    world.keeper.faults.fail("seen")
    began = world.clock.boottime()
    await world.undo(number)
    await world.until(lambda: world.share(number) == 0, within=20)
    assert world.clock.boottime() - began < 2


async def test_a_spare_that_has_ended_covers_for_nobody(world: World):
    """After the soak, and after a restore, the routes name the live release alone."""
    await world.open()
    first = await world.ship("one")
    await world.until_settled(first)
    await world.until(lambda: world.keeper.routes("shop").spare == 0, within=3)
    await world.live(700)
    assert await world.target.running("shop") == (first,)
    assert world.keeper.routes("shop").spare is None
    bad = await world.ship("two", BAD)
    await world.until_phase(bad, Phase.RESTORED, within=100)
    await world.live(10)
    routes = world.keeper.routes("shop")
    assert (routes.live, routes.candidate, routes.spare) == (first, None, None)


async def test_a_second_adoption_runs_its_own_revision(world: World):
    """The first one's build still runs when the second begins; it is another release."""
    first = await first_revision(world)
    world.checks.end(("unit",), Finished(ok=False, code=1, seconds=0.5, said="no"))
    world.checks.end(("build",), Finished(ok=True, code=0, seconds=20, said=""))
    await world.desk.ship(ShipOrder("shop", first, Intent("x"), adopt=True), ANA)
    await world.until_phase(0, Phase.REJECTED, within=10)
    world.checks.end(("unit",), Finished(ok=True, code=0, seconds=0.5, said=""))
    world.checks.end(("build",), Finished(ok=True, code=0, seconds=0.5, said=""))
    second = world.scm.commit("shop", "second", {"app.py": "2\n"}, by=ANA, on=first)
    order = ShipOrder("shop", second, Intent("y"), adopt=True)
    number = (await world.desk.ship(order, ANA)).number
    await world.until_phase(number, Phase.ADOPTED, within=100)
    tree = world.home / "services" / "shop" / "releases" / str(number) / "tree" / "app.py"
    assert tree.read_text() == "2\n"
    assert world.change(0).phase is Phase.REJECTED


async def test_the_first_release_cannot_be_undone_under_its_users(world: World):
    """There is nothing to go back to, and it says so; before any user it is withdrawn."""
    first = await first_revision(world)
    await world.desk.ship(ShipOrder("shop", first, Intent("x"), adopt=True), ANA)
    await world.until(lambda: world.share(0) == 1.0, within=60)
    await world.live(5)
    with pytest.raises(Refused, match="no release before"):
        await world.undo(0)
    await world.until_phase(0, Phase.ADOPTED, within=60)


async def test_a_manifest_waits_for_what_it_stands_on(world: World):
    """Applied before the change under it is live, it would be overwritten by that."""
    await world.open()
    code = await world.ship("code")
    await world.until_phase(code, Phase.ROLLING_OUT, within=100)
    text = manifest("shop", 8080, NO_REVIEW + "[rollout]\nlargest_margin = 1.0\n")
    on_top = world.commit("only the manifest", files={"surefoot.toml": text})
    alone = await world.ship("manifest", revision=on_top)
    await world.until_settled(code)
    await world.until_phase(alone, Phase.APPLIED, within=30)
    assert world.run().manifest.rollout.largest_margin == 1.0
    then = await world.ship("more code")
    assert (await world.until_settled(then)).phase is Phase.VERIFIED
    assert world.run().manifest.rollout.largest_margin == 1.0


async def test_an_undo_brings_the_old_manifest_back_too(world: World):
    """What the undone release declared guards nothing any more."""
    await world.open()
    text = manifest("shop", 8080, NO_REVIEW + "[rollout]\nlargest_margin = 1.0\n")
    both = world.commit("code and manifest", files={"surefoot.toml": text, "app.py": "3"})
    number = await world.ship("both", revision=both)
    await world.until_settled(number)
    assert world.run().manifest.rollout.largest_margin == 1.0
    await world.undo(number)
    await world.until_phase(number, Phase.RESTORED, within=30)
    assert world.run().manifest.rollout.largest_margin == 5.0


async def test_what_runs_is_rolled_out_although_the_manifest_alone_says_it(world: World):
    """An environment is no guard: users meet it, so it is judged."""
    await world.open()
    text = manifest("shop", 8080, NO_REVIEW).replace("health =", 'env = { LEVEL = "1" }\nhealth =')
    number = await world.ship("env", revision=world.commit("env", files={"surefoot.toml": text}))
    assert (await world.until_settled(number)).phase is Phase.VERIFIED
    assert (await world.target.running("shop"))[-1] == number


async def test_a_live_service_keeps_its_address(world: World):
    """Another `listen` would take its users off the air, or another service's place."""
    await world.open("desk", port=8081)
    await world.open("shop")
    text = manifest("shop", 8081, NO_REVIEW)
    with pytest.raises(Refused, match="moves 'listen'"):
        await world.ship("move", revision=world.commit("m", files={"surefoot.toml": text}))


async def test_late_harm_is_seen_after_a_restart_and_after_the_next_change(world: World):
    """The soak's watch goes on for as long as the soak."""
    await world.open()
    number = await world.ship("one")
    await world.until_settled(number)
    await world.end()
    await world.up()
    second = await world.ship("two")
    await world.until_phase(second, Phase.ROLLING_OUT, within=100)
    await world.live(20)
    await world.undo(second)
    await world.until_phase(second, Phase.RESTORED, within=30)
    world.production.behave("shop", number, BAD)
    await world.until_phase(number, Phase.RESTORED, Phase.RESTORING, within=60)
    assert world.change(number).cause is Cause.HARM


@pytest.mark.parametrize("fault", ["hangs", "dies"])
async def test_a_live_release_that_stops_answering_in_its_soak_is_undone(world: World, fault: str):
    """Plain facts need no comparison; the old release is still warm."""
    await world.open()
    number = await world.ship("one")
    await world.until_settled(number)
    await world.live(30)
    if fault == "hangs":
        world.production.behave("shop", number, Behaviour(hangs=True))
    else:
        world.target.die("shop", number)
    await world.until(lambda: world.share(0) == 1.0, within=4)
    assert world.change(number).cause is Cause.HARM
    assert "Late harm: it" in world.change(number).because


async def test_a_clock_that_is_set_back_changes_nobodys_release(world: World):
    """The one that was verified last is live, whatever the time says."""
    await world.open()
    number = await world.ship("one")
    await world.until_phase(number, Phase.VERIFYING, within=200)
    world.clock.set_wall(-3600)
    await world.until_settled(number)
    await world.live(30)
    assert world.run().lane.live.number == number
    assert world.share(number) == 1.0


async def test_what_never_gets_ready_says_so(world: World):
    """Its wait has a name, a reason and a deadline, and whoever follows it is let go."""
    await world.open()
    world.keeper.faults.fail("warm")
    number = await world.ship("one")
    await world.until(lambda: world.change(number).wait is not None, within=400)
    change = world.change(number)
    assert change.wait.cause is WaitCause.STUCK
    assert change.wait.until is not None
    assert "tries in a row" in change.because
    assert (await world.desk.change(number)).exit_code == 40


async def test_after_the_time_limit_the_share_is_held(world: World):
    """A person is asked; traffic that returns widens nothing by itself."""
    await world.open(more=NO_REVIEW + '[rollout]\ntime_limit = "3m"\nsteps = [0.1, 0.5]\n')
    number = await world.ship("one")
    world.production.ask("shop", 0)
    await world.until_phase(number, Phase.ROLLING_OUT, within=100)
    await world.live(200)
    world.production.ask("shop", 200)
    await world.live(180)
    assert world.share(number) == 0.1
    assert world.change(number).wait.cause is WaitCause.PERSON


async def test_a_daemon_that_returns_starts_no_release_that_was_given_back(world: World):
    """It was ended for its harm."""
    await world.open()
    number = await world.ship("one", BAD)
    await world.until_phase(number, Phase.RESTORING, within=100)
    await world.until(lambda: ("shop", number) not in world.target._running, within=30)
    await world.end()
    await world.up()
    assert ("shop", number) not in world.target._running
    await world.until_phase(number, Phase.RESTORED, within=60)


async def test_an_undone_live_release_ends_its_requests_first(world: World):
    """Users are moved at once; what they had asked before is still answered."""
    await world.open()
    number = await world.ship("one")
    await world.until_settled(number)
    await world.live(10)
    await world.undo(number)
    await world.until(lambda: world.share(0) == 1.0, within=2)
    await world.live(2)
    assert number in await world.target.running("shop")
    await world.until_phase(number, Phase.RESTORED, within=30)
    assert number not in await world.target.running("shop")


async def test_a_manifest_is_written_down_although_the_store_was_locked(world: World):
    """The verdict could not be written down at first; what guards now guards after a restart."""
    await world.open()
    text = manifest("shop", 8080, NO_REVIEW + "[rollout]\nlargest_margin = 1.0\n")
    both = world.commit("code and manifest", files={"surefoot.toml": text, "app.py": "3"})
    number = await world.ship("both", revision=both)
    await world.until_phase(number, Phase.VERIFYING, within=200)
    world.store.faults.fail_for(200, "save")
    await world.live(190)
    assert world.store._services["shop"].manifest != text
    await world.live(30)
    assert world.change(number).phase is Phase.VERIFIED
    assert world.store._services["shop"].manifest == text


async def test_a_service_that_does_not_come_back_stops_no_other(world: World):
    """One live release cannot start again; another service's healthy rollout goes on."""
    await world.open("desk", port=8081)
    await world.open("shop")
    number = await world.ship("good", service="shop")
    await world.until_phase(number, Phase.ROLLING_OUT, within=100)
    await world.live(3)
    await world.end()
    world.production.behave("desk", 0, Behaviour(ready_s=1000, healthy=False))
    await world.target.stop("desk", 0)
    began = world.clock.boottime()
    await world.up()
    assert world.clock.boottime() - began < 5
    assert (await world.until_settled(number)).phase is Phase.VERIFIED


async def test_a_remote_that_does_not_answer_holds_up_its_own_service_alone(world: World):
    """Another team ships meanwhile."""
    await world.open("shop")
    await world.open("desk", port=8081)
    one, other = (world.commit("more", service=name) for name in ("shop", "desk"))
    world.scm.faults.slow(500, "fetch")
    slow = world.desk.ship(ShipOrder("shop", one, Intent("a")), ANA)
    waiting = asyncio.create_task(slow)
    await world.live(1)
    world.scm.faults.heal()
    began = world.clock.boottime()
    number = (await world.desk.ship(ShipOrder("desk", other, Intent("b")), ANA)).number
    assert world.clock.boottime() - began < 5
    assert (await waiting).number == number + 1
