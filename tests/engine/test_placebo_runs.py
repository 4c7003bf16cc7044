"""Old beside old through the whole machinery: it teaches, and never stands in anybody's way."""

import pytest
from engine_world import ANA, BO, NO_REVIEW, OWN, World, manifest

from surefoot.domain.change import Cause, Intent
from surefoot.domain.errors import Refused
from surefoot.domain.lifecycle import Phase
from surefoot.engine.control import ShipOrder
from surefoot.engine.status import LearnStatus
from surefoot.testing import Behaviour

HOUR_S, DAY_S = 3_600.0, 86_400.0


async def drill(world: World, times: int = 1, every_s: float = 0.0) -> int:
    """Order placebo runs; returns the number of the first."""
    await world.desk.drill_placebo("shop", times, every_s, BO)
    await world.until(lambda: bool(placebos(world)), within=30)
    return placebos(world)[-1]


async def beside_a_change(world: World) -> tuple[int, int]:
    """A change that is live, its soak over, and a placebo of it."""
    await world.open()
    change = await world.ship()
    await world.until_settled(change)
    await world.live(601)
    return change, await drill(world)


def placebos(world: World) -> list[int]:
    return [number for number, one in world.run().changes.items() if one.placebo]


async def learnt(world: World) -> LearnStatus:
    (service,) = (await world.desk.learn("shop")).services
    return service


async def test_a_placebo_is_verified_and_gone(world: World):
    """It climbs the same steps beside what is live, and users end up where they were."""
    await world.open(more=NO_REVIEW + OWN)
    number = await drill(world)
    await world.until_phase(number, Phase.VERIFYING, within=200)
    assert world.share(number) == 0.5
    said = (await world.desk.service("shop")).drill
    assert said == f"To come: 1 placebo run, ordered by Bo: {number} is under way."
    placebo = await world.until_settled(number, within=300)
    assert (placebo.phase, placebo.cause) == (Phase.RESTORED, Cause.PLACEBO)
    assert placebo.because.startswith("Placebo, 0 beside 0. Verified: errors at most ")
    assert placebo.because.endswith("All users are on 0 again.")
    assert placebo.rehearsed_s is not None
    assert world.share(0) == 1.0
    await world.live(5)
    assert await world.target.running("shop") == (0,)
    assert world.run().lane.live.number == 0
    assert not (world.home / "services" / "shop" / "releases" / str(number)).exists()
    status = await world.desk.change(number)
    assert (status.placebo, status.exit_code) == (True, 0)


async def test_what_it_taught_is_kept_and_shown(world: World):
    """Its word, its seconds and both arms' requests; over a restart too, with its pairs for phi."""
    await world.open()
    assert (await learnt(world)).false_alarms.says == "unmeasured: no placebo ran yet"
    number = await drill(world)
    placebo = await world.until_settled(number, within=300)
    assert placebo.taught.canary > 1000
    assert placebo.taught.baseline > placebo.taught.canary
    before = await learnt(world)
    assert (before.verified, before.false_alarms.runs, before.false_alarms.alarms) == (1, 1, 0)
    assert before.verified_s == pytest.approx(placebo.taught.seconds, abs=0.1)
    assert before.false_alarms.says == "none in 1 placebo run: at most 98 % (95 %)"
    await world.end()
    await world.up()
    await world.live(2)
    after = await learnt(world)
    assert after.false_alarms == before.false_alarms
    assert len(world.run().watch.history._placebos) == 1


async def test_worse_is_a_false_alarm_and_no_harm(world: World):
    """Its users are given back, the team hears what it was, and the lane stays open."""
    await world.open(more=NO_REVIEW + '[notify]\nrun = ["tell-team"]\n')
    number = await drill(world)
    world.production.behave("shop", number, Behaviour(errors=0.4))
    placebo = await world.until_settled(number, within=200)
    assert (placebo.phase, placebo.cause, placebo.worse) == (
        Phase.RESTORED,
        Cause.PLACEBO,
        "errors",
    )
    assert "A false alarm, after" in placebo.because
    assert world.run().lane.harmful == ()
    service = await learnt(world)
    assert (service.false_alarms.runs, service.false_alarms.alarms) == (1, 1)
    assert service.false_alarms.says == "1 in 1 placebo run: 100 %, 2.5 % to 100 % (95 %)"
    assert (await world.desk.change(number)).exit_code == 10
    await world.live(2)
    (notice,) = world.notifier.told
    assert notice.facts["event"] == "false_alarm"
    assert notice.sentence.startswith(f"shop {number}: Placebo, 0 beside 0. A false alarm")
    found = {one.name: one for one in await world.desk.doctor()}
    assert not found["shop false alarms"].ok
    assert (await world.until_settled(await world.ship())).phase is Phase.VERIFIED


