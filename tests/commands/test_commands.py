"""Checks and builds as real processes: how they end, what they say, what they are given."""

import asyncio
import json
import os
import sys
import time
from pathlib import Path

import pytest

from surefoot.adapters.commands import FILE_BYTES, KEPT_BYTES, CommandChecks, CommandNotifier
from surefoot.domain.errors import OutsideFailed
from surefoot.ports import CommandSpec, Finished, Notice

PATIENCE_S = 20.0


async def run(folder: Path, *argv: str, limit_s: float = 60.0, **more: object) -> Finished:
    return await CommandChecks().run(CommandSpec(argv, folder, limit_s, **more))  # type: ignore[arg-type]


async def python(folder: Path, program: str, **more: object) -> Finished:
    return await run(folder, sys.executable, "-c", program, **more)  # type: ignore[arg-type]


def _files(folder: Path) -> int:
    return len(list(folder.iterdir()))


def is_running(pid: int) -> bool:
    """Whether a process does anything; one that only waits to be reaped does not."""
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        return False
    return state != "Z"


async def until_gone(pid: int) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while is_running(pid):
        assert time.monotonic() < deadline, f"process {pid} still runs"
        await asyncio.sleep(0.01)


async def test_a_command_that_passes_says_so(tmp_path: Path) -> None:
    """Code 0 is a pass; both of its streams are kept, in the order in which they came."""
    program = "import sys; print('one', flush=True); print('two', file=sys.stderr)"
    done = await python(tmp_path, program)
    assert (done.ok, done.code, done.said) == (True, 0, "one\ntwo")
    assert 0 < done.seconds < PATIENCE_S


async def test_a_command_that_fails_says_so(tmp_path: Path) -> None:
    """Any other code is none, a signal included."""
    failed = await python(tmp_path, "raise SystemExit(3)")
    killed = await python(tmp_path, "import os; os.kill(os.getpid(), 9)")
    assert (failed.ok, failed.code) == (False, 3)
    assert (killed.ok, killed.code) == (False, -9)


@pytest.mark.parametrize("program", ["no-such-program", "./no-such-file", "/etc/hostname", ""])
async def test_a_program_that_is_not_there_is_an_answer(tmp_path: Path, program: str) -> None:
    """What cannot be started is named with its folder and the cure."""
    done = await run(tmp_path, program)
    assert (done.ok, done.code) == (False, 127)
    assert done.said.startswith(f"{program} cannot be started in {tmp_path}: ")
    assert "Name a program that this host has" in done.said


async def test_a_folder_that_is_not_there_is_an_answer(tmp_path: Path) -> None:
    """A missing folder is a failed command, not a fault of Surefoot."""
    done = await run(tmp_path / "gone", "true")
    assert not done.ok
    assert "gone" in done.said


async def test_nothing_reaches_a_shell(tmp_path: Path) -> None:
    """Arguments arrive as they are written."""
    hostile = ["$(touch pwned)", "; touch pwned", "`touch pwned`", "a\nb", "*"]
    done = await run(tmp_path, "printf", "%s|", *hostile)
    assert done.said == "".join(f"{word}|" for word in hostile)
    assert _files(tmp_path) == 0


async def test_a_command_runs_in_its_folder(tmp_path: Path) -> None:
    """A program of the checkout is found beside its files."""
    script = tmp_path / "check.sh"
    script.write_text("#!/bin/sh\npwd\n")
    script.chmod(0o755)
    assert (await run(tmp_path, "./check.sh")).said == str(tmp_path)


