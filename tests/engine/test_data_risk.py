"""Changes that alter data: traffic can go back, data cannot."""

import pytest
from engine_world import ANA, BO, World, manifest

from surefoot.domain.change import Intent, WaitCause
from surefoot.domain.errors import BadManifest, NotAllowed, Refused
from surefoot.domain.lifecycle import Phase
from surefoot.engine.control import ShipOrder
from surefoot.testing import Behaviour

DATA = '[risk]\ndata = ["migrations/**"]\n'
ONE = f'[team]\nmembers = ["{ANA}"]\nreview = "off"\n'
TWO = f'[team]\nmembers = ["{ANA}", "{BO}"]\nreview = "off"\n'
MIGRATION = {"migrations/0007.sql": "drop table orders\n"}
CANNOT = "raffic can go back, data cannot"


def without_data(team: str = TWO) -> dict[str, str]:
    """The manifest of `open(more=DATA + team)`, which names no data any more."""
    return {"surefoot.toml": manifest("shop", 8080, team)}


async def migrating(world: World, team: str = TWO, *, forward_only: bool = True) -> int:
    """A change that alters data, by Ana, in a service that nobody has to review before."""
    await world.open(more=DATA + team)
    revision = world.commit("a migration", files=MIGRATION)
    return await world.ship("a migration", revision=revision, forward_only=forward_only)


async def kept_from_users(world: World, number: int) -> None:
    """It is checked and built, and waits for a person."""
    await world.live(60)
    change = world.change(number)
    assert change.parts.build.done
    assert change.wait.cause is WaitCause.PERSON
    assert change.stamps.exposed_at is None


async def test_a_change_that_alters_data_is_refused_until_that_is_said(world: World):
    """Paths and cure are named by `ship` and by `plan`, and nothing is written down."""
    await world.open(more=DATA + TWO)
    many = {f"migrations/{number}.sql": "x\n" for number in range(7)}
    revision = world.commit("migrations", files={**many, "app.py": "2\n"})
    before = world.store.everything()
    order = ShipOrder("shop", revision, Intent("migrations"))
    for asked in (world.desk.ship, world.desk.plan):
        with pytest.raises(Refused, match=CANNOT) as refused:
            await asked(order, ANA)
        assert "migrations/0.sql, migrations/1.sql" in refused.value.message
        assert "and 2 more" in refused.value.message
        assert f"surefoot ship {revision[:7]} --forward-only" in refused.value.cure
        assert "A second person has to approve it" in refused.value.cure
    assert world.store.everything() == before


@pytest.mark.parametrize("pattern", ["../db/**", "./", "db//*.sql"])
async def test_a_path_that_no_file_can_have_is_refused(world: World, pattern: str):
    """It would ask nobody, whatever the change does to data."""
    await world.open()
    text = manifest("shop", 8080, f'[risk]\ndata = ["{pattern}"]\n{TWO}')
    revision = world.commit("data", files={"surefoot.toml": text, "app.py": "2\n"})
    with pytest.raises(BadManifest, match="names no file by") as refused:
        await world.ship("data", revision=revision)
    assert pattern in refused.value.message
    assert "repository's root" in refused.value.cure


async def test_altered_data_needs_a_second_person_although_reviews_are_off(world: World):
    """The author's yes is none; who asks reads why, in status and ledger; then it goes on."""
    number = await migrating(world)
    await kept_from_users(world, number)
    status = await world.desk.change(number)
    assert status.forward_only
    assert "waits for a second person's approval" in status.sentence
    assert status.next == (f"surefoot review {number} --approve",)
    assert "forward only" in (await world.ledger(number))[0].says
    with pytest.raises(NotAllowed, match="nobody reviews their own"):
        await world.desk.approve(number, ANA)
    assert [one.number for one in await world.desk.reviews(BO)] == [number]
    await world.desk.approve(number, BO)
    await world.until_phase(number, Phase.QUEUED, Phase.ROLLING_OUT, within=100)
    ready = next(one for one in await world.ledger(number) if one.kind == "queued")
    assert CANNOT in ready.says
    assert (await world.until_settled(number)).phase is Phase.VERIFIED
    assert CANNOT in (await world.desk.change(number)).undo.says
    assert CANNOT in (await world.desk.service("shop")).undo.says


async def test_what_went_back_says_that_data_did_not(world: World):
    """Its users are well again, and somebody still has to look at what it wrote."""
    number = await migrating(world)
    await world.desk.approve(number, BO)
    world.production.behave("shop", number, Behaviour(errors=0.5))
    change = await world.until_settled(number)
    assert change.phase is Phase.RESTORED
    assert CANNOT in change.because


async def test_a_plan_says_what_altered_data_asks_for(world: World):
    """Said beforehand, with the way back."""
    await world.open(more=DATA + TWO)
    revision = world.commit("a migration", files=MIGRATION)
    order = ShipOrder("shop", revision, Intent("a migration", forward_only=True))
    plan = await world.desk.plan(order, ANA)
    assert CANNOT in plan.undo
    assert any(
        CANNOT in one and "A second person has to approve it" in one for one in plan.warnings
    )