async def test_an_undo_beside_a_placebo_names_what_it_undoes(world: World):
    """It is the live release, and users go to the one before it; a placebo's own leads to live."""
    change, placebo = await beside_a_change(world)
    await world.until_phase(placebo, Phase.ROLLING_OUT, within=100)
    service = await world.desk.service("shop")
    assert (service.exposed, service.undo.number, service.undo.back_to) == (placebo, change, 0)
    own = (await world.desk.change(placebo)).undo
    assert (own.number, own.back_to) == (placebo, change)


async def test_an_undecided_placebo_asks_nobody(world: World):
    """Its time limit is its end: no person answers for it, and none is told."""
    more = '[rollout]\ntime_limit = "2m"\n[notify]\nrun = ["tell-team"]\n'
    await world.open(per_s=3, more=NO_REVIEW + more)
    number = await drill(world)
    placebo = await world.until_settled(number, within=200)
    assert placebo.taught.word == "inconclusive"
    assert placebo.taught.seconds == pytest.approx(120, abs=2)
    assert (await world.desk.change(number)).exit_code == 40
    assert ((await learnt(world)).inconclusive, (await learnt(world)).false_alarms.runs) == (1, 1)
    await world.live(2)
    assert world.notifier.told == []


async def test_a_change_goes_before_a_placebo_that_no_user_met(world: World):
    """It makes room at once, and runs when the change has soaked, beside what is live then."""
    await world.open()
    world.target.faults.slow(5, "ready")
    number = await drill(world)
    change = await world.ship()
    assert world.change(change).base_number == 0
    await world.until_phase(number, Phase.WITHDRAWN, within=5)
    assert "makes room" in world.change(number).because
    assert (await world.until_settled(change)).phase is Phase.VERIFIED
    await world.live(590)
    assert placebos(world) == [number]
    assert (await world.desk.service("shop")).drill.endswith(f"the soak of {change}.")
    await world.live(30)
    again = placebos(world)[-1]
    assert again != number
    placebo = await world.until_settled(again, within=300)
    assert placebo.because.startswith(f"Placebo, {change} beside {change}. Verified: ")
    assert (await learnt(world)).ended_early == 0


async def test_a_change_that_is_ready_ends_a_placebo_before_users(world: World):
    """Nobody waits for a placebo: the change meets its users within seconds of being ready."""
    await world.open()
    number = await drill(world)
    await world.until_phase(number, Phase.ROLLING_OUT, within=100)
    await world.live(3)
    change = await world.ship()
    assert world.change(change).base_number == 0
    assert (await world.desk.change(change)).expected_start_s < 5
    await world.until_phase(change, Phase.ROLLING_OUT, within=30)
    placebo = world.change(number)
    assert (placebo.phase, placebo.taught) == (Phase.RESTORED, None)
    assert f"makes room for {change}" in placebo.because
    stamps = world.change(change).stamps
    assert stamps.exposed_at - stamps.ready_at < 10
    assert world.run().drill.left == 1
    assert (await world.until_settled(change)).phase is Phase.VERIFIED


@pytest.mark.parametrize("phase", [Phase.GETTING_READY, Phase.ROLLING_OUT, Phase.VERIFYING])
async def test_anybody_may_undo_a_placebo(world: World, phase: Phase):
    """It is not run once more instead, and it counts for nothing."""
    await world.open()
    world.target.faults.slow(5, "ready")
    number = await drill(world)
    await world.until_phase(number, phase, within=200)
    await world.undo(number)
    await world.clock.sleep(0.1)
    assert world.share(number) == 0
    placebo = await world.until_settled(number, within=30)
    assert "Undone by Bo: looks odd" in placebo.because
    await world.live(30)
    assert placebos(world) == [number]
    service = await learnt(world)
    assert (service.false_alarms.runs, service.ended_early, service.drill) == (0, 1, None)


@pytest.mark.parametrize(
    "phase",
    [Phase.GETTING_READY, Phase.ROLLING_OUT, Phase.VERIFYING, Phase.RESTORING],
)
async def test_a_new_daemon_takes_a_placebo_on(world: World, phase: Phase):
    """Three seconds without a daemon, in any phase: one run, one word, and the next one follows."""
    await world.open()
    world.target.faults.slow(5, "ready")
    number = await drill(world, times=2, every_s=3600)
    await world.until_phase(number, phase, within=200)
    await world.end()
    await world.live(3)
    await world.up()
    placebo = await world.until_settled(number, within=300)
    assert placebo.taught.word == "verified"
    assert [one.kind for one in await world.ledger(number)].count("placebo") == 1
    assert world.run().drill.left == 1


