"""After a restore: what waits, what may go on, what is taken along, and what is tried again."""

import pytest
from engine_world import ANA, BO, NO_REVIEW, OWN, World, manifest

from surefoot.domain.change import Cause, Intent, WaitCause
from surefoot.domain.errors import NotAllowed, Refused
from surefoot.domain.lifecycle import Phase
from surefoot.engine.control import ShipOrder
from surefoot.ports import Finished
from surefoot.testing import Behaviour

A_FIFTH = Behaviour(errors=0.2)
TEAM = f'[team]\nmembers = ["{ANA}", "{BO}"]\nreview = "before"\n'


async def harmed(world: World, files: dict[str, str] | None = None) -> int:
    """A change that did harm and was restored; the tip is its commit."""
    number = await world.ship(
        "a slip", A_FIFTH, revision=world.commit("a slip", files=files or {"slip.py": "1\n"})
    )
    change = await world.until_settled(number)
    assert change.cause is Cause.HARM
    return number


# --- suspects, known by what they do -----------------------------------------------------------


async def test_a_picked_suspect_waits_for_the_fix_though_the_lane_goes_on(world: World):
    """Another commit id does not make it another change; what holds no suspect is exposed."""
    await world.open()
    live = world.tips["shop"]
    await harmed(world)
    await world.desk.resume("shop", BO, "the slip is understood")
    other = await world.ship("other", revision=world.commit("other", on=live))
    picked = world.commit("picked", on=world.tips["shop"], files={"slip.py": "1\n"})
    again = await world.ship("picked", revision=picked)
    assert (await world.until_settled(other)).phase is Phase.VERIFIED
    await world.live(30)
    assert world.change(again).wait.cause is WaitCause.FIX
    assert world.change(again).stamps.exposed_at is None


async def test_a_squashed_suspect_is_known(world: World):
    """Two commits that did harm are one commit now, and still the same change."""
    await world.open()
    live = world.tips["shop"]
    world.commit("one", files={"one.py": "1\n"})
    number = await world.ship("two", A_FIFTH, revision=world.commit("two", files={"two.py": "2\n"}))
    await world.until_settled(number)
    await world.desk.resume("shop", BO, "understood")
    squashed = world.commit("both", on=live, files={"one.py": "1\n", "two.py": "2\n"})
    again = await world.ship("both", revision=squashed)
    await world.live(30)
    assert world.change(again).wait.cause is WaitCause.FIX


async def test_resume_opens_the_lane_beside_harm_and_a_new_harm_shuts_it(world: World):
    """Somebody's word holds for the harm that was there, and for no other."""
    await world.open()
    live = world.tips["shop"]
    await harmed(world)
    behind = await world.ship("behind", revision=world.commit("behind", on=live))
    await world.until(lambda: world.change(behind).wait is not None, within=20)
    assert world.change(behind).wait.cause is WaitCause.FIX
    await world.desk.resume("shop", BO, "it may wait")
    assert (await world.until_settled(behind)).phase is Phase.VERIFIED
    worse = await world.ship("another slip", A_FIFTH)
    await world.until_settled(worse)
    after = await world.ship(
        "after", revision=world.commit("after", on=world.change(behind).revision)
    )
    await world.live(30)
    assert world.change(after).wait.cause is WaitCause.FIX


# --- once more ---------------------------------------------------------------------------------


async def test_a_wrong_restore_is_tried_again_by_somebody_else_with_a_reason(world: World):
    """Its shipper may not; who answers for it says why, and its verification clears it."""
    await world.open(more=NO_REVIEW)
    bad = await harmed(world)
    with pytest.raises(NotAllowed, match="shipped it"):
        await world.ship("it was the network", again=bad, by=ANA)
    with pytest.raises(Refused, match="reason"):
        await world.ship("", again=bad, by=BO)
    number = await world.ship("it was the network", again=bad, by=BO)
    change = await world.until_settled(number)
    assert change.phase is Phase.VERIFIED
    assert change.intent.why == "it was the network"
    assert world.run().lane.harmful == ()
    assert world.change(bad).phase is Phase.RESTORED


