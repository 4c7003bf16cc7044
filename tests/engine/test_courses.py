"""The course of a change that somebody looks at: made from its evidence, and going on with it."""

import asyncio
from pathlib import Path

import pytest
from engine_world import World

from surefoot.analysis.course import Course
from surefoot.analysis.record import judge_lines
from surefoot.analysis.replay import Judged
from surefoot.domain.errors import NotFound
from surefoot.domain.lifecycle import Phase
from surefoot.domain.verdict import Word
from surefoot.engine.courses import KEPT, Courses
from surefoot.engine.evidence import compress
from surefoot.testing import Behaviour

ROWS = (
    '{"plan": {"interval": 1, "steps": [0.1], "metrics": {"errors": {"p": 0.01}}}}',
    '{"t": 0, "share": 0.1}',
    '{"t": 1, "metric": "errors", "kind": "ratio", "arm": "canary", "bad": 1, "all": 20}',
    '{"t": 1, "metric": "errors", "kind": "ratio", "arm": "baseline", "bad": 2, "all": 180}',
)
BEYOND = ROWS[2].replace('"t": 1', '"t": T').replace("20}", "1e308}")


def evidence(world: World, number: int) -> Path:
    return world.home / "services" / "shop" / "evidence" / f"{number}.jsonl"


async def course(world: World, number: int) -> Judged:
    judged = await world.desk.course(number)
    assert judged is not None
    return judged


async def test_course_grows_with_the_rollout(world: World):
    """Asked each second, it says at each moment what the live judge says."""
    await world.open()
    number = await world.ship()
    assert await world.desk.course(number) is None
    await world.until_phase(number, Phase.ROLLING_OUT, within=200)
    ends = []
    while world.change(number).phase in {Phase.ROLLING_OUT, Phase.VERIFYING}:
        await world.live(1)
        if (exposure := world.run().watch.exposure) and exposure.reading:
            judged = await course(world, number)
            assert judged.result.reading == exposure.reading
            ends.append(judged.course.stretches[-1].end)
    assert len(ends) > 50
    judged, fresh = await course(world, number), Course()
    judge_lines((await world.desk.evidence(number)).splitlines(), fresh)
    assert judged.course.stretches == fresh.stretches
    assert (judged.course.last, judged.course.proven) == (fresh.last, fresh.proven)


@pytest.mark.parametrize(("errors", "word"), [(0.01, Word.VERIFIED), (0.2, Word.WORSE)])
async def test_course_is_that_of_a_fresh_judgement(world: World, errors: float, word: Word):
    """Whether it was followed, or asked for the first time when all was over and compressed."""
    await world.open()
    number = await world.ship("a change", Behaviour(errors=errors))
    await world.until_phase(number, Phase.ROLLING_OUT, within=200)
    for _ in range(20):
        await world.live(0.7)
        await world.desk.course(number)
    await world.until_settled(number)
    await world.live(5)
    assert not evidence(world, number).exists()
    followed = await course(world, number)
    first = await Courses().of(evidence(world, number))
    assert first is not None
    fresh = judge_lines((await world.desk.evidence(number)).splitlines())
    assert followed.result == first.result == fresh
    assert await course(world, number) is followed
    assert followed.result.reading.word is word


async def test_course_goes_on_where_the_daemon_left_it(world: World):
    """After a restart the gap is in it, and it is still the live judge's."""
    await world.open()
    number = await world.ship()
    await world.until_phase(number, Phase.ROLLING_OUT, within=200)
    await world.live(12)
    await world.end()
    await world.live(4)
    await world.up()
    await world.live(6)
    exposure = world.run().watch.exposure
    assert exposure
    judged = await course(world, number)
    assert judged.result.reading == exposure.reading
    assert judged.course.unwatched_s >= 4


async def test_half_a_line_spoils_no_evidence(world: World):
    """What a power cut tore is cut off by the next daemon, which goes on behind the whole lines."""
    await world.open()
    number = await world.ship()
    await world.until_phase(number, Phase.ROLLING_OUT, within=200)
    await world.live(5)
    await world.end()
    with evidence(world, number).open("a") as file:
        file.write('{"t": 6.1, "met')
    await world.up()
    await world.live(5)
    exposure = world.run().watch.exposure
    assert exposure
    judged = await course(world, number)
    assert judged.result.reading == exposure.reading
    assert judge_lines((await world.desk.evidence(number)).splitlines()) == judged.result