async def test_the_daemons_secrets_stay_with_the_daemon(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A command gets what every program needs and what it was given; nothing can be typed."""
    monkeypatch.setenv("SECRET_OF_THE_DAEMON", "x")
    monkeypatch.setenv("TZ", "UTC")
    program = "import os, sys; print(sorted(os.environ), repr(sys.stdin.read()))"
    done = await python(tmp_path, program, environment={"GIVEN": "1"})
    allowed = {"PATH", "LANG", "TZ", "HOME", "GIVEN", "LC_CTYPE"}  # Python may add the last
    names, _, typed = done.said.rpartition(" ")
    assert set(eval(names)) <= allowed
    assert {"GIVEN", "PATH", "TZ"} <= set(eval(names))
    assert typed == "''"


async def test_it_stands_back_for_the_service(tmp_path: Path) -> None:
    """Checks run at the lowest priority, and so does what they start: users' requests go first."""
    program = (
        "import os, subprocess, sys, time\n"
        "end = time.monotonic() + 20\n"
        "look = lambda: (os.nice(0), os.sched_getscheduler(0) == os.SCHED_IDLE)\n"
        "while look() != (19, True) and time.monotonic() < end: pass\n"
        "print(*look(), flush=True)\n"
        "if sys.argv[1:]: subprocess.run([sys.executable, sys.argv[1]])"
    )
    script = tmp_path / "look.py"
    script.write_text(program)
    done = await run(tmp_path, sys.executable, str(script), str(script))
    assert done.said.splitlines() == ["19 True", "19 True"]


@pytest.mark.skipif(
    not Path("/proc/self/autogroup").exists(), reason="this kernel does not group by session"
)
async def test_its_session_stands_back_as_well(tmp_path: Path) -> None:
    """Several that begin at once all do: the kernel takes such orders one by one."""
    program = (
        "import time\n"
        "look = lambda: open('/proc/self/autogroup').read().split()[-1]\n"
        "end = time.monotonic() + 20\n"
        "while look() != '19' and time.monotonic() < end: time.sleep(0.01)\n"
        "print(look())"
    )
    done = await asyncio.gather(*(python(tmp_path, program) for _ in range(3)))
    assert [one.said for one in done] == ["19", "19", "19"]


async def test_odd_bytes_are_replaced(tmp_path: Path) -> None:
    """Output need not be UTF-8."""
    done = await python(tmp_path, r"import os; os.write(1, b'caf\xe9 \x00 ok')")
    assert done.said == "caf\ufffd \x00 ok"


async def test_only_the_end_of_much_output_is_kept(tmp_path: Path) -> None:
    """Memory holds the last of it; the file has it all, up to its limit."""
    output = tmp_path / "logs" / "check.log"
    program = f"import sys; sys.stdout.write('x' * {FILE_BYTES} + 'the end')"
    done = await python(tmp_path, program, output=output)
    assert done.ok
    assert len(done.said) == KEPT_BYTES
    assert done.said.endswith("xthe end")
    assert output.stat().st_size == FILE_BYTES
    short = await python(tmp_path, "print('whole')", output=output)
    assert output.read_text() == "whole\n"
    assert short.said == "whole"


CHILD_THAT_LINGERS = """
import os, signal, sys, time
if os.fork() == 0:
    if 'deaf' in sys.argv:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
    print(os.getpid(), flush=True)
    time.sleep(600)
if 'wait' in sys.argv:
    time.sleep(600)
time.sleep(0.2)
"""


async def lingering(folder: Path, *how: str, limit_s: float) -> tuple[Finished, int]:
    done = await run(folder, sys.executable, "-c", CHILD_THAT_LINGERS, *how, limit_s=limit_s)
    return done, int(done.said)


@pytest.mark.parametrize("how", [("wait",), ("wait", "deaf")])
async def test_the_time_limit_ends_the_whole_group(tmp_path: Path, how: tuple[str, ...]) -> None:
    """At the limit the command and its children end, one that does not hear SIGTERM included."""
    done, child = await lingering(tmp_path, *how, limit_s=5.0)
    assert (done.ok, done.code) == (False, None)
    assert done.seconds >= 5.0
    await until_gone(child)


@pytest.mark.parametrize("how", [(), ("deaf",)])
async def test_what_a_command_leaves_behind_is_ended(tmp_path: Path, how: tuple[str, ...]) -> None:
    """A child that holds the output does not keep a finished command from being finished."""
    done, child = await lingering(tmp_path, *how, limit_s=300.0)
    assert (done.ok, done.code) == (True, 0)
    assert done.seconds < PATIENCE_S
    await until_gone(child)


async def test_a_command_may_tidy_up_at_its_limit(tmp_path: Path) -> None:
    """SIGTERM comes first, so that a command can put away what it made."""
    program = (
        "import signal, sys, time\n"
        "signal.signal(signal.SIGTERM, lambda *_: sys.exit(print('tidied up')))\n"
        "print('ready', flush=True)\n"
        "time.sleep(600)"
    )
    done = await python(tmp_path, program, limit_s=5.0)
    assert done.code is None
    assert done.said == "ready\ntidied up"


async def test_a_command_ends_with_the_task_that_wanted_it(tmp_path: Path) -> None:
    """When its caller is cancelled, nothing of the group goes on."""
    output = tmp_path / "check.log"
    argv = (sys.executable, "-c", CHILD_THAT_LINGERS, "wait")
    task = asyncio.create_task(CommandChecks().run(CommandSpec(argv, tmp_path, 60.0, {}, output)))
    deadline = time.monotonic() + PATIENCE_S
    while not (child := _first_line(output)):
        assert time.monotonic() < deadline, "the command said nothing"
        await asyncio.sleep(0.01)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    await until_gone(int(child))


def _first_line(path: Path) -> str:
    return path.read_text().partition("\n")[0] if path.exists() else ""


async def test_many_commands_leave_no_descriptor_open(tmp_path: Path) -> None:
    """Running commands does not use up what a process may have open."""
    await run(tmp_path, "true")
    before = _files(Path("/proc/self/fd"))
    await asyncio.gather(*(run(tmp_path, "true") for _ in range(10)), run(tmp_path, "no-such"))
    assert _files(Path("/proc/self/fd")) <= before


async def test_a_command_reads_what_it_is_told(tmp_path: Path) -> None:
    """Standard input holds the sentence, to its end."""
    done = await python(tmp_path, "print(input()); input()", told="one\n")
    assert done.said.startswith("one\n")
    assert "EOFError" in done.said


async def test_only_what_stands_back_is_put_behind_others(tmp_path: Path) -> None:
    """What may be urgent keeps the priority of who runs it."""
    program = "import os, time; time.sleep(0.3); print(os.nice(0))"
    assert (await python(tmp_path, program, stands_back=False)).said == str(os.nice(0))


NOTICE = Notice("shop 41 is restored. All is well, caf\u00e9 included.", {"event": "restored"})


async def test_the_team_is_told_in_a_sentence_and_a_file(tmp_path: Path) -> None:
    """The sentence on standard input, JSON in the file that the environment names."""
    program = (
        "import json, os\n"
        "told = open(os.environ['SUREFOOT_EVENT_FILE']).read()\n"
        "open('told', 'w').write(input() + '|' + told)"
    )
    await CommandNotifier().tell((sys.executable, "-c", program), tmp_path, NOTICE)
    sentence, _, facts = (tmp_path / "told").read_text().partition("|")
    assert sentence == NOTICE.sentence
    assert json.loads(facts) == NOTICE.facts


async def test_a_team_that_cannot_be_told_is_said(tmp_path: Path) -> None:
    """How the command ended, and the end of what it said."""
    program = "import sys; print('one\\ntwo', flush=True); sys.exit('no route to chat')"
    with pytest.raises(OutsideFailed, match=r"exit 1: one two no route to chat"):
        await CommandNotifier().tell((sys.executable, "-c", program), tmp_path, NOTICE)
    with pytest.raises(OutsideFailed, match=r"no-such-program cannot be started"):
        await CommandNotifier().tell(("no-such-program",), tmp_path, NOTICE)


async def test_telling_ends_at_its_time_limit(tmp_path: Path) -> None:
    """A command that never ends is ended after ten seconds, with what it has started."""
    program = CHILD_THAT_LINGERS.replace(
        "print(os.getpid()", "print(os.getpid(), file=open('p','w')"
    )
    argv = (sys.executable, "-c", program, "wait")
    began = time.monotonic()
    with pytest.raises(OutsideFailed, match="took too long"):
        await CommandNotifier().tell(argv, tmp_path, NOTICE)
    assert time.monotonic() - began < 10 + PATIENCE_S
    await until_gone(int((tmp_path / "p").read_text()))


async def test_telling_gets_no_secret_of_the_daemon(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The environment is that of checks, and the file's name."""
    monkeypatch.setenv("SECRET_OF_THE_DAEMON", "x")
    program = "import os; open('told', 'w').write(' '.join(os.environ))"
    await CommandNotifier().tell((sys.executable, "-c", program), tmp_path, NOTICE)
    allowed = {"PATH", "LANG", "TZ", "HOME", "SUREFOOT_EVENT_FILE", "LC_CTYPE"}
    names = set((tmp_path / "told").read_text().split())
    assert "SUREFOOT_EVENT_FILE" in names
    assert names <= allowed
