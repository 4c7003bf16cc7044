"""A change that harms: found, given back, counted; and the way on by its fix."""

import pytest
from engine_world import BO, NO_REVIEW, World

from surefoot.domain.change import Cause, WaitCause
from surefoot.domain.lifecycle import Phase
from surefoot.testing import Behaviour

A_FIFTH = Behaviour(errors=0.2)


async def test_a_fifth_failing_is_restored_for_harm(world: World):
    """The metric is named, the seconds are few, and the harmed are those whom production saw."""
    await world.open()
    number = await world.ship("a slip", A_FIFTH)
    change = await world.until_settled(number)
    assert change.phase is Phase.RESTORED
    assert change.cause is Cause.HARM
    assert change.worse == "errors"
    assert change.stamps.undo_at - change.stamps.exposed_at < 20
    assert change.stamps.given_back_at - change.stamps.undo_at < 2
    assert "the metric is back in its band" in change.because
    seen = world.production.counted("shop", number)
    assert change.harm.harmed == seen.bad > 0
    assert change.harm.requests == seen.answered
    assert change.harm.expected < change.harm.harmed / 2
    assert await world.target.running("shop") == (0,)


async def test_harm_by_the_next_change_leaves_the_live_one_alone(world: World):
    """In the soak of a verified change, evidence against its successor is not its own."""
    await world.open()
    good = await world.ship("a good one")
    await world.until_settled(good)
    bad = await world.ship("a slip", A_FIFTH)
    change = await world.until_settled(bad)
    assert change.phase is Phase.RESTORED
    await world.live(30)
    assert world.change(good).phase is Phase.VERIFIED
    assert world.share(good) == 1.0
    assert good in await world.target.running("shop")


async def test_users_meet_no_bad_release_after_the_switch(world: World):
    """From the moment of the order not one request more goes to the bad release."""
    await world.open()
    number = await world.ship("a slip", A_FIFTH)
    await world.until_phase(number, Phase.RESTORING, Phase.RESTORED, within=200)
    answered = world.production.counted("shop", number).answered
    await world.live(30)
    assert world.production.counted("shop", number).answered == answered


async def test_after_harm_the_fix_goes_first_and_its_verification_opens_the_lane(world: World):
    """What holds the suspect waits for the fix; number and place stay; then others go on."""
    await world.open()
    bad = await world.ship("a slip", A_FIFTH)
    await world.until_settled(bad)
    suspect = world.tips["shop"]
    later = await world.ship("more", revision=world.commit("more", on=suspect))
    await world.until(lambda: world.change(later).wait is not None, within=20)
    assert world.change(later).wait.cause is WaitCause.FIX
    fix = await world.ship("mended", fixes=bad, revision=world.commit("mended", on=suspect))
    assert (await world.desk.change(fix)).position == 1
    assert (await world.desk.change(later)).position == 2
    await world.until_settled(fix)
    assert world.change(fix).phase is Phase.VERIFIED
    print(world.told())
    await world.live(1)
    print(world.told())
    assert world.change(later).wait.cause is WaitCause.REBASE
    after = await world.ship("next", revision=world.commit("next", on=world.change(fix).revision))
    assert (await world.until_settled(after)).phase is Phase.VERIFIED


async def test_a_failed_fix_keeps_the_lane_shut(world: World):
    """Its commits join the suspects, and a second fix mends both."""
    await world.open()
    bad = await world.ship("a slip", A_FIFTH)
    await world.until_settled(bad)
    worse = await world.ship("no fix", A_FIFTH, fixes=bad)
    assert (await world.until_settled(worse)).cause is Cause.HARM
    assert {one.number for one in world.run().lane.harmful} == {bad, worse}
    fix = await world.ship("a real fix", fixes=worse)
    assert (await world.until_settled(fix)).phase is Phase.VERIFIED
    assert world.run().lane.harmful == ()


async def test_a_declared_metric_can_restore(world: World):
    """Errors stay as they were; the metric that the team declared is named."""
    metric = """
[metrics.checkout_errors]
kind = "ratio"
bad = 'checkout_total{outcome="error"}'
total = 'checkout_total'
"""
    await world.open(more=NO_REVIEW + metric)
    number = await world.ship("a slip", Behaviour(metrics={"checkout_errors": 0.3}))
    change = await world.until_settled(number)
    assert change.cause is Cause.HARM
    assert change.worse == "checkout_errors"
    seen = world.production.counted("shop", number).metrics["checkout_errors"]
    assert change.harm.harmed == seen > 0