async def test_what_a_person_undid_is_tried_again_by_anybody(world: World):
    """Nothing was worse, so nothing needs a reason; it is for what it was for."""
    await world.open()
    number = await world.ship("first try")
    await world.until_phase(number, Phase.ROLLING_OUT, within=100)
    await world.undo(number)
    await world.until_phase(number, Phase.RESTORED, within=30)
    again = await world.ship("", again=number)
    assert world.change(again).intent.why == "first try"
    assert (await world.until_settled(again)).phase is Phase.VERIFIED


async def test_only_what_was_restored_is_tried_again(world: World):
    """What is live is not; the reason is said."""
    await world.open()
    number = await world.ship("good")
    await world.until_settled(number)
    with pytest.raises(Refused, match="only what was restored"):
        await world.ship("", again=number)


# --- a fix, and what it takes along ------------------------------------------------------------


async def carrying(world: World, behaviour: Behaviour | None = None) -> tuple[int, int, int]:
    """A harmful change, one that stands on it, and a fix upon both."""
    await world.open(more=NO_REVIEW)
    bad = await world.ship("a slip", A_FIFTH, revision=world.commit("s", files={"slip.py": "1\n"}))
    await world.until_phase(bad, Phase.ROLLING_OUT, within=100)
    between = await world.ship("between", revision=world.commit("b", files={"between.py": "1\n"}))
    await world.until_settled(bad)
    upon = world.commit("mended", files={"slip.py": "2\n"})
    fix = await world.ship("mended", behaviour, fixes=bad, revision=upon)
    return bad, between, fix


async def test_a_fix_carries_what_lies_between_and_shares_its_outcome(world: World):
    """What was waiting is verified within the fix; only the fix is the live release."""
    bad, between, fix = await carrying(world)
    assert world.change(between).carried_by == fix
    await world.live(5)
    assert "shares the outcome" in world.change(between).because
    await world.until_phase(fix, Phase.VERIFYING, Phase.ROLLING_OUT, within=100)
    await world.live(1)
    assert between not in await world.target.running("shop")
    assert (await world.desk.change(between)).position is not None
    await world.until_settled(fix)
    await world.live(2)
    assert world.change(between).phase is Phase.VERIFIED
    assert world.change(between).verdict == world.change(fix).verdict
    assert world.run().lane.live.number == fix
    assert world.run().lane.harmful == ()
    assert world.change(bad).phase is Phase.RESTORED
    events = [entry.data.get("to") for entry in await world.ledger(between)]
    assert "verified" in events
    after = await world.ship("next")
    assert (await world.until_settled(after)).phase is Phase.VERIFIED


async def test_what_a_fix_carried_goes_back_with_it(world: World):
    """Undone as one, also by the number of what is carried; it is carried back, not blamed."""
    _, between, fix = await carrying(world)
    await world.until_settled(fix)
    await world.live(2)
    await world.undo(between)
    await world.until_phase(fix, Phase.RESTORED, within=30)
    await world.live(2)
    assert world.change(fix).cause is Cause.PERSON
    assert world.change(between).phase is Phase.RESTORED
    assert world.change(between).cause is Cause.CARRIED
    assert world.run().lane.live.number == 0


async def test_a_fix_that_fails_makes_suspects_of_all_it_holds(world: World):
    """What it carried is restored with it; the second fix that fails calls somebody else."""
    bad, between, fix = await carrying(world, A_FIFTH)
    assert (await world.until_settled(fix)).cause is Cause.HARM
    await world.live(2)
    assert world.change(between).phase is Phase.RESTORED
    assert world.change(between).cause is Cause.CARRIED
    assert world.run().lane.carries_suspect(world.change(between))
    assert "bring in" not in world.change(fix).because
    second = await world.ship(
        "once more", A_FIFTH, fixes=fix, revision=world.commit("x", files={"slip.py": "3\n"})
    )
    assert (await world.until_settled(second)).cause is Cause.HARM
    assert "bring in somebody" in world.change(second).because
    third = await world.ship(
        "at last", fixes=second, revision=world.commit("y", files={"slip.py": "4\n"})
    )
    assert (await world.until_settled(third)).phase is Phase.VERIFIED
    assert world.run().lane.harmful == ()
    assert bad in world.run().changes