async def test_a_team_of_one_answers_for_its_data_alone(world: World):
    """It has to say so, is told that nobody else is asked, and is not blocked."""
    with pytest.raises(Refused, match=CANNOT) as refused:
        await migrating(world, ONE, forward_only=False)
    assert "its shipper alone answers for it" in refused.value.cure
    number = await world.ship("mine", revision=world.tips["shop"], forward_only=True)
    assert (await world.until_settled(number)).phase is Phase.VERIFIED


async def test_a_manifest_does_not_let_go_of_its_data_beside_a_migration(world: World):
    """The live manifest names the path, whatever the proposed one says."""
    await world.open(more=DATA + TWO)
    revision = world.commit("both", files=MIGRATION | without_data())
    with pytest.raises(Refused, match="0007"):
        await world.ship("both", revision=revision)


async def test_a_migration_comes_with_the_manifest_that_names_it(world: World):
    """The proposed manifest counts from this very change on."""
    await world.open(more=TWO)
    named = {"surefoot.toml": manifest("shop", 8080, DATA + TWO)}
    with pytest.raises(Refused, match="0007"):
        await world.ship("both", revision=world.commit("both", files=MIGRATION | named))


@pytest.mark.parametrize("beside", [{}, {"app.py": "2\n"}], ids=["alone", "beside code"])
async def test_data_is_no_longer_named_only_with_a_second_person(
    world: World, beside: dict[str, str]
):
    """Else two changes would do what one may not; `plan` says it."""
    await world.open(more=DATA + TWO)
    revision = world.commit("no risk", files=without_data() | beside)
    plan = await world.desk.plan(ShipOrder("shop", revision, Intent("no risk")), ANA)
    assert any("takes migrations/** out of `[risk] data`" in one for one in plan.warnings)
    number = await world.ship("no risk", revision=revision)
    await world.live(60)
    assert world.change(number).wait.cause is WaitCause.PERSON
    await world.desk.approve(number, BO)
    ended = (await world.until_settled(number)).phase
    assert ended is (Phase.VERIFIED if beside else Phase.APPLIED)
    revision = world.commit("a migration", files=MIGRATION)
    free = await world.ship("a migration", revision=revision)
    assert (await world.until_settled(free)).phase is Phase.VERIFIED


async def test_data_that_is_named_by_what_lies_under_a_change_counts(world: World):
    """The manifest of the change ahead is not live yet, and will be."""
    await world.open(more=TWO)
    named = {"surefoot.toml": manifest("shop", 8080, DATA + TWO), "app.py": "2\n"}
    await world.ship("names it", revision=world.commit("names it", files=named))
    both = world.commit("both", files=MIGRATION | without_data())
    with pytest.raises(Refused, match="0007"):
        await world.ship("both", revision=both)


async def test_forward_only_is_taken_at_its_word(world: World):
    """A change may alter data that no path tells of."""
    await world.open(more=TWO)
    number = await world.ship("rewrites rows at its start", forward_only=True)
    await kept_from_users(world, number)


async def test_a_second_try_goes_forward_only_as_the_first_did(world: World):
    """What was said of the change is still true; the approval of the same diff stands."""
    number = await migrating(world)
    await world.desk.approve(number, BO)
    await world.until_phase(number, Phase.ROLLING_OUT, within=200)
    await world.undo(number)
    await world.until_phase(number, Phase.RESTORED, within=60)
    again = await world.ship("", again=number)
    assert world.change(again).intent.forward_only
    assert (await world.until_settled(again)).phase is Phase.VERIFIED


async def test_a_fix_goes_forward_only_with_what_it_carries(world: World):
    """The data of the change between is altered by the fix."""
    await world.open(more=TWO)
    slip = world.commit("a slip", files={"slip.py": "1\n"})
    bad = await world.ship("a slip", Behaviour(errors=0.2), revision=slip)
    await world.until_phase(bad, Phase.ROLLING_OUT, within=100)
    between = await world.ship("between", forward_only=True)
    await world.until_settled(bad)
    fix = await world.ship(
        "mended", fixes=bad, revision=world.commit("mended", files={"slip.py": "2\n"})
    )
    assert world.change(between).carried_by == fix
    assert world.change(fix).intent.forward_only


async def test_a_first_release_alters_nobodys_data(world: World):
    """There is nothing to go back to, so nothing is asked."""
    text = manifest("shop", 8080, DATA + TWO)
    files = MIGRATION | {"surefoot.toml": text}
    world.tips["shop"] = world.scm.commit("shop", "first", files, by=ANA)
    await world.desk.register("shop", "", text, ANA)
    number = await world.ship("first", revision=world.tips["shop"])
    assert (await world.until_settled(number)).phase is Phase.ADOPTED
