"""Reviews, holds, plans, and evidence that anybody can judge again."""

import hashlib
import re
from pathlib import Path

import pytest
from engine_world import ANA, BO, CY, NO_REVIEW, OWN, World, manifest

from surefoot.analysis.record import judge_lines
from surefoot.domain.change import Intent, WaitCause
from surefoot.domain.errors import BadRevision, NotAllowed, Refused
from surefoot.domain.lifecycle import Phase
from surefoot.domain.verdict import Word
from surefoot.engine.control import ShipOrder
from surefoot.testing import Behaviour

TEAM = f'[team]\nmembers = ["{ANA}", "{BO}"]\nreview = "before"\n'


async def test_nothing_is_started_before_somebody_else_said_yes(world: World):
    """Checks and build run meanwhile; the author's and a stranger's yes are refused."""
    await world.open(more=TEAM)
    number = await world.ship(by=ANA)
    await world.live(10)
    change = world.change(number)
    assert change.parts.checks.done
    assert change.parts.build.done
    assert change.wait.cause is WaitCause.PERSON
    assert number not in await world.target.running("shop")
    with pytest.raises(NotAllowed, match="nobody reviews their own"):
        await world.desk.approve(number, ANA)
    with pytest.raises(NotAllowed, match="not named as a member"):
        await world.desk.approve(number, CY)
    await world.desk.approve(number, BO)
    assert (await world.until_settled(number)).phase is Phase.VERIFIED


async def test_whoever_has_nobody_to_review_is_not_blocked(world: World):
    """A team of one is told so, and goes on."""
    await world.open(more=f'[team]\nmembers = ["{ANA}"]\n')
    number = await world.ship(by=ANA)
    assert (await world.until_settled(number)).phase is Phase.VERIFIED


async def test_a_question_leaves_the_review_open(world: World):
    """It is on record, and the reviewer finds the change in their list."""
    await world.open(more=TEAM)
    number = await world.ship(by=ANA)
    await world.live(5)
    await world.desk.ask(number, BO, "why this way?")
    assert [one.number for one in await world.desk.reviews(BO)] == [number]
    assert await world.desk.reviews(ANA) == ()
    assert "why this way?" in (await world.desk.change(number)).asked[0]


async def test_a_hold_keeps_what_is_ready_from_its_first_user(world: World):
    """It waits for the hold by name, is told of, and goes on when somebody resumes."""
    await world.open()
    await world.desk.hold("shop", BO, "a sale is on")
    number = await world.ship()
    await world.live(100)
    assert world.change(number).phase is Phase.QUEUED
    assert world.change(number).wait.cause is WaitCause.HOLD
    assert "a sale is on" in world.change(number).because
    says = (await world.desk.service("shop")).sentence
    assert re.match(
        r"All users are on 0 \(adopted\), for \d+ (s|min) now; 1 change waits\. Held", says
    )
    await world.desk.resume("shop", BO, "it is over")
    assert (await world.until_settled(number)).phase is Phase.VERIFIED


async def test_the_start_of_who_waits_is_an_estimate_that_stands_a_while(world: World):
    """It is not made anew at each look: many look, and many wait."""
    await world.open()
    await world.desk.hold("shop", BO, "a sale is on")
    waiting = [await world.ship() for _ in range(3)]
    await world.live(60)

    async def starts() -> list[float | None]:
        return [(await world.desk.change(one)).expected_start_s for one in waiting[1:]]

    first = await starts()
    assert first[1] == pytest.approx(2 * first[0], abs=0.2)
    for _ in range(5):
        await world.live(1)
        assert await starts() == first
    await world.live(10)
    assert await starts() != first


async def test_a_hold_keeps_an_exposed_change_at_its_share(world: World):
    """It is watched and still restored on harm."""
    await world.open()
    number = await world.ship()
    await world.until_phase(number, Phase.ROLLING_OUT, within=100)
    await world.desk.hold("shop", BO, "let us look")
    share = world.share(number)
    await world.live(60)
    assert world.share(number) == share
    world.production.behave("shop", number, Behaviour(errors=0.5))
    await world.until_phase(number, Phase.RESTORED, within=60)


async def test_a_hold_ends_by_itself(world: World):
    """It says how long it lasts; then the change goes on, and the ledger has its end."""
    await world.open()
    status = await world.desk.hold("shop", BO, "a sale is on", 900)
    assert "Held by Bo for 15 min more: a sale is on" in status.sentence
    number = await world.ship()
    await world.live(300)
    assert "for 10 min more" in (await world.desk.service("shop")).sentence
    assert world.change(number).wait.cause is WaitCause.HOLD
    await world.until_phase(number, Phase.ROLLING_OUT, within=610)
    assert world.clock.now() >= status.held_until_at
    ends = [one for one in await world.store.entries(0, 1000, "shop") if one.kind == "hold_over"]
    assert [one.says for one in ends] == ["The hold of Bo on shop is over: a sale is on"]
    assert (await world.desk.service("shop")).held_until_at is None


async def test_a_hold_ends_while_no_daemon_runs(world: World):
    """A restart keeps its end; one that passed meanwhile is over at once, and on record."""
    await world.open()
    await world.desk.hold("shop", BO, "a sale is on", 600)
    await world.end()
    await world.live(300)
    await world.up()
    assert "for 5 min more" in (await world.desk.service("shop")).sentence
    await world.end()
    await world.live(301)
    await world.up()
    await world.live(6)
    assert (await world.desk.service("shop")).held_because is None
    kinds = [one.kind for one in await world.store.entries(0, 1000, "shop")]
    assert kinds.count("hold_over") == 1


