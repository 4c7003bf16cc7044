"""A long history: what matters is held, the rest is answered from the store, nothing is lost."""

from dataclasses import replace

import pytest
from engine_world import ANA, BO, World

from surefoot.domain.change import Approval, Cause, Change, Intent
from surefoot.domain.errors import BadRevision, NotFound, OutsideFailed, Refused
from surefoot.domain.lane import lane_of, live_until
from surefoot.domain.lifecycle import Phase
from surefoot.domain.retention import LED_BACK, NEWEST
from surefoot.engine.control import ShipOrder
from surefoot.ports import LogQuery, Saved

LONG = 2 * NEWEST
LAST_LIVE = LONG - NEWEST  # all behind it were rejected
PERSON_UNDID, HARMED, MENDED, HARMS = 3, 5, 6, 7  # numbers in the history
LATE_HARM, LATE_FIX = LAST_LIVE - LED_BACK - 6, LAST_LIVE - LED_BACK - 5
FEW = NEWEST + LED_BACK + 2  # the last one restored, and its fix


def of_the_past(world: World, number: int, first: Change) -> Change:
    """What was settled before; most of it went live, one after the other."""
    before = world.tips["shop"]
    revision = world.commit(f"change {number}", files={f"file_{number}.py": f"{number}\n"})
    (commit,) = first.commits[:1]
    at = went_live(first, number)
    stamps = replace(first.stamps, proposed_at=at - 0.1, live_at=at)
    past = replace(
        first,
        number=number,
        revision=revision,
        base=before,
        commits=(replace(commit, id=revision, subject=f"change {number}", identity=""),),
        diff=replace(first.diff, identity=f"diff {number}", files=(f"file_{number}.py",)),
        intent=Intent(f"change {number}", fixes=mended_by(number)),
        phase=Phase.VERIFIED,
        stamps=stamps,
    )
    if number > LAST_LIVE:
        never = replace(stamps, live_at=None)
        return replace(past, phase=Phase.REJECTED, stamps=never, base=first.revision)
    if number not in {PERSON_UNDID, HARMED, HARMS, LATE_HARM}:
        return past
    cause = Cause.PERSON if number == PERSON_UNDID else Cause.HARM
    left = replace(stamps, undo_at=at + 0.05, given_back_at=at + 0.05)
    return replace(past, phase=Phase.RESTORED, cause=cause, stamps=left, shipper=BO)


def went_live(first: Change, number: int) -> float:
    """In the seconds that followed the first release."""
    return (first.stamps.live_at or 0.0) + number / 10


def mended_by(number: int) -> int | None:
    return {MENDED: HARMED, LATE_FIX: LATE_HARM}.get(number)


async def with_a_past(world: World, *leave_out: int) -> list[Change]:
    """A service of many settled changes, as one that was upgraded finds it; returns them all."""
    await world.open()
    first = world.change(0)
    await world.end()
    numbers = [n for n in range(1, LONG + 1) if n not in leave_out]
    past = [of_the_past(world, number, first) for number in numbers]
    world.tips["shop"] = next(one.revision for one in past if one.number == LAST_LIVE)
    await world.scm.fetch("shop")
    await world.store.save(Saved(changes=tuple(past)))
    await world.up()
    await world.live(90)
    return [first, *past]


async def everything(world: World) -> list[Change]:
    """All changes there are, archived or not."""
    found = await world.store.log(LogQuery(limit=10_000))
    return sorted(found, key=lambda one: one.number)


async def same_lane(world: World) -> None:
    """The engine decides as if it held all of them."""
    run = world.run()
    assert run.lane == lane_of("shop", await everything(world), run.lane.hold)


async def test_only_what_matters_is_held(world: World):
    """After an upgrade all is read once; from then on what is held is bounded."""
    past = await with_a_past(world, HARMS)
    assert len(world.run().changes) <= FEW
    assert {one.number for one in await world.store.changes("shop")} == set(world.run().changes)
    await same_lane(world)
    await world.end()
    await world.up()
    await world.live(90)
    assert len(world.run().changes) <= FEW
    numbers = [await world.ship(f"another {turn}") for turn in range(3)]
    for number in numbers:
        assert (await world.until_settled(number)).phase is Phase.VERIFIED
    await world.live(5)
    assert len(world.run().changes) <= FEW
    assert len(await everything(world)) == len(past) + 3
    await same_lane(world)


