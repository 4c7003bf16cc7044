"""What a change prints beside its baseline, and what it alters, as anybody may ask."""

import pytest
from engine_world import ANA, OWN, World, manifest

from surefoot.domain.errors import NotFound
from surefoot.domain.lifecycle import Phase
from surefoot.testing import Behaviour

BAD = Behaviour(errors=0.5)
START = ("shop 4.2 starts as process 4711", "listening on 127.0.0.1:20001")


async def test_what_only_the_canary_prints_comes_first(world: World):
    """With its count, while it is exposed and when it has been restored and ended."""
    await world.open()
    asked = [f"GET /items/{n} 200 in {n}ms" for n in range(30_000)]
    world.target.prints("shop", 0, *START, *asked)
    number = await world.ship("a change", BAD)
    retries = [f"retry {n} of 9 for order {n:08x}" for n in range(7)]
    world.target.prints("shop", number, *START, "cache\tis\x1b[2J cold", *retries, *asked[:90])
    await world.until_phase(number, Phase.ROLLING_OUT, within=60)
    during = await world.desk.output(number)
    assert (during.number, during.beside, during.more) == (number, 0, 0)
    retry, cold = during.new
    assert (retry.newest, retry.count) == ("retry 6 of 9 for order 00000006", 7)
    assert (cold.newest, cold.count) == ("cache\tis\N{REPLACEMENT CHARACTER}[2J cold", 1)
    assert during.lines == tuple(asked[50:90])
    assert during.beside_lines == tuple(asked[-40:])
    assert during.says.startswith("Compared: 100 lines of 1 and 4,000 of 0, ")
    await world.until_phase(number, Phase.RESTORED, within=120)
    assert await world.desk.output(number, "shop") == during


async def test_where_nothing_is_kept_that_is_said(world: World):
    """Of a release that waits, of one that was not started here, and of no release at all."""
    await world.open()
    await world.desk.hold("shop", ANA, "not now")
    number = await world.ship()
    status = await world.desk.output(number)
    assert (status.lines, status.new, status.beside) == (None, (), 0)
    assert status.says == "1 has printed nothing yet."
    world.target.prints("shop", number, *START)
    status = await world.desk.output(number)
    assert (status.lines, status.beside_lines, status.new) == (START, None, ())
    assert "nothing of what 0 printed is kept: Surefoot did not start it" in status.says
    world.target.prints("shop", 0, "ready")
    first = await world.desk.output(0)
    assert (first.lines, first.beside, first.new) == (("ready",), None, ())
    with pytest.raises(NotFound):
        await world.desk.output(99)


async def test_a_release_that_prints_nothing_is_not_compared(world: World):
    """Nothing is no less than what the other prints: it is said as it is."""
    await world.open()
    number = await world.ship()
    world.target.prints("shop", 0, "ready", "set")
    world.target.prints("shop", number)
    status = await world.desk.output(number)
    assert (status.lines, status.new) == ((), ())
    assert status.says == "1 prints nothing; 0 printed 2 lines."


async def test_many_kinds_and_long_lines_are_cut_and_counted(world: World):
    """Twenty kinds are told and the rest is counted; no line has more than 300 characters."""
    await world.open()
    number = await world.ship()
    world.target.prints("shop", 0, "ready")
    world.target.prints("shop", number, *("x" * n + "!" * 400 for n in range(25)))
    status = await world.desk.output(number)
    assert (len(status.new), status.more) == (20, 5)
    assert {len(kind.newest) for kind in status.new} == {300}
    assert {len(line) for line in status.lines or ()} == {300}


async def test_a_manifest_between_is_passed_over(world: World):
    """What stands on a manifest that was applied is compared with the release that runs."""
    await world.open(more=OWN + '[team]\nreview = "off"\n')
    text = manifest("shop", 8080, '[team]\nreview = "off"\n')
    loosened = world.commit("watch it less", files={"surefoot.toml": text})
    applied = await world.ship("watch it less", revision=loosened)
    await world.until_phase(applied, Phase.APPLIED, within=60)
    assert (await world.desk.output(applied)).says.endswith("nothing of it runs.")
    assert "-[metrics.checkout_errors]" in (await world.desk.diff(applied)).lines
    number = await world.ship()
    world.target.prints("shop", number, "ready")
    assert (await world.desk.output(number)).beside == 0
    await world.until_settled(number)
    assert (await world.desk.output(number)).beside == 0


async def test_what_a_change_alters_can_be_read(world: World):
    """Its diff with the command that shows all of it; of the first release its last commit."""
    await world.open()
    revision = world.commit("faster", files={"app.py": "\tif x:\x1b[2J\n"})
    number = await world.ship(revision=revision)
    diff = await world.desk.diff(number)
    base = world.change(number).base or ""
    assert diff.lines[2:] == (
        "@@ -1 +1 @@",
        "-1",
        "+\tif x:\N{REPLACEMENT CHARACTER}[2J",
    )
    assert (diff.base, diff.revision, diff.left_out, diff.says) == (base, revision, 0, "")
    assert diff.command == f"git diff {base[:12]}..{revision[:12]}"
    first = await world.desk.diff(0)
    assert first.says == "Nothing was live before it: this is its last commit alone."
    assert first.command.startswith("git show ")
    assert "+++ b/surefoot.toml" in first.lines


async def test_of_a_large_diff_the_beginning_is_shown(world: World):
    """Four hundred lines and forty kilobytes at most; what is left out is counted."""
    await world.open()
    many = world.commit("many", files={"app.py": "".join(f"{n}\n" for n in range(1_000))})
    one = await world.desk.diff(await world.ship(revision=many))
    assert (len(one.lines), len(one.lines) + one.left_out) == (400, 3 + 1_000)
    files = {f"{n}.py": "é" * 600 + "\n" for n in range(90)}
    wide = world.commit("wide", files=files)
    two = await world.desk.diff(await world.ship(revision=wide))
    assert max(map(len, two.lines)) == 500
    assert sum(len(line.encode()) + 1 for line in two.lines) <= 40_000
    assert two.left_out > 0
