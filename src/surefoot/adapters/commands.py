"""Runs the team's commands: argv only, a group of its own, ended whole at the time limit."""

import asyncio
import json
import os
import signal
from asyncio.subprocess import STDOUT, Process
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, contextmanager, suppress
from pathlib import Path

from surefoot.domain.errors import OutsideFailed
from surefoot.ports import CommandSpec, Finished, Notice

__all__ = ["CommandChecks", "CommandNotifier"]

KEPT_BYTES = 64_000
FILE_BYTES = 50_000_000
GRACE_S = 2.0
LOOK_EVERY_S = 0.02
LOWEST = 19
GROUP_TRIES, GROUP_PAUSE_S = 5, 0.1  # the kernel takes one such order in a tenth of a second
USUAL_UMASK = 0o022  # a build meets the modes that it has elsewhere; our home is closed above it
COULD_NOT_START = 127
TOLD_WITHIN_S = 10.0
SAID_LINES = 3
EVENT_FILE = "SUREFOOT_EVENT_FILE"
INHERITED = ("PATH", "LANG", "TZ", "HOME")


class CommandChecks:
    """Implements `Checks` with processes of this host, at the lowest priority."""

    async def run(self, command: CommandSpec) -> Finished:
        """Run to the end or to the time limit.

        Either way nothing of its process group outlives this: what lingers gets SIGTERM, and
        SIGKILL 2 s later. A program that cannot be started is an answer too, with code 127.
        """
        loop = asyncio.get_running_loop()
        began = loop.time()
        async with _listening(command.output) as (output, pipe):
            try:
                process = await _started(command, pipe)
            except OSError as error:
                return Finished(
                    ok=False, code=COULD_NOT_START, seconds=0.0, said=_not_started(command, error)
                )
            finally:
                os.close(pipe)
            try:
                if command.stands_back:
                    await _stand_back(process.pid)
                code = await _code(process, command.time_limit_s)
                seconds = loop.time() - began
                await _end_group(process.pid)
            finally:
                _signal_group(process.pid, signal.SIGKILL)
                await process.wait()
            await output.whole()
        return Finished(ok=code == 0, code=code, seconds=seconds, said=output.said)


class CommandNotifier:
    """Implements `Notifier`: the sentence on standard input, JSON in a file while it runs.

    Neither needs a disk, since a full one is something to be told of. The command gets what checks
    get, and is not put behind others: what it tells may be urgent.
    """

    def __init__(self) -> None:
        """Nothing is needed but the host."""
        self._commands = CommandChecks()

    async def tell(self, argv: Sequence[str], folder: Path, notice: Notice) -> None:
        """Run the command to its end, or for 10 s. Raises `OutsideFailed` unless it exits 0."""
        with _in_memory(json.dumps(notice.facts)) as facts:
            finished = await self._commands.run(
                CommandSpec(
                    tuple(argv),
                    folder,
                    TOLD_WITHIN_S,
                    environment={EVENT_FILE: f"/proc/{os.getpid()}/fd/{facts}"},
                    told=f"{notice.sentence}\n",
                    stands_back=False,
                )
            )
        if finished.ok:
            return
        how = "took too long" if finished.code is None else f"ended with exit {finished.code}"
        said = " ".join(finished.said.splitlines()[-SAID_LINES:])
        raise OutsideFailed(
            f"[notify] run {argv[0]} {how}{': ' + said if said else '.'}",
            cure="Try it by hand: it reads a sentence on standard input.",
        )


@contextmanager
def _in_memory(text: str) -> Iterator[int]:
    """A file that holds this text and is on no disk."""
    descriptor = os.memfd_create("surefoot")
    try:
        with os.fdopen(os.dup(descriptor), "w", encoding="utf-8", errors="replace") as file:
            file.write(text)
        os.lseek(descriptor, 0, os.SEEK_SET)
        yield descriptor
    finally:
        os.close(descriptor)


