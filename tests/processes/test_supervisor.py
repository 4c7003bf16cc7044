"""Programs outlive the daemon and their supervisor, and end without a rest when dropped.

Method: a real supervisord, real processes, real signals; the truth is read from /proc.
"""

import asyncio
import os
import signal
import stat

import pytest
from process_helpers import lines_of, script

from surefoot.adapters.processes import SupervisorPrograms, procfs
from surefoot.domain.errors import OutsideFailed, Refused

pytest_plugins = ("process_world",)


def supervisor_of(home) -> procfs.Holder | None:
    return procfs.holder(home / "supervisor" / "supervisord.lock")


async def test_restarts_what_ends(programs, program, runs):
    """A program that is killed runs again under another pid."""
    wanted = program()
    await programs.keep(wanted)
    first = await runs(wanted.lock)
    os.kill(first.pid, signal.SIGKILL)
    second = await runs(wanted.lock, other=first)
    assert second.pid != first.pid


async def test_starting_twice_changes_nothing(programs, program, tmp_path, runs):
    """A second start, even by another control plane at the same time, leaves one supervisor."""
    before = supervisor_of(tmp_path)
    others = [SupervisorPrograms(tmp_path, programs._clock) for _ in range(3)]
    await asyncio.gather(*(other.start() for other in others))
    assert supervisor_of(tmp_path) == before
    await others[0].keep(program())
    assert await programs.kept() == ("stay",)
    await runs(program().lock)


async def test_supervisor_killed_nothing_else_changes(programs, program, tmp_path, until, runs):
    """After kill -9 of the supervisor its programs go on; a new one adopts and restarts them."""
    wanted = program()
    await programs.keep(wanted)
    first = await runs(wanted.lock)
    os.kill(supervisor_of(tmp_path).pid, signal.SIGKILL)
    await until(lambda: supervisor_of(tmp_path) is None)
    with pytest.raises(OutsideFailed, match="does not answer"):
        await programs.keep(
            program(name="late", lock=tmp_path / "late.lock", log=tmp_path / "late")
        )
    await programs.start()
    assert procfs.holder(wanted.lock) == first
    await until(lambda: len(procfs.takers(wanted.lock)) == 2)
    os.kill(first.pid, signal.SIGKILL)
    second = await runs(wanted.lock, other=first)
    await until(lambda: lines_of(wanted.log) == [str(first.pid), str(second.pid)])


async def test_a_supervisor_that_dies_again_and_again_leaves_nobody_behind(
    programs, program, tmp_path, until, runs
):
    """Of those who wait behind a program, only the one that the last supervisor started stays."""
    wanted = program()
    await programs.keep(wanted)
    first = await runs(wanted.lock)
    for _ in range(10):
        killed = supervisor_of(tmp_path)
        os.kill(killed.pid, signal.SIGKILL)
        await until(lambda: supervisor_of(tmp_path) is None)
        await programs.start()
        await until(lambda: len(procfs.takers(wanted.lock)) > 1)
    await until(lambda: len(procfs.takers(wanted.lock)) == 2)
    assert procfs.holder(wanted.lock) == first


async def test_silent_supervisor_is_replaced(programs, program, tmp_path, runs):
    """A supervisor that is frozen is ended and another one adopts what it kept."""
    wanted = program()
    await programs.keep(wanted)
    running = await runs(wanted.lock)
    frozen = supervisor_of(tmp_path)
    os.kill(frozen.pid, signal.SIGSTOP)
    await programs.start()
    assert supervisor_of(tmp_path) not in {None, frozen}
    assert procfs.holder(wanted.lock) == running


async def test_hot_standby_takes_over(programs, program, until, runs):
    """A second program on the same lock waits, runs when the first ends, and ends when dropped."""
    first, standby = program(), program(name="standby")
    await programs.keep(first)
    before = await runs(first.lock)
    await programs.keep(standby)
    await until(lambda: len(procfs.takers(first.lock)) == 2)
    os.kill(before.pid, signal.SIGKILL)
    after = await runs(first.lock, other=before)
    assert after.pid != before.pid
    await programs.drop("standby", kill=True)
    last = await runs(first.lock, other=after)
    assert last.pid not in {before.pid, after.pid}
    await programs.drop("stay")
    assert procfs.takers(first.lock) == ()


async def test_dropping_the_standby_leaves_the_first(programs, program, until, runs):
    """Ending one of two programs on a lock never ends the other one's copy."""
    first, standby = program(), program(name="standby")
    await programs.keep(first)
    before = await runs(first.lock)
    await programs.keep(standby)
    await until(lambda: len(procfs.takers(first.lock)) == 2)
    await programs.drop("standby", kill=True)
    assert procfs.holder(first.lock) == before
    assert procfs.takers(first.lock) == (before.pid,)


async def test_dropping_an_orphan_leaves_the_standby(programs, program, tmp_path, until, runs):
    """After the supervisor's death a copy still belongs to its program, and ends with it."""
    first, standby = program(), program(name="standby")
    await programs.keep(first)
    before = await runs(first.lock)
    await programs.keep(standby)
    await until(lambda: len(procfs.takers(first.lock)) == 2)
    os.kill(supervisor_of(tmp_path).pid, signal.SIGKILL)
    await until(lambda: supervisor_of(tmp_path) is None)
    await programs.start()
    await until(lambda: len(procfs.takers(first.lock)) >= 3)  # an orphan that waits gives way
    await programs.drop("stay")
    assert (await runs(first.lock, other=before)).file == "standby.json"