async def test_runs_follow_one_another_at_the_pace_that_was_ordered(world: World):
    """The second an hour after the first, the third never: somebody ended it."""
    await world.open()
    first = await drill(world, times=3, every_s=HOUR_S)
    await world.until_settled(first, within=300)
    ended = world.change(first).stamps.ended_at
    said = (await world.desk.service("shop")).drill
    assert said == "To come: 2 placebo runs, one every 60 min, ordered by Bo: the next in 60 min."
    await world.until(lambda: len(placebos(world)) == 2, within=HOUR_S + 60)
    second = placebos(world)[-1]
    assert world.change(second).stamps.proposed_at - ended == pytest.approx(HOUR_S, abs=10)
    assert (await world.until_settled(second, within=300)).taught.word == "verified"
    status = await world.desk.drill_placebo("shop", 0, 0.0, BO)
    assert status.drill is None
    assert (await learnt(world)).false_alarms.runs == 2


async def test_the_first_look_may_find_that_a_change_was_quicker(world: World):
    """Ordered while a change is on its way, a placebo waits, and it is said for what."""
    await world.open()
    change = await world.ship()
    status = await world.desk.drill_placebo("shop", 1, 0.0, BO)
    assert (
        status.drill == f"To come: 1 placebo run, ordered by Bo: the next after {change}, "
        "which is on its way."
    )
    assert (await world.until_settled(change)).phase is Phase.VERIFIED
    assert placebos(world) == []


async def test_the_doctor_says_how_often_it_is_wrong_or_what_to_type(world: World):
    """Unmeasured is no fault, and no pass either: the line to type stands beside it."""
    await world.open()
    before = {one.name: one for one in await world.desk.doctor()}["shop false alarms"]
    assert (before.ok, before.says) == (True, "Unmeasured: no placebo ran yet.")
    assert before.cure.startswith("surefoot drill placebo shop")
    await world.until_settled(await drill(world), within=300)
    after = {one.name: one for one in await world.desk.doctor()}["shop false alarms"]
    assert (after.ok, after.cure) == (True, "")
    assert after.says == "None in 1 placebo run: at most 98 % (95 %)."


async def test_runs_of_the_last_week_are_known_to_a_new_daemon(world: World):
    """What rollouts told of yesterday is over; how the same release scatters is not."""
    await world.open()
    await world.until_settled(await drill(world), within=300)
    blocks = len(world.run().watch.history._placebos[0])
    await world.end()
    world.production.ask("shop", 0.0)
    await world.clock.sleep(DAY_S)
    await world.up()
    await world.live(1)
    history = world.run().watch.history
    assert [len(pair) for pair in history._placebos] == [blocks]
    assert history.seconds < 10
    await world.end()
    await world.clock.sleep(7 * DAY_S)
    await world.up()
    await world.live(1)
    assert not world.run().watch.history._placebos


async def test_what_somebody_else_runs_is_no_placebo(world: World):
    """Surefoot stands in front of it and cannot start it a second time."""
    text = manifest("shop", 8080, NO_REVIEW).replace(
        "[release]", 'upstream = "127.0.0.1:9000"\n[release]'
    )
    first = world.scm.commit("shop", "first", {"surefoot.toml": text}, by=ANA)
    await world.desk.register("shop", "", text, ANA)
    await world.desk.ship(ShipOrder("shop", first, Intent("first"), adopt=True), ANA)
    world.tips["shop"] = first
    await world.until(lambda: world.change(0).phase is Phase.ADOPTED, within=60)
    with pytest.raises(Refused, match="cannot start once more"):
        await world.desk.drill_placebo("shop", 1, 0.0, BO)


async def test_no_placebo_is_ordered_where_none_may_run(world: World):
    """Nothing live, a hold, or open harm: each with its cure."""
    await world.desk.register("till", "", manifest("till", 8081), ANA)
    with pytest.raises(Refused, match="nothing to run beside itself"):
        await world.desk.drill_placebo("till", 1, 0.0, BO)
    await world.open()
    await world.desk.hold("shop", BO, "market day")
    with pytest.raises(Refused, match="Bo holds shop: market day"):
        await world.desk.drill_placebo("shop", 1, 0.0, BO)
    await world.desk.resume("shop", BO, "over")
    bad = await world.ship("bad", Behaviour(errors=0.4))
    await world.until_settled(bad)
    with pytest.raises(Refused, match=f"the fix of {bad}"):
        await world.desk.drill_placebo("shop", 1, 0.0, BO)