async def test_resume_and_a_later_hold_forget_an_earlier_end(world: World):
    """Who resumes has ended it; a hold without an end lasts."""
    await world.open()
    await world.desk.hold("shop", BO, "one", 60)
    await world.desk.resume("shop", BO, "go on")
    await world.desk.hold("shop", BO, "two")
    await world.live(120)
    assert (await world.desk.service("shop")).held_because == "two"
    kinds = [one.kind for one in await world.store.entries(0, 1000, "shop")]
    assert "hold_over" not in kinds


async def test_undo_works_during_a_hold(world: World):
    """A hold stops what goes forward, never what goes back."""
    await world.open()
    number = await world.ship()
    await world.until_phase(number, Phase.ROLLING_OUT, within=100)
    await world.desk.hold("shop", BO, "let us look")
    await world.undo(number)
    await world.until_phase(number, Phase.RESTORED, within=30)


async def test_a_plan_changes_nothing(world: World):
    """Store, home folder and memory are the same before and after; ship then does as it said."""
    await world.open()
    revision = world.commit("planned")
    order = ShipOrder("shop", revision, Intent("planned"))
    before = (world.store.everything(), _folder(world.home), dict(world.run().changes))
    plan = await world.desk.plan(order, ANA)
    assert (world.store.everything(), _folder(world.home), world.run().changes) == before
    assert plan.base_number == 0
    assert plan.checks == ("unit",)
    assert "verified in about" in plan.forecast
    number = await world.ship(revision=revision)
    await world.until_settled(number)
    assert world.change(number).steps == plan.steps


async def test_a_plan_names_what_only_the_proposed_manifest_declares(world: World):
    """A guard that comes with the code is one of those that the change is watched with."""
    await world.open(more=NO_REVIEW)
    text = manifest("shop", 8080, NO_REVIEW + OWN)
    revision = world.commit("with a guard", files={"surefoot.toml": text, "app.py": "3"})
    plan = await world.desk.plan(ShipOrder("shop", revision, Intent("with a guard")), ANA)
    assert plan.metrics == ("errors", "latency", "checkout_errors")


async def test_a_plan_says_when_the_traffic_is_too_small(world: World):
    """At two requests a second an answer takes long, and that is said beforehand."""
    await world.open(per_s=2)
    revision = world.commit("planned")
    plan = await world.desk.plan(ShipOrder("shop", revision, Intent("planned")), ANA)
    assert "requests/s this needs about" in plan.forecast


async def test_a_revision_beside_its_base_is_refused_with_the_rebase(world: World):
    """The cure is a line to type."""
    await world.open()
    base = world.tips["shop"]
    number = await world.ship("first")
    beside = world.commit("beside", on=base)
    with pytest.raises(BadRevision, match="git rebase") as refused:
        await world.ship(revision=beside)
    assert world.change(number).revision[:7] in refused.value.cure


async def test_only_what_users_meet_can_be_accepted(world: World):
    """Before its first user, and without a reason, it is refused."""
    await world.open()
    number = await world.ship()
    with pytest.raises(Refused, match="only what users meet"):
        await world.desk.accept(number, BO, "looks fine")
    await world.until_phase(number, Phase.ROLLING_OUT, within=100)
    with pytest.raises(Refused, match="needs a reason"):
        await world.desk.accept(number, BO, " ")


@pytest.mark.parametrize(
    ("errors", "phase", "word"),
    [(0.01, Phase.VERIFIED, Word.VERIFIED), (0.2, Phase.RESTORED, Word.WORSE)],
)
async def test_the_evidence_judged_again_says_the_same(
    world: World, errors: float, phase: Phase, word: Word
):
    """Anybody may take the file and check the verdict, the metric and its reason."""
    await world.open()
    number = await world.ship("a change", Behaviour(errors=errors))
    change = await world.until_settled(number)
    assert change.phase is phase
    evidence = await world.desk.evidence(number)
    again = judge_lines(evidence.splitlines()).reading
    assert again.word is word
    assert again.metric == change.worse
    assert again.because == change.verdict


async def test_the_evidence_over_a_restart_judged_again_says_the_same(world: World):
    """A gap in the file is a gap for everybody."""
    await world.open()
    number = await world.ship()
    await world.until_phase(number, Phase.VERIFYING, within=200)
    await world.end()
    await world.live(4)
    await world.up()
    change = await world.until_settled(number)
    again = judge_lines((await world.desk.evidence(number)).splitlines()).reading
    assert (again.word, again.because) == (Word.VERIFIED, change.verdict)


async def test_whoever_follows_the_ledger_hears_every_entry_once_and_in_order(world: World):
    """From any place in it, up to what happens now."""
    await world.open()
    number = await world.ship()
    heard = []
    async for entry in world.desk.follow(0):
        heard.append(entry)
        if entry.change == number and entry.kind == "getting_ready":
            break
    assert [entry.seq for entry in heard] == list(range(1, len(heard) + 1))


def _folder(home: Path) -> dict[str, str]:
    return {
        str(path.relative_to(home)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(home.rglob("*"))
        if path.is_file()
    }


async def test_an_upstream_on_another_host_is_refused_and_not_passed_over(world: World):
    """A process that cannot be stood in front of would be left without its users."""
    await world.up()
    text = manifest("shop", 8080).replace("[release]", 'upstream = "10.0.0.5:9000"\n[release]')
    with pytest.raises(Refused, match="loopback"):
        await world.desk.register("shop", "", text, ANA)
