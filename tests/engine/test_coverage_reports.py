"""Coverage reports that checks leave: what a change's status tells of its untested lines."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest
from engine_world import NO_REVIEW, World

from surefoot.domain.lifecycle import Phase
from surefoot.engine.coverage import LARGEST_REPORT
from surefoot.engine.status import ChangeStatus, CoverageStatus, UntestedFileStatus
from surefoot.ports import CommandSpec, Finished
from surefoot.testing import MemoryChecks

UNIT = 'coverage = "lcov.info"\n'
SLOW = '[checks.slow]\nrun = ["slow"]\ncoverage = "out/slow.info"\n'
CODE = {
    "app.py": "def total(prices):\n    if not prices:\n        return 0\n    return sum(prices)\n"
}
HALF = "SF:app.py\nDA:1,1\nDA:2,1\nDA:3,0\nDA:4,0\nend_of_record\n"


class ReportingChecks(MemoryChecks):
    """Checks that leave something in the folder in which they run."""

    leaves: dict[tuple[str, ...], Callable[[Path], object]]

    async def run(self, command: CommandSpec) -> Finished:
        finished = await super().run(command)
        self.leaves.get(command.argv, lambda _: None)(command.folder)
        return finished


def writes(text: str, path: str = "lcov.info") -> Callable[[Path], object]:
    def leave(folder: Path) -> None:
        (folder / path).parent.mkdir(exist_ok=True)
        (folder / path).write_text(text.replace("ROOT", str(folder)), encoding="utf-8")

    return leave


async def reporting(
    world: World, leaves: dict[str, Callable[[Path], object]], more: str = UNIT
) -> ReportingChecks:
    """A service whose checks leave these things."""
    checks = ReportingChecks(world.clock)
    checks.leaves = {(name,): leave for name, leave in leaves.items()}
    await world.end()
    world.checks = checks
    await world.up()
    await world.open(more=more + NO_REVIEW)
    return checks


async def shipped(
    world: World,
    leaves: dict[str, Callable[[Path], object]],
    more: str = UNIT,
    files: dict[str, str] = CODE,
) -> ChangeStatus:
    """The status of a change to `CODE` that got ready, with checks that leave these things."""
    await reporting(world, leaves, more)
    number = await world.ship(revision=world.commit("a sum", files=files))
    await world.until_phase(number, Phase.ROLLING_OUT, Phase.REJECTED, within=60)
    return await world.desk.change(number)


async def test_lines_that_no_check_ran_are_told(world: World):
    """Counted among those that can run, by file and range; and the change goes on."""
    change = await shipped(world, {"unit": writes(HALF)})
    assert change.phase == "rolling_out"
    assert change.coverage == CoverageStatus(
        says="2 of 4 added lines that can run were run by no check with a coverage report: "
        "who can test them?",
        can_run=4,
        untested=2,
        files=(UntestedFileStatus("app.py", "3-4"),),
        left_out=0,
        unread=(),
    )


async def test_what_is_known_outlives_the_daemon(world: World):
    """It is kept with the change."""
    before = await shipped(world, {"unit": writes(HALF)})
    await world.end()
    await world.up()
    assert (await world.desk.change(before.number)).coverage == before.coverage


async def test_a_line_that_any_check_ran_is_tested(world: World):
    """Two reports are one knowledge; a file may be named by its absolute path."""
    rest = writes("SF:ROOT/app.py\nDA:3,1\nDA:4,9\nend_of_record\n", "out/slow.info")
    change = await shipped(world, {"unit": writes(HALF), "slow": rest}, UNIT + SLOW)
    assert change.coverage.says == "Every added line that can run was run by a check."
    assert (change.coverage.can_run, change.coverage.files) == (4, ())


async def test_one_line_is_spoken_of_as_one(world: World):
    """It, not them."""
    one = HALF.replace("DA:3,0", "DA:3,1")
    change = await shipped(world, {"unit": writes(one)})
    assert change.coverage.says.startswith("1 of 4 added lines that can run was run by no check")
    assert change.coverage.says.endswith("who can test it?")


async def test_nothing_is_said_where_no_check_names_a_report(world: World):
    """A team that measures no coverage is not asked for it."""
    assert (await shipped(world, {}, more="")).coverage is None


async def test_a_report_of_other_lines_says_so(world: World):
    """That nothing can run is not that everything was tested."""
    change = await shipped(world, {"unit": writes("SF:other.py\nDA:1,0\nend_of_record\n")})
    assert change.coverage.says == "No report of a check knows an added line that can run."


def _nothing(folder: Path) -> None:
    assert not (folder / "lcov.info").exists()


def _link_out(folder: Path) -> None:
    outside = folder.parent / "outside.info"
    outside.write_text(HALF, encoding="utf-8")
    (folder / "lcov.info").symlink_to(outside)


def _circle(folder: Path) -> None:
    (folder / "lcov.info").symlink_to("lcov.info")


def _pipe(folder: Path) -> None:
    os.mkfifo(folder / "lcov.info")


def _folder(folder: Path) -> None:
    (folder / "lcov.info").mkdir()


def _huge(folder: Path) -> None:
    with (folder / "lcov.info").open("wb") as file:
        file.truncate(LARGEST_REPORT + 1)


def _binary(folder: Path) -> None:
    (folder / "lcov.info").write_bytes(bytes(range(256)))


@pytest.mark.parametrize(
    ("leave", "why"),
    [
        (_nothing, "is not there"),
        (_link_out, "leads out of the checkout"),
        (_circle, "cannot be read"),
        (_pipe, "is no file"),
        (_folder, "cannot be read (Is a directory)"),
        (_huge, "is larger than 32 MB"),
        (_binary, "is no LCOV tracefile"),
    ],
)
async def test_a_report_that_cannot_be_read_is_said_and_blocks_nothing(
    world: World, leave: Callable[[Path], object], why: str
):
    """Whatever stands in its place: in a sentence, with the check and the path."""
    change = await shipped(world, {"unit": leave})
    assert change.phase == "rolling_out"
    assert (change.coverage.says, change.coverage.can_run) == ("", 0)
    (said,) = change.coverage.unread
    assert said.startswith(f"The coverage report of check unit {why}")
    assert said.endswith(": lcov.info.")


async def test_a_link_inside_of_the_checkout_is_followed(world: World):
    """Only what leads out of it is none of ours."""

    def leave(folder: Path) -> None:
        writes(HALF, "out/real.info")(folder)
        (folder / "lcov.info").symlink_to("out/real.info")

    assert (await shipped(world, {"unit": leave})).coverage.untested == 2


async def test_records_that_cannot_be_read_are_said_beside_the_rest(world: World):
    """Nothing that could be read is lost, and nothing else is passed off as run."""
    odd = HALF.replace("DA:4,0", "DA:4,many")
    change = await shipped(world, {"unit": writes(odd)})
    assert (change.coverage.can_run, change.coverage.untested) == (3, 1)
    (said,) = change.coverage.unread
    assert "has 1 DA records that cannot be read" in said


async def test_a_report_that_is_kept_in_git_is_not_believed(world: World):
    """Nobody knows whether this run wrote it, or one of last year."""
    old = {**CODE, "lcov.info": HALF.replace(",0", ",1")}
    change = await shipped(world, {}, files=old)
    assert change.phase == "rolling_out"
    assert "is kept in the repository" in change.coverage.unread[0]
    assert change.coverage.says == ""


async def test_checks_that_fail_tell_of_no_lines(world: World):
    """A run that was cut short has run less than it would."""
    checks = await reporting(world, {"unit": writes(HALF)})
    checks.end(("unit",), Finished(ok=False, code=1, seconds=0.5, said="1 failed"))
    number = await world.ship(revision=world.commit("a sum", files=CODE))
    await world.until_phase(number, Phase.REJECTED, within=60)
    assert (await world.desk.change(number)).coverage is None


async def test_a_diff_that_cannot_be_read_is_said(world: World):
    """It costs the knowledge of lines, not the checks that have passed."""
    await reporting(world, {"unit": writes(HALF)})
    world.scm.faults.fail("diff")
    number = await world.ship(revision=world.commit("a sum", files=CODE))
    await world.until_phase(number, Phase.ROLLING_OUT, within=60)
    change = await world.desk.change(number)
    assert "The diff could not be set beside coverage" in change.coverage.unread[0]
