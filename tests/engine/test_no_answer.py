"""No data is never a pass: inconclusive, held, and what a person or nobody says to it."""

from engine_world import BO, NO_REVIEW, World

from surefoot.domain.change import Cause, WaitCause
from surefoot.domain.lifecycle import Phase

SHORT = NO_REVIEW + '[rollout]\ntime_limit = "2m"\nanswer_within = "3m"\n'


async def test_without_traffic_it_is_held_and_restored_when_nobody_answers(world: World):
    """At the time limit a person is asked; after `answer_within` it is given back."""
    await world.open(more=SHORT)
    world.production.ask("shop", 0)
    number = await world.ship()
    await world.until_phase(number, Phase.ROLLING_OUT, Phase.VERIFYING, within=100)
    await world.live(125)
    change = world.change(number)
    assert change.phase in {Phase.ROLLING_OUT, Phase.VERIFYING}
    assert change.wait.cause is WaitCause.PERSON
    assert "Inconclusive" in change.because
    assert 0 < world.share(number) < 1
    assert (await world.desk.change(number)).exit_code == 40
    change = await world.until_settled(number, within=200)
    assert (change.phase, change.cause) == (Phase.RESTORED, Cause.INCONCLUSIVE)
    waited = change.stamps.undo_at - change.stamps.exposed_at
    assert 300 <= waited <= 303
    assert world.run().lane.harmful == ()


async def test_a_person_may_accept_what_the_evidence_could_not_decide(world: World):
    """It takes all users and opens the lane, and is never called verified."""
    await world.open(more=SHORT)
    world.production.ask("shop", 0)
    number = await world.ship()
    await world.until_phase(number, Phase.ROLLING_OUT, Phase.VERIFYING, within=100)
    await world.live(130)
    await world.desk.accept(number, BO, "seen by eye")
    await world.until_phase(number, Phase.ACCEPTED, within=5)
    await world.live(2)
    assert world.share(number) == 1.0
    assert world.run().lane.live.number == number
    assert "verified" not in (await world.desk.change(number)).sentence.casefold()


async def test_a_service_that_says_so_keeps_an_undecided_change(world: World):
    """With on_inconclusive = "hold" it stays at its share after the answer was due."""
    await world.open(more=SHORT + 'on_inconclusive = "hold"\n')
    world.production.ask("shop", 0)
    number = await world.ship()
    await world.until_phase(number, Phase.ROLLING_OUT, Phase.VERIFYING, within=100)
    await world.live(400)
    assert world.change(number).phase in {Phase.ROLLING_OUT, Phase.VERIFYING}
    assert 0 < world.share(number) < 1


async def test_blind_for_longer_than_the_limit_gives_back(world: World):
    """Nothing known for 30 s is not a reason to go on."""
    await world.open()
    number = await world.ship()
    await world.until_phase(number, Phase.ROLLING_OUT, within=100)
    await world.live(3)
    world.daemon.telemetry.unknown = True
    await world.live(20)
    assert world.change(number).phase is Phase.ROLLING_OUT
    assert world.change(number).wait.cause is WaitCause.TELEMETRY
    change = await world.until_settled(number, within=20)
    assert (change.phase, change.cause) == (Phase.RESTORED, Cause.UNWATCHED)


async def test_a_blind_second_never_widens_a_share(world: World):
    """While the watch lags, an open gate does not lead to the next step."""
    await world.open()
    number = await world.ship()
    await world.until_phase(number, Phase.ROLLING_OUT, within=100)
    await world.until(lambda: world.run().watch.exposure.judge.reading.at > 15, within=60)
    world.daemon.telemetry.unknown = True
    share = world.share(number)
    await world.live(25)
    assert world.share(number) == share
    world.daemon.telemetry.unknown = False
    assert (await world.until_settled(number)).phase is Phase.VERIFIED