async def test_what_a_withdrawn_fix_carried_waits_for_the_next(world: World):
    """It keeps its place and number, and the next fix carries it."""
    bad, between, fix = await carrying(world)
    await world.undo(fix)
    await world.until_phase(fix, Phase.WITHDRAWN, within=10)
    await world.live(2)
    assert world.change(between).carried_by is None
    assert world.change(between).wait.cause is WaitCause.FIX
    next_fix = await world.ship(
        "better", fixes=bad, revision=world.commit("z", files={"slip.py": "5\n"})
    )
    assert (await world.until_settled(next_fix)).phase is Phase.VERIFIED
    await world.live(2)
    assert world.change(between).phase is Phase.VERIFIED


@pytest.mark.parametrize("lacks", ["its checks", "a review"])
async def test_a_fix_waits_until_what_it_carries_is_checked_and_approved(world: World, lacks: str):
    """Nobody's work reaches users beside a fix without what it would need alone."""
    await world.open(more=TEAM)
    bad = await world.ship("a slip", A_FIFTH, revision=world.commit("s", files={"slip.py": "1\n"}))
    await world.desk.approve(bad, BO)
    await world.until_phase(bad, Phase.ROLLING_OUT, within=100)
    if lacks == "its checks":
        slow = Finished(ok=True, code=0, seconds=600.0, said="")
        world.checks.end(("unit",), slow)
    between = await world.ship("between", revision=world.commit("b", files={"between.py": "1\n"}))
    await world.live(2)
    world.checks.end(("unit",), Finished(ok=True, code=0, seconds=0.1, said=""))
    if lacks == "its checks":
        await world.desk.approve(between, BO)
    await world.until_settled(bad)
    upon = world.commit("mended", files={"slip.py": "2\n"})
    fix = await world.ship("mended", fixes=bad, revision=upon)
    await world.desk.approve(fix, BO)
    await world.live(30)
    change = world.change(fix)
    assert change.stamps.exposed_at is None
    if lacks == "its checks":
        assert change.because == f"It waits for the checks of {between}, which it carries."
        await world.live(600)
    else:
        assert change.because == f"It waits for somebody's review of {between}, which it carries."
        await world.desk.approve(between, BO)
    assert (await world.until_settled(fix)).phase is Phase.VERIFIED


async def test_a_fix_is_watched_with_what_its_carried_changes_want(world: World):
    """Their metrics and expectations are joined, and the plan says so beforehand."""
    await world.open(more=NO_REVIEW)
    bad = await world.ship("a slip", A_FIFTH, revision=world.commit("s", files={"slip.py": "1\n"}))
    await world.until_phase(bad, Phase.ROLLING_OUT, within=100)
    trailers = (("Watch", "latency"),)
    upon = world.commit("b", files={"between.py": "1\n"}, trailers=trailers)
    between = await world.ship("between", revision=upon)
    await world.until_settled(bad)
    mended = world.commit("mended", files={"slip.py": "2\n"})
    order = ShipOrder("shop", mended, Intent("mended", fixes=bad))
    plan = await world.desk.plan(order, ANA)
    assert any(f"carries {between}" in warning for warning in plan.warnings)
    fix = await world.ship("mended", fixes=bad, revision=mended)
    assert world.change(fix).intent.watch == ("latency",)


# --- an approval, and a move of the base -------------------------------------------------------