async def test_every_change_can_be_asked_for(world: World):
    """The log and the status of an old change say what they said when all was in memory."""
    past = await with_a_past(world, HARMS)
    assert MENDED not in world.run().changes
    log = await world.desk.log(LogQuery(service="shop", limit=10_000))
    told = {one.number: one for one in log}
    assert set(told) == {one.number for one in past}
    for one in past:
        assert told[one.number].live_until_at == live_until(past, one)
        assert told[one.number].phase == one.phase.value
    assert [one.number for one in await world.desk.log(LogQuery(path="file_4.py"))] == [4]
    moment = went_live(past[0], 9) + 0.06
    at = await world.desk.log(LogQuery(service="shop", serving_at=moment))
    assert [one.number for one in at] == [9]
    assert (await world.desk.change(MENDED)).fixes == HARMED
    with pytest.raises(NotFound, match="no evidence"):
        await world.desk.evidence(MENDED)
    with pytest.raises(NotFound, match="no change 5000"):
        await world.desk.change(5000)


async def test_old_changes_are_obeyed_as_ever(world: World):
    """To undo history is a no-op that says so; what is over is neither accepted nor reviewed."""
    await with_a_past(world, HARMS)
    before = world.store.everything()
    status = await world.undo(MENDED)
    assert (status.phase, status.undo.possible) == ("verified", False)
    with pytest.raises(Refused, match="only what users meet"):
        await world.desk.accept(MENDED, BO, "why not")
    with pytest.raises(Refused, match="nothing to review"):
        await world.desk.approve(HARMED, BO)
    assert world.store.everything() == before
    approved = await world.desk.approve(MENDED, BO)
    assert approved.approved_by[-1] == str(BO)
    await same_lane(world)


async def test_a_suspect_is_never_forgotten(world: World):
    """Harm of long ago that nobody fixed holds the lane, over restarts, until its fix is live."""
    await with_a_past(world)
    for _ in range(2):
        assert world.run().lane.closed
        assert [one.number for one in world.run().lane.harmful] == [HARMS]
        await same_lane(world)
        await world.end()
        await world.up()
    waits = await world.ship("waits", revision=world.commit("waits"))
    await world.live(120)
    assert world.change(waits).phase is Phase.GETTING_READY
    fix = await world.ship("the fix", fixes=HARMS, revision=world.commit("the fix"))
    assert (await world.until_settled(fix)).phase is Phase.VERIFIED
    assert not world.run().lane.harmful


async def test_users_can_be_led_back_through_all_of_it(world: World):
    """Undo after undo goes to the one before; harm whose fix is undone is harm again."""
    await with_a_past(world, HARMS)
    for number in range(LAST_LIVE, LATE_FIX - 3, -1):
        if number == LATE_HARM:
            continue
        assert world.run().lane.live.number == number
        if number == LATE_FIX + 5:
            await world.end()
            await world.up()
        assert bool(world.run().lane.harmful) == (number < LATE_FIX)
        await world.undo(number)
        await world.until_phase(number, Phase.RESTORED, within=200)
        await world.live(5)
        await same_lane(world)
    assert [one.number for one in world.run().lane.harmful] == [LATE_HARM]
    assert world.run().lane.suspects >= {world.change(LATE_HARM).revision}


async def test_a_restart_finds_harm_whose_fix_was_fetched_and_undone(world: World):
    """What was recalled is at hand again at the next start."""
    await with_a_past(world, HARMS)
    for number in range(LAST_LIVE, LATE_HARM, -1):
        await world.undo(number)
        await world.until_phase(number, Phase.RESTORED, within=200)
    await world.end()
    await world.up()
    assert [one.number for one in world.run().lane.harmful] == [LATE_HARM]
    await same_lane(world)


