"""Runs checks and builds: argv only, a group of its own, ended whole at the time limit."""

import asyncio
import os
import signal
from asyncio.subprocess import DEVNULL, STDOUT, Process
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress
from pathlib import Path

from surefoot.ports import CommandSpec, Finished

__all__ = ["CommandChecks"]

KEPT_BYTES = 64_000
FILE_BYTES = 50_000_000
GRACE_S = 2.0
LOOK_EVERY_S = 0.02
LOW_PRIORITY = 10
COULD_NOT_START = 127
INHERITED = ("PATH", "LANG", "TZ", "HOME")


class CommandChecks:
    """Implements `Checks` with processes of this host, at low priority."""

    async def run(self, command: CommandSpec) -> Finished:
        """Run to the end or to the time limit.

        Either way nothing of its process group outlives this: what lingers gets SIGTERM, and
        SIGKILL 2 s later. A program that cannot be started is an answer too, with code 127.
        """
        loop = asyncio.get_running_loop()
        began = loop.time()
        async with _listening(command.output) as (output, pipe):
            try:
                process = await asyncio.create_subprocess_exec(
                    *command.argv,
                    cwd=command.folder,
                    env=_environment(command.environment),
                    stdin=DEVNULL,
                    stdout=pipe,
                    stderr=STDOUT,
                    start_new_session=True,
                )
            except OSError as error:
                return Finished(
                    ok=False, code=COULD_NOT_START, seconds=0.0, said=_not_started(command, error)
                )
            finally:
                os.close(pipe)
            try:
                with suppress(ProcessLookupError):
                    os.setpriority(os.PRIO_PGRP, process.pid, LOW_PRIORITY)
                code = await _code(process, command.time_limit_s)
                seconds = loop.time() - began
                await _end_group(process.pid)
            finally:
                _signal_group(process.pid, signal.SIGKILL)
                await process.wait()
            await output.whole()
        return Finished(ok=code == 0, code=code, seconds=seconds, said=output.said)


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


def _environment(given: Mapping[str, str]) -> dict[str, str]:
    """No secrets of the daemon's: only what every program needs, and what was given."""
    return {key: os.environ[key] for key in INHERITED if key in os.environ} | dict(given)


def _not_started(command: CommandSpec, error: OSError) -> str:
    return (
        f"{command.argv[0]} cannot be started in {command.folder}: {error.strerror}. "
        "Name a program that this host has, or one of the repository as ./NAME."
    )


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