class _Output(asyncio.Protocol):
    """What a command says: all of it to a file, up to a limit, and its end in memory."""

    def __init__(self, path: Path | None) -> None:
        self._file = None
        self._room = FILE_BYTES
        self._end = bytearray()
        self._over = asyncio.Event()
        if path is not None:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._file = path.open("wb", buffering=0)  # it can be followed

    def data_received(self, data: bytes) -> None:
        self._end += data
        del self._end[:-KEPT_BYTES]
        if self._file is not None and self._room > 0:
            # A full disk takes the file, not the check.
            with suppress(OSError):
                self._file.write(data[: self._room])
            self._room -= len(data)

    def connection_lost(self, _error: Exception | None) -> None:
        self._over.set()

    async def whole(self) -> None:
        """Until everything is here; a process that left the group may hold the pipe for ever."""
        with suppress(TimeoutError):
            async with asyncio.timeout(GRACE_S):
                await self._over.wait()

    def close(self) -> None:
        if self._file is not None:
            with suppress(OSError):
                self._file.close()

    @property
    def said(self) -> str:
        return self._end.decode("utf-8", errors="replace").strip()


@asynccontextmanager
async def _listening(path: Path | None) -> AsyncIterator[tuple[_Output, int]]:
    """What hears a command, and the pipe that the command is to speak into.

    A pipe of our own: with one of asyncio's, waiting for a process also waits for everybody who
    inherited its pipe, such as a server that a check left behind.
    """
    output = _Output(path)
    heard, spoken = os.pipe()
    transport, _ = await asyncio.get_running_loop().connect_read_pipe(
        lambda: output, os.fdopen(heard, "rb", buffering=0)
    )
    try:
        yield output, spoken
    finally:
        transport.close()
        output.close()


async def _started(command: CommandSpec, output: int) -> Process:
    with _in_memory(command.told) as told:
        return await asyncio.create_subprocess_exec(
            *command.argv,
            cwd=command.folder,
            env=_environment(command.environment),
            stdin=told,
            stdout=output,
            stderr=STDOUT,
            start_new_session=True,
            umask=USUAL_UMASK,
        )


def _environment(given: Mapping[str, str]) -> dict[str, str]:
    """No secrets of the daemon's: only what every program needs, and what was given."""
    return {key: os.environ[key] for key in INHERITED if key in os.environ} | dict(given)


def _not_started(command: CommandSpec, error: OSError) -> str:
    return (
        f"{command.argv[0]} cannot be started in {command.folder}: {error.strerror}. "
        "Name a program that this host has, or one of the repository as ./NAME."
    )


async def _stand_back(group: int) -> None:
    """Leave a command, and all that it will start, what users' requests leave over.

    That is so for the processor, and for a disk whose scheduler knows classes: Linux takes that of
    an idle process to be idle (ioprio_set(2)). Where the kernel groups by session (sched(7), "The
    autogroup feature"), niceness counts among a session's own processes alone, so that the whole
    session is made nice as well.
    """
    with suppress(ProcessLookupError):
        os.sched_setscheduler(group, os.SCHED_IDLE, os.sched_param(0))
        os.setpriority(os.PRIO_PGRP, group, LOWEST)
    for _ in range(GROUP_TRIES):
        if _session_stands_back(group):
            return
        await asyncio.sleep(GROUP_PAUSE_S)


def _session_stands_back(leader: int) -> bool:
    """Whether that is done, or can never be; the kernel may ask to be told again."""
    try:
        Path(f"/proc/{leader}/autogroup").write_text(f"{LOWEST}", encoding="ascii")
    except BlockingIOError:
        return False
    except OSError:  # it has ended, or this kernel has no such groups
        return True
    return True


async def _code(process: Process, limit_s: float) -> int | None:
    """The exit code, or None at the time limit."""
    with suppress(TimeoutError):
        async with asyncio.timeout(limit_s):
            return await process.wait()
    return None


async def _end_group(group: int) -> None:
    """Ask all of a group to end, and give it the time to do so."""
    _signal_group(group, signal.SIGTERM)
    with suppress(TimeoutError):
        async with asyncio.timeout(GRACE_S):
            while _signal_group(group, 0):  # noqa: ASYNC110 -- nobody tells when a group is empty
                await asyncio.sleep(LOOK_EVERY_S)


def _signal_group(group: int, number: int) -> bool:
    """Whether there is still somebody in the group."""
    try:
        os.killpg(group, number)
    except ProcessLookupError:
        return False
    return True