async def test_a_slow_release_is_restored(world: World):
    """Every answer is good, and takes five times as long."""
    await world.open()
    number = await world.ship("slow", Behaviour(median_s=0.15))
    change = await world.until_settled(number)
    assert (change.cause, change.worse) == (Cause.HARM, "latency")


async def test_a_hanging_release_is_killed_at_once(world: World):
    """Requests wait on it and get no answer; ending it hands them to the old release."""
    await world.open()
    number = await world.ship("hangs")
    await world.until_phase(number, Phase.ROLLING_OUT, within=100)
    world.production.behave("shop", number, Behaviour(hangs=True))
    change = await world.until_settled(number)
    assert change.cause is Cause.HARM
    assert change.worse == "hanging"
    assert change.stamps.restored_at - change.stamps.undo_at < 30
    assert world.production.counted("shop", number).active == 0
    assert world.production.unanswered("shop") == 0


async def test_a_release_that_dies_is_restored_though_a_supervisor_brings_it_back(world: World):
    """Death is read from its pid, and the old release answers meanwhile."""
    await world.open()
    number = await world.ship("dies")
    await world.until_phase(number, Phase.ROLLING_OUT, within=100)
    await world.live(3)
    world.target.die("shop", number)
    change = await world.until_settled(number, within=60)
    assert (change.cause, change.worse) == (Cause.HARM, "dead")
    assert world.production.unanswered("shop") == 0


async def test_late_harm_in_the_soak_restores_and_takes_verified_back(world: World):
    """The old release is still warm; the change that was verified ends as restored."""
    await world.open()
    number = await world.ship()
    assert (await world.until_settled(number)).phase is Phase.VERIFIED
    await world.live(60)
    before = world.change(number).harm
    world.production.behave("shop", number, Behaviour(errors=0.5))
    await world.until_phase(number, Phase.RESTORED, Phase.NOT_RESTORED, within=120)
    change = world.change(number)
    assert (change.phase, change.cause) == (Phase.RESTORED, Cause.HARM), change.because
    assert world.share(0) == 1.0
    # All users met it for a minute and until it was found: that counts as well.
    bad, usual = change.harm.harmed - before.harmed, change.harm.expected - before.expected
    assert change.harm.requests - before.requests > 60 * 190
    assert bad > usual + 20


async def test_late_harm_is_counted_past_a_successor_that_was_undone(world: World):
    """What users got from a live release counts as long as it is live, whatever was beside it."""
    await world.open()
    first = await world.ship("one")
    await world.until_settled(first)
    before = world.change(first).harm.requests
    await world.live(60)
    second = await world.ship("two")
    await world.until_phase(second, Phase.ROLLING_OUT, within=100)
    await world.undo(second)
    await world.until_phase(second, Phase.RESTORED, within=30)
    await world.undo(first)
    await world.until_phase(first, Phase.RESTORED, within=30)
    assert world.change(first).harm.requests - before > 60 * 190


async def test_when_old_and_new_are_hurt_it_is_the_host(world: World):
    """Nobody can tell whether it is the change, so it is given back and no commit is suspect."""
    await world.open()
    number = await world.ship()
    await world.until_phase(number, Phase.ROLLING_OUT, within=100)
    for release in (0, number):
        world.production.behave("shop", release, Behaviour(errors=0.6))
    change = await world.until_settled(number, within=120)
    assert change.cause is Cause.HOST
    assert change.because.startswith("Users are back on release 0; nothing proves that they are")
    assert world.run().lane.harmful == ()


@pytest.mark.parametrize("seed", [1, 2, 3])
async def test_the_evidence_ends_no_harmless_change(world: World, seed: int):
    """Old and new alike: never restored, whatever the dice."""
    world.dice.seed(seed)
    await world.open(per_s=100)
    number = await world.ship()
    assert (await world.until_settled(number)).phase is Phase.VERIFIED


async def test_a_lane_that_was_resumed_does_not_say_that_it_waits(world: World):
    """Somebody let it go on beside the harm."""
    await world.open()
    await world.until_settled(await world.ship("a slip", A_FIFTH))
    assert "waits for the fix" in (await world.desk.service("shop")).sentence
    resumed = await world.desk.resume("shop", BO, "seen")
    assert "waits for the fix" not in resumed.sentence