async def test_a_hold_ends_a_placebo_and_the_order_stands(world: World):
    """What is held shows users nothing that they need not see."""
    await world.open()
    number = await drill(world)
    await world.until_phase(number, Phase.ROLLING_OUT, within=100)
    await world.desk.hold("shop", BO, "market day")
    placebo = await world.until_settled(number, within=30)
    assert "makes room for the hold by Bo" in placebo.because
    await world.live(30)
    assert placebos(world) == [number]
    await world.desk.resume("shop", BO, "over")
    await world.until(lambda: len(placebos(world)) == 2, within=30)


async def test_a_placebo_is_nothing_to_accept_review_or_try_again(world: World):
    """It can become nothing else, whatever anybody orders."""
    await world.open()
    number = await drill(world)
    await world.until_phase(number, Phase.ROLLING_OUT, within=100)
    with pytest.raises(Refused, match="is a placebo"):
        await world.desk.accept(number, BO, "it is fine")
    with pytest.raises(Refused, match="nothing to review"):
        await world.desk.approve(number, BO)
    await world.until_settled(number, within=300)
    with pytest.raises(Refused, match="nothing in it to try again"):
        await world.ship(again=number)


async def test_undo_of_the_service_behind_a_placebo_means_what_is_live(world: World):
    """It ended by itself a moment ago: nobody types undo for that."""
    change, number = await beside_a_change(world)
    await world.until_settled(number, within=300)
    assert (await world.desk.undo_service("shop", BO, "")).number == change


async def test_undo_of_the_service_while_users_meet_a_placebo_means_what_is_live(world: World):
    """Users who went back from the placebo alone would still be on the release that is wrong."""
    change, number = await beside_a_change(world)
    await world.until_phase(number, Phase.ROLLING_OUT, within=100)
    assert (await world.desk.service("shop")).undo.says.startswith(f"Undo {change} ")
    assert (await world.desk.undo_service("shop", BO, "it is wrong")).number == change
    await world.until_phase(change, Phase.RESTORED, within=60)
    assert world.share(0) == 1.0


async def test_a_placebo_undone_by_its_number_hides_nothing_from_the_next_undo(world: World):
    """It was no change that was given back: undo of the service still means what is live."""
    change, number = await beside_a_change(world)
    await world.until_phase(number, Phase.ROLLING_OUT, within=100)
    await world.undo(number)
    await world.until_settled(number, within=30)
    assert (await world.desk.undo_service("shop", BO, "it is wrong")).number == change


async def test_where_nothing_was_live_before_the_placebo_itself_is_undone(world: World):
    """There is nothing below the live release, and its placebo can still be ended."""
    await world.open()
    number = await drill(world)
    await world.until_phase(number, Phase.ROLLING_OUT, within=100)
    assert (await world.desk.undo_service("shop", BO, "looks odd")).number == number


async def test_undoing_what_is_live_carries_its_placebo_back(world: World):
    """Both releases are the same: all users go to the one before them."""
    change, number = await beside_a_change(world)
    await world.until_phase(number, Phase.ROLLING_OUT, within=100)
    await world.live(3)
    await world.undo(change)
    await world.until_phase(change, Phase.RESTORED, within=60)
    placebo = await world.until_settled(number, within=60)
    assert placebo.cause is Cause.CARRIED
    assert world.share(0) == 1.0


async def test_a_store_that_gives_no_number_is_not_asked_without_a_pause(
    world: World, caplog: pytest.LogCaptureFixture
):
    """A full disk may last for hours: a placebo that cannot begin is tried now and then."""
    await world.open()
    world.store.faults.fail("last_number")
    await world.desk.drill_placebo("shop", 1, 0.0, BO)
    await world.live(20)
    tried = [one for one in caplog.records if "last_number" in one.getMessage()]
    assert 1 <= len(tried) <= 10
    world.store.faults.heal()
    await world.until(lambda: bool(placebos(world)), within=30)


async def test_no_placebo_begins_beside_what_surefoot_did_not_start(world: World):
    """After an undo the process of others is live again: the rest of an order waits."""
    text = manifest("shop", 8080, NO_REVIEW).replace(
        "[release]", 'upstream = "127.0.0.1:9000"\n[release]'
    )
    world.tips["shop"] = world.scm.commit("shop", "first", {"surefoot.toml": text}, by=ANA)
    await world.desk.register("shop", "", text, ANA)
    order = ShipOrder("shop", world.tips["shop"], Intent("first"), adopt=True)
    await world.desk.ship(order, ANA)
    await world.until(lambda: world.change(0).phase is Phase.ADOPTED, within=60)
    world.production.ask("shop", 200.0)
    await world.live(120)
    change = await world.ship()
    await world.until_settled(change)
    await world.desk.drill_placebo("shop", 2, 0.0, BO)
    await world.undo(change)
    await world.until_phase(change, Phase.RESTORED, within=60)
    await world.live(60)
    assert placebos(world) == []
    assert world.run().drill.left == 2