@pytest.mark.parametrize("kill", [False, True])
async def test_drop_ends_the_whole_group(programs, program, tmp_path, until, kill):
    """Workers that ignore SIGTERM are ended with their leader."""
    argv = script(
        tmp_path,
        "workers.py",
        """
        import os, signal, time
        for _ in range(2):
            if os.fork() == 0:
                signal.signal(signal.SIGTERM, signal.SIG_IGN)
                print(os.getpid(), flush=True)
                time.sleep(600)
        time.sleep(600)
        """,
    )
    wanted = program(argv=argv, stop_timeout_s=0.3)
    await programs.keep(wanted)
    await until(lambda: len(lines_of(wanted.log)) == 2)
    group = procfs.holder(wanted.lock).pid
    await programs.drop("stay", kill=kill)
    assert group not in procfs.groups()
    assert await programs.kept() == ()


async def test_drop_without_a_supervisor(programs, program, tmp_path, until, runs):
    """An orphan, and a copy that waits behind it, end although no supervisor answers."""
    wanted = program()
    await programs.keep(wanted)
    await runs(wanted.lock)
    os.kill(supervisor_of(tmp_path).pid, signal.SIGKILL)
    await programs.start()
    await until(lambda: len(procfs.takers(wanted.lock)) == 2)
    os.kill(supervisor_of(tmp_path).pid, signal.SIGKILL)
    await programs.drop("stay")
    assert procfs.takers(wanted.lock) == ()
    await programs.start()
    assert await programs.kept() == ()
    assert procfs.takers(wanted.lock) == ()


async def test_workers_of_a_dead_leader_do_not_block(programs, program, tmp_path, until, runs):
    """A leader that dies alone leaves workers with its lock; they are ended and it runs again."""
    argv = script(
        tmp_path,
        "leader.py",
        """
        import os, time
        if os.fork() == 0:
            time.sleep(600)
        print(os.getpid(), flush=True)
        time.sleep(600)
        """,
    )
    wanted = program(argv=argv)
    await programs.keep(wanted)
    await until(lambda: lines_of(wanted.log))
    first = procfs.holder(wanted.lock)
    os.kill(first.pid, signal.SIGKILL)
    second = await runs(wanted.lock, other=first)
    assert second.pid != first.pid
    assert first.pid not in procfs.groups()


async def test_another_description_replaces(programs, program, runs):
    """Keeping the same changes nothing; keeping under another description starts it anew."""
    wanted = program()
    await programs.keep(wanted)
    first = await runs(wanted.lock)
    await programs.keep(wanted)
    assert procfs.holder(wanted.lock) == first
    await programs.keep(program(environment={"COLOUR": "blue"}))
    second = await runs(wanted.lock, other=first)
    assert second.pid != first.pid


async def test_output_survives_the_supervisor(programs, program, tmp_path, until):
    """What a program says after the supervisor's death arrives in its log."""
    argv = script(
        tmp_path,
        "talk.py",
        "import time\nfor n in range(60_000):\n    print(n, flush=True)\n    time.sleep(0.02)\n",
    )
    wanted = program(argv=argv)
    await programs.keep(wanted)
    await until(lambda: lines_of(wanted.log))
    os.kill(supervisor_of(tmp_path).pid, signal.SIGKILL)
    await until(lambda: supervisor_of(tmp_path) is None)
    said = len(lines_of(wanted.log))
    await until(lambda: len(lines_of(wanted.log)) > said + 5)


async def test_stop_leaves_nothing(programs, program, tmp_path, runs):
    """After stop there is neither a supervisor nor a program, and start works again."""
    wanted = program()
    await programs.keep(wanted)
    await runs(wanted.lock)
    await programs.stop()
    assert supervisor_of(tmp_path) is None
    assert procfs.takers(wanted.lock) == ()
    await programs.start()
    assert await programs.kept() == ()


async def test_how_it_ended(programs, program, tmp_path, until):
    """The supervisor's word on how a program ended by itself is passed on."""
    wanted = program(
        argv=script(tmp_path, "fail.py", "print('no', flush=True)\nraise SystemExit(3)")
    )
    await programs.keep(wanted)
    await until(lambda: lines_of(wanted.log))
    ended = None
    while ended is None:
        ended = await programs.last_end("stay")
    assert ended == "exit status 3"


async def test_private(programs, program, tmp_path):
    """Socket and descriptions are for this user alone; a name is never configuration."""
    await programs.keep(program())
    folder = tmp_path / "supervisor"
    for path in (folder / "supervisord.sock", folder / "programs" / "stay.json"):
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
    with pytest.raises(Refused, match="cannot name a program"):
        await programs.keep(program(name="x]\ncommand=evil"))


async def test_deep_home(tmp_path, clock, program, runs):
    """A home too deep for the path of a socket, with odd characters, works."""
    home = tmp_path / ("deep [100%] ;" * 8) / ("and deeper " * 8)
    home.mkdir(parents=True)
    programs = SupervisorPrograms(home, clock)
    await programs.start()
    try:
        wanted = program(lock=home / "lock", log=home / "log")
        await programs.keep(wanted)
        await runs(wanted.lock)
    finally:
        await programs.stop()
    assert procfs.takers(wanted.lock) == ()


async def test_dropped_before_it_ran(programs, program, clock):
    """A program that is dropped while it starts ends at once, not at its stop timeout."""
    began = clock.boottime()
    for _ in range(5):
        await programs.keep(program(stop_timeout_s=600.0))
        await programs.drop("stay")
    assert procfs.takers(program().lock) == ()
    assert clock.boottime() - began < 300.0