async def test_course_of_an_unknown_change(world: World):
    """There is none, and that is said as everywhere."""
    await world.open()
    with pytest.raises(NotFound):
        await world.desk.course(41)


async def test_what_was_handed_out_stays_as_it_was(tmp_path: Path):
    """Somebody may still draw the course when the next second is added to it."""
    file, courses = tmp_path / "1.jsonl", Courses()
    write(file, *ROWS)
    before = await courses.of(file)
    assert before
    kept = list(before.course.stretches)
    write(file, ROWS[2].replace('"t": 1', '"t": 2'))
    after = await courses.of(file)
    assert after
    assert before.course.stretches == kept
    assert len(after.course.stretches) == len(kept) + 1


async def test_torn_last_line_waits(tmp_path: Path):
    """Half a line counts for nothing, and once it is whole for what it says."""
    file, courses = tmp_path / "1.jsonl", Courses()
    write(file, *ROWS)
    whole = await courses.of(file)
    later = '{"t": 2, "fact": "dead"}\n'
    with file.open("a") as opened:
        opened.write(later[:9])
    assert await courses.of(file) is whole
    with file.open("a") as opened:
        opened.write(later[9:])
    dead = await courses.of(file)
    assert dead
    assert dead.result.reading.word is Word.WORSE


async def test_begun_anew_is_judged_anew(tmp_path: Path):
    """A file that somebody put another in the place of is read from its first line."""
    file, courses = tmp_path / "1.jsonl", Courses()
    write(file, *ROWS)
    await courses.of(file)
    file.unlink()
    write(file, *ROWS[:2], '{"t": 3, "fact": "dead"}', *(f'{{"t": {t}, "gap": 1}}' for t in "456"))
    judged = await courses.of(file)
    assert judged
    assert judged.result.reading.metric == "dead"
    file.unlink()
    assert await courses.of(file) is None


@pytest.mark.parametrize(
    "spoiled",
    [
        b"\xff\xfe not JSON",
        b"[" * 100_000,
        ROWS[1].encode(),
        b'{"plan": {"metrics": {"errors": 7}}}',
        b"\n".join(row.encode() for row in (*ROWS, ROWS[0])),
        b"\n".join(row.encode() for row in (*ROWS, ROWS[1])),
        b"\n".join(row.encode() for row in (*ROWS, b"1e999".decode())),
        ROWS[0].replace("0.01", "1" * 5000).encode(),
        "\n".join((*ROWS[:2], *(BEYOND.replace("T", t) for t in "23456"))).encode(),
    ],
)
async def test_hostile_file_is_no_course(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, spoiled: bytes
):
    """It is said once in the log, plain or compressed, and asked again it costs nothing."""
    file, courses = tmp_path / "1.jsonl", Courses()
    file.write_bytes(spoiled + b"\n")
    assert await courses.of(file) is None
    assert await courses.of(file) is None
    assert [record.levelname for record in caplog.records] == ["WARNING"]
    compress(file)
    assert await Courses().of(file) is None
    packed = file.with_name("1.jsonl.gz")
    packed.write_bytes(packed.read_bytes()[:-9])
    assert await Courses().of(file) is None


async def test_who_leaves_spoils_nothing(tmp_path: Path):
    """Of two who ask at once both get the one answer, also if one of them does not wait."""
    file, courses = tmp_path / "1.jsonl", Courses()
    write(file, *ROWS)
    left, one, other = (asyncio.create_task(courses.of(file)) for _ in range(3))
    await asyncio.sleep(0)
    left.cancel()
    assert await one is await other is not None
    with pytest.raises(asyncio.CancelledError):
        await left


async def test_only_some_courses_are_kept(tmp_path: Path):
    """Of more than eight the one that nobody asked for longest is made anew."""
    courses, files = Courses(), [tmp_path / f"{number}.jsonl" for number in range(KEPT + 1)]
    for file in files:
        write(file, *ROWS)
    first = [await courses.of(file) for file in files[:KEPT]]
    assert await courses.of(files[0]) is first[0]
    await courses.of(files[KEPT])
    assert await courses.of(files[0]) is first[0]
    again = await courses.of(files[1])
    assert again
    assert again is not first[1]


def write(file: Path, *lines: str) -> None:
    with file.open("a", encoding="utf-8") as opened:
        opened.writelines(f"{line}\n" for line in lines)
