"""Whom `[notify]` tells, of what, and what becomes of that when anything goes wrong."""

from engine_world import ANA, BO, NO_REVIEW, World, manifest

from surefoot.domain.lifecycle import Phase
from surefoot.testing import Behaviour

TELL = NO_REVIEW + '[notify]\nrun = ["tell-team"]\n'


def events(world: World) -> list[str]:
    return [str(notice.facts["event"]) for notice in world.notifier.told]


async def test_verified_and_restored_are_told_in_a_sentence(world: World):
    """The sentence stands alone; the facts name the entry of the ledger that it is about."""
    await world.open(more=TELL)
    good = await world.ship("good")
    await world.until_settled(good)
    bad = await world.ship("bad", Behaviour(errors=0.4))
    await world.until_settled(bad)
    await world.live(2)
    assert events(world) == ["verified", "restored"]
    notice = world.notifier.told[1]
    assert notice.sentence.startswith(f"shop {bad} is restored. Users are well again")
    assert "\n" not in notice.sentence
    assert notice.facts["data"]["cause"] == "harm"
    entries = await world.ledger(bad)
    assert notice.facts["entry"] in {one.seq for one in entries if one.kind == "restored"}
    assert entries[-1].says == "The team was told: restored."


async def test_a_hold_is_told_and_an_undecided_change(world: World):
    """People hear what people ordered, and where they are needed."""
    more = TELL + '[rollout]\ntime_limit = "2m"\nanswer_within = "30m"\n'
    await world.open(more=more, per_s=3)
    await world.desk.hold("shop", BO, "a sale is on")
    await world.live(2)
    await world.desk.resume("shop", BO, "it is over")
    number = await world.ship()
    await world.until_phase(number, Phase.ROLLING_OUT, Phase.VERIFYING, within=200)
    await world.live(150)
    assert events(world) == ["held", "inconclusive"]
    assert world.notifier.told[0].sentence == "Bo holds shop: a sale is on"
    assert "could not decide" in world.notifier.told[1].sentence


async def test_not_restored_is_told_and_then_restored(world: World):
    """While nothing can be given back, people are called; they also hear of its end."""
    await world.open(more=TELL)
    number = await world.ship()
    await world.until_phase(number, Phase.ROLLING_OUT, within=100)
    world.production.behave("shop", 0, Behaviour(healthy=False))
    await world.undo(number)
    await world.until_phase(number, Phase.NOT_RESTORED, within=120)
    world.production.behave("shop", 0, Behaviour())
    await world.until_phase(number, Phase.RESTORED, within=120)
    await world.live(2)
    assert events(world) == ["not_restored", "restored"]


async def test_what_does_not_get_ready_is_told_if_it_lasts(world: World):
    """Ten tries are no news while they may still succeed; a wait that goes on is."""
    await world.open(more=TELL)
    world.target.faults.fail("start")
    number = await world.ship()
    await world.until(lambda: "stuck" in events(world), within=400)
    assert f"shop {number} is stuck" in world.notifier.told[-1].sentence
    world.target.faults.heal()
    await world.until_settled(number)


async def test_a_short_want_of_figures_is_nobodys_business(world: World):
    """Five seconds without figures are not told, fifteen are: held, and then what came of it."""
    await world.open(more=TELL)
    number = await world.ship()
    await world.until_phase(number, Phase.ROLLING_OUT, within=100)
    world.daemon.telemetry.faults.fail_for(5)
    await world.live(20)
    assert events(world) == []
    world.daemon.telemetry.faults.fail_for(16)
    await world.live(20)
    assert events(world) == ["held"]
    assert "no figures" in world.notifier.told[0].sentence


async def test_a_command_that_fails_is_tried_again_and_then_said(world: World):
    """Three more tries; then ledger, status and doctor say so, until the next one is told."""
    await world.open(more=TELL)
    world.notifier.faults.fail("tell", times=3)
    await world.desk.hold("shop", BO, "one")
    await world.live(60)
    assert events(world) == ["held"]
    world.notifier.faults.fail("tell")
    await world.desk.hold("shop", BO, "two")
    await world.live(60)
    assert events(world) == ["held"]
    assert "could not be told (held)" in (await world.desk.service("shop")).untold
    wrong = [one for one in await world.desk.doctor() if not one.ok]
    assert [one.name for one in wrong] == ["shop notify"]
    kinds = [entry.kind for entry in await world.store.entries(0, 1000, "shop")]
    assert kinds[-1] == "not_told"
    world.notifier.faults.heal()
    await world.desk.hold("shop", BO, "three")
    await world.live(5)
    assert events(world) == ["held", "held"]
    assert (await world.desk.service("shop")).untold is None


async def test_a_restart_loses_no_notice_and_repeats_none(world: World):
    """What was not told before the end is told after it; what was told is not told again."""
    await world.open(more=TELL)
    await world.desk.hold("shop", BO, "one")
    await world.live(2)
    world.notifier.faults.fail("tell")
    await world.desk.hold("shop", BO, "two")
    await world.live(1)
    await world.end()
    world.notifier.faults.heal()
    await world.up()
    await world.live(120)
    assert [notice.sentence for notice in world.notifier.told] == [
        "Bo holds shop: one",
        "Bo holds shop: two",
    ]
    await world.end()
    await world.up()
    await world.live(120)
    assert len(world.notifier.told) == 2


async def test_what_was_given_up_is_still_said_after_a_restart(world: World):
    """`status` does not forget that nobody was told."""
    await world.open(more=TELL)
    world.notifier.faults.fail("tell")
    await world.desk.hold("shop", BO, "one")
    await world.live(60)
    await world.end()
    await world.up()
    await world.live(5)
    assert "could not be told (held)" in (await world.desk.service("shop")).untold


async def test_an_end_of_ours_lets_a_running_command_finish(world: World):
    """A stop in the middle of telling does not tell twice."""
    await world.open(more=TELL)
    world.notifier.faults.slow(4.0, "tell")
    await world.desk.hold("shop", BO, "one")
    await world.live(2)
    await world.end()
    await world.up()
    await world.live(30)
    assert events(world) == ["held"]


async def test_the_engine_waits_for_nobody_who_is_told(world: World):
    """With a command that takes its whole ten seconds, users are given back as fast as ever."""
    await world.open(more=TELL)
    world.notifier.faults.slow(10.0, "tell")
    await world.desk.hold("shop", BO, "one")
    await world.desk.resume("shop", BO, "go on")
    number = await world.ship()
    await world.until_phase(number, Phase.ROLLING_OUT, within=100)
    await world.desk.hold("shop", BO, "two")
    await world.undo(number)
    assert await world.until(lambda: world.share(number) == 0, within=5) <= 1


async def test_who_adds_notify_is_not_told_of_the_past(world: World):
    """Without it nobody is told, doctor advises it, and its first day begins with what is new."""
    await world.open()
    await world.desk.hold("shop", BO, "one")
    await world.desk.resume("shop", BO, "go on")
    advice = {one.name: one for one in await world.desk.doctor()}["shop notify"]
    assert advice.ok
    assert "[notify]" in advice.cure
    files = {"surefoot.toml": manifest("shop", 8080, TELL)}
    tip = world.commit("tell us", files=files, by=ANA)
    number = await world.ship(revision=tip)
    await world.until_phase(number, Phase.APPLIED, within=100)
    await world.live(70)
    assert events(world) == []
    await world.desk.hold("shop", BO, "two")
    await world.live(2)
    assert events(world) == ["held"]