async def test_an_approval_stands_when_only_the_base_moves(world: World):
    """The same diff on a base that touched other files: nobody is asked twice; checks run again."""
    await world.open(more=TEAM)
    live = world.tips["shop"]
    first = await world.ship("first", revision=world.commit("f", files={"first.py": "1\n"}))
    second = await world.ship("second", revision=world.commit("s", files={"second.py": "1\n"}))
    for number in (first, second):
        await world.desk.approve(number, BO)
    await world.until_phase(first, Phase.ROLLING_OUT, within=100)
    await world.undo(first)
    await world.until(lambda: _waits_for_rebase(world, second), within=60)
    rebased = world.commit("s", on=live, files={"second.py": "1\n"})
    number = await world.ship("second", revision=rebased)
    assert world.change(number).approved
    assert (await world.until_settled(number)).phase is Phase.VERIFIED
    assert world.change(second).phase is Phase.WITHDRAWN
    assert f"{number} is the same on its new base" in world.change(second).because


async def test_an_approval_falls_when_the_base_touched_the_same_file(world: World):
    """What was approved may mean something else there."""
    await world.open(more=TEAM)
    live = world.tips["shop"]
    text = "".join(f"{line}\n" for line in range(9))
    change = await world.ship("c", revision=world.commit("c", files={"a.py": text + "mine\n"}))
    await world.desk.approve(change, BO)
    await world.undo(change)
    await world.until_phase(change, Phase.WITHDRAWN, within=20)
    moved = world.commit("base", on=live, files={"a.py": text})
    base = await world.ship("base", revision=moved)
    await world.desk.approve(base, BO)
    assert (await world.until_settled(base)).phase is Phase.VERIFIED
    again = await world.ship("c", revision=world.commit("c", files={"a.py": text + "mine\n"}))
    assert not world.change(again).approved


# --- guards, and who may loosen them -----------------------------------------------------------


async def test_a_guard_that_is_left_out_beside_code_goes_on_guarding(world: World):
    """Nobody saw it go, so it stays: in memory, and after a restart."""
    await world.open(more=NO_REVIEW + OWN)
    text = manifest("shop", 8080, NO_REVIEW)
    both = world.commit("code and less", files={"surefoot.toml": text, "app.py": "3\n"})
    plan = await world.desk.plan(ShipOrder("shop", both, Intent("both")), ANA)
    assert any("loosens the guard checkout_errors beside code" in one for one in plan.warnings)
    number = await world.ship("both", revision=both)
    assert (await world.until_settled(number)).phase is Phase.VERIFIED
    assert _guards(world) == ["checkout_errors"]
    await world.end()
    await world.up()
    await world.live(2)
    assert _guards(world) == ["checkout_errors"]
    worse = await world.ship("own", Behaviour(metrics={"checkout_errors": 0.5}))
    assert (await world.until_settled(worse)).worse == "checkout_errors"


async def test_a_guard_is_loosened_by_two_people_in_a_commit_of_its_own(world: World):
    """Also where no review is asked for otherwise; a stricter one needs nobody."""
    members = f'[team]\nmembers = ["{ANA}", "{BO}"]\nreview = "off"\n'
    await world.open(more=members + OWN)
    strict = manifest("shop", 8080, members + OWN + "margin_ratio = 5.0\n")
    alone = await world.ship(
        "looser", revision=world.commit("looser", files={"surefoot.toml": strict})
    )
    await world.live(10)
    assert world.change(alone).wait.cause is WaitCause.PERSON
    await world.desk.approve(alone, BO)
    await world.until_phase(alone, Phase.APPLIED, within=20)
    narrower = manifest("shop", 8080, members + OWN + "margin_ratio = 4.0\n")
    number = await world.ship(
        "narrower", revision=world.commit("narrower", files={"surefoot.toml": narrower})
    )
    await world.until_phase(number, Phase.APPLIED, within=20)
    assert world.run().manifest.metrics[0].margin_ratio == 4.0


def _guards(world: World) -> list[str]:
    return [metric.name for metric in world.run().manifest.metrics]


def _waits_for_rebase(world: World, number: int) -> bool:
    wait = world.change(number).wait
    return wait is not None and wait.cause is WaitCause.REBASE