async def test_what_names_an_old_change_finds_it(world: World):
    """A second try, a fix, and an approval that stands, of changes that nobody holds."""
    await with_a_past(world, HARMS)
    assert PERSON_UNDID not in world.run().changes
    with pytest.raises(NotFound, match="has no change 5000"):
        await world.desk.ship(ShipOrder("shop", "", Intent("x", again=5000)), ANA)
    with pytest.raises(BadRevision, match="does not stand on"):  # its revision was found
        await world.desk.ship(ShipOrder("shop", "", Intent("x", again=PERSON_UNDID)), ANA)
    with pytest.raises(Refused, match="has no change 5000 to fix"):
        await world.ship("x", fixes=5000)
    revision = world.commit("mends")
    fix = await world.ship("mends", fixes=HARMED, revision=revision)
    assert fix == LONG + 1
    await same_lane(world)
    assert (await world.until_settled(fix)).phase is Phase.VERIFIED
    await same_lane(world)


async def test_an_approval_of_long_ago_stands(world: World):
    """The same diff on a later base, when its change is in the archive."""
    await with_a_past(world, HARMS)
    revision = world.commit("the same", files={"new.py": "1\n"})
    base = world.run().lane.live.revision
    await world.scm.fetch("shop")
    study = await world.scm.study("shop", base, revision, "")
    old = await world.store.find(PERSON_UNDID, "shop")
    approvals = (Approval(BO, 1.0, study.diff.identity),)
    await world.end()
    same = replace(old[0], diff=study.diff, approvals=approvals)
    await world.store.save(Saved(changes=(same,)))
    await world.store.archive("shop", (PERSON_UNDID,))
    await world.up()
    number = await world.ship("the same", revision=revision)
    assert world.change(number).approvals == approvals


async def test_a_store_that_takes_nothing_leaves_all_as_it_is(world: World):
    """What could not be laid aside is held, and laid aside when something is settled later."""
    world.store.faults.fail("archive")
    await with_a_past(world, HARMS)
    assert len(world.run().changes) == LONG
    world.store.faults.heal()
    number = await world.ship()
    await world.until_settled(number)
    await world.live(5)
    assert len(world.run().changes) <= FEW
    await same_lane(world)


async def test_users_are_given_back_though_the_store_cannot_be_read(world: World):
    """What is live or exposed needs no archive, neither to be found nor to be told of."""
    await with_a_past(world, HARMS)
    number = await world.ship()
    await world.until_phase(number, Phase.ROLLING_OUT, Phase.VERIFYING, within=200)
    for method in ("find", "log", "live_until", "last_live", "recall", "changes"):
        world.store.faults.fail(method)
    with pytest.raises(OutsideFailed):
        await world.desk.change(MENDED)
    await world.undo(number)
    await world.until_phase(number, Phase.RESTORED, within=30)
    await world.undo(LAST_LIVE)
    await world.until_phase(LAST_LIVE, Phase.RESTORED, within=30)
    assert world.run().lane.live.number == LAST_LIVE - 1
    world.store.faults.heal()
    await world.live(5)
    await same_lane(world)


async def test_the_number_of_an_adoption_is_given_once(world: World):
    """A first release that came to nothing keeps its number, also when nobody holds it any more."""
    await world.open()
    first = world.change(0)
    await world.end()
    past = [of_the_past(world, number, first) for number in range(LAST_LIVE + 1, LONG + 1)]
    never = replace(first, phase=Phase.WITHDRAWN, stamps=replace(first.stamps, live_at=None))
    await world.target.stop("shop", 0)
    await world.store.save(Saved(changes=(never, *past)))
    await world.up()
    await world.live(5)
    assert 0 not in world.run().changes
    order = ShipOrder("shop", world.tips["shop"], Intent("once more"), adopt=True)
    assert (await world.desk.ship(order, ANA)).number == LONG + 1
    assert (await world.desk.change(0)).phase == "withdrawn"
