"""Many changes need little more disk than few: builds go, evidence stays and shrinks."""

import gzip

from engine_world import World

from surefoot.analysis.record import judge_lines
from surefoot.domain.lifecycle import Phase
from surefoot.domain.verdict import Word


def built(world: World) -> set[int]:
    releases = world.home / "services" / "shop" / "releases"
    return {int(path.name) for path in releases.iterdir() if path.name.isdigit()}


def used(world: World) -> int:
    """Bytes under the home, but for the evidence."""
    files = (path for path in world.home.rglob("*") if path.is_file())
    return sum(path.stat().st_size for path in files if "evidence" not in path.parts)


async def ship_many(world: World, count: int) -> list[int]:
    """So many changes, each third undone by somebody in front of users."""
    numbers = []
    for turn in range(count):
        number = await world.ship(f"change {turn}")
        numbers.append(number)
        if turn % 3 == 2:
            await world.until_phase(number, Phase.ROLLING_OUT, within=200)
            await world.undo(number)
            world.tips["shop"] = world.change(numbers[-2]).revision
        await world.until_settled(number)
    await world.live(660)  # over the last soak
    return numbers


async def test_many_changes_need_no_more_builds_than_few(world: World):
    """The live one, three before it and the last one restored: after six changes and after 15."""
    await world.open()
    first = await ship_many(world, 6)
    assert built(world) == {first[4], first[3], first[1], first[0], first[5]}
    few = used(world)
    more = await ship_many(world, 9)
    assert built(world) == {more[7], more[6], more[4], more[3], more[8]}
    assert used(world) <= few * 1.1


async def test_evidence_is_compressed_and_says_the_same(world: World):
    """The API, a new judgement and the recall at a restart read it as they did before."""
    await world.open()
    number = await world.ship()
    await world.until_phase(number, Phase.VERIFIED, within=600)
    await world.live(2)
    folder = world.home / "services" / "shop" / "evidence"
    assert [path.name for path in folder.iterdir()] == [f"{number}.jsonl.gz"]
    text = await world.desk.evidence(number)
    assert gzip.decompress((folder / f"{number}.jsonl.gz").read_bytes()).decode() == text
    assert (folder / f"{number}.jsonl.gz").stat().st_size < len(text) / 4
    assert judge_lines(text.splitlines()).reading.word is Word.VERIFIED
    await world.end()
    await world.up()
    await world.live(3)
    assert world.run().watch.history.seconds > 60


async def test_late_harm_is_restored_when_its_evidence_is_compressed(world: World):
    """A daemon that ends on the way back reads the compressed file, and goes on."""
    await world.open()
    number = await world.ship()
    await world.until_phase(number, Phase.VERIFIED, within=600)
    await world.live(5)
    world.target.faults.slow(20, "stop")
    await world.undo(number)
    await world.until_phase(number, Phase.RESTORING, within=5)
    await world.end()
    world.target.faults.heal()
    await world.up()
    await world.until_phase(number, Phase.RESTORED, within=100)


async def test_evidence_that_cannot_be_compressed_is_left_as_it_is(world: World):
    """A disk that takes nothing more loses nothing."""
    await world.open()
    folder = world.home / "services" / "shop" / "evidence"
    number = await world.ship()
    await world.until_phase(number, Phase.ROLLING_OUT, within=200)
    (folder / f".{number}.jsonl.gz.new").mkdir()
    await world.until_settled(number)
    await world.live(5)
    assert (folder / f"{number}.jsonl").exists()
    assert '"share"' in await world.desk.evidence(number)


async def test_what_was_put_away_is_built_again_for_an_undo(world: World):
    """A fourth undo in a row goes back as well; it takes the time of a build."""
    await world.open()
    numbers = [0]
    for turn in range(5):
        numbers.append(await world.ship(f"change {turn}"))
        await world.until_settled(numbers[-1])
    await world.live(660)
    assert numbers[1] not in built(world)
    for number in reversed(numbers[2:]):
        await world.undo(number)
        await world.until_phase(number, Phase.RESTORED, within=200)
    assert numbers[1] in built(world)
    assert world.share(numbers[1]) == 1.0


async def test_what_a_newer_version_wrote_keeps_all_it_has(world: World):
    """A change that cannot be read is left alone, its build too."""
    await world.open()
    await ship_many(world, 2)
    strange = world.home / "services" / "shop" / "releases" / "99"
    strange.mkdir()
    (strange / "a file").write_text("x")
    await ship_many(world, 4)
    assert (strange / "a file").exists()


async def test_a_change_in_front_of_users_keeps_its_evidence_plain(world: World):
    """What still grows is not compressed, whatever else is put away meanwhile."""
    await world.open()
    number = await world.ship()
    await world.until_phase(number, Phase.ROLLING_OUT, within=200)
    world.run().untidy = True
    world.run().wake.set()
    await world.live(5)
    file = world.home / "services" / "shop" / "evidence" / f"{number}.jsonl"
    assert file.exists()
    assert not file.with_name(f"{file.name}.gz").exists()
