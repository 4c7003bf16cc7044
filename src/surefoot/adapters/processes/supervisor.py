"""Keeps programs running when the daemon is gone: the `supervisor` package, driven by files.

Nothing that a person wrote enters the supervisor's configuration: a program there is always our
shim with the name of a JSON file. Who really runs is the pid in a program's lock file, since the
supervisor calls a shim that waits for its lock "running" too.
"""

import asyncio
import fcntl
import json
import math
import os
import re
import shlex
import signal
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from supervisor.states import ProcessStates, SupervisorStates
from supervisor.xmlrpc import Faults

from surefoot.adapters.processes import procfs, shim
from surefoot.adapters.processes.files import read_text, tail, write_text
from surefoot.adapters.processes.rpc import SupervisorRpc
from surefoot.domain.errors import OutsideFailed, Refused
from surefoot.ports import Clock, Program

__all__ = ["SupervisorPrograms"]

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,199}")
_SHIM = str(Path(shim.__file__).resolve())
_START_S = 15.0
_POLL_S = 0.02
_KILLED_S = 5.0  # until a killed process must be gone
_LOG_TAIL_BYTES = 64_000

# Paths go through /proc/self/cwd: a socket's path may have 107 bytes, and a home may have more.
_CONFIGURATION = """\
[supervisord]
nodaemon=true
silent=true
nocleanup=true
childlogdir=/proc/self/cwd
logfile=/proc/self/cwd/supervisord.log
logfile_maxbytes=5MB
logfile_backups=1
pidfile=/proc/self/cwd/supervisord.pid

[unix_http_server]
file=/proc/self/cwd/supervisord.sock
chmod=0600

[rpcinterface:supervisor]
supervisor.rpcinterface_factory=supervisor.rpcinterface:make_main_rpcinterface

[include]
files=/proc/self/cwd/conf.d/*.conf
"""

# A program that ends within `startsecs` is started again after 1, 2, 3, ... s, without an end.
_PROGRAM = """\
[program:{name}]
command={python} -I -S {shim} programs/{name}.json
autostart=true
autorestart=true
startsecs=1
startretries=1000000000
stopsignal=TERM
stopwaitsecs={stop_wait_s}
stopasgroup=true
killasgroup=true
stdout_logfile=NONE
stderr_logfile=NONE
"""


@dataclass(frozen=True, slots=True)
class _Kept:
    """What must be known of a program to end it."""

    name: str
    lock: Path
    stop_timeout_s: float


class SupervisorPrograms:
    """Programs under a supervisord of our own; implements the Programs port.

    All its files are in `home / "supervisor"`, for this user alone.
    """

    def __init__(self, home: Path, clock: Clock) -> None:
        """Take the installation's folder; nothing is started or written yet."""
        self._folder = home.resolve() / "supervisor"
        self._clock = clock
        self._rpc = SupervisorRpc(self._folder)
        self._reloading = asyncio.Lock()

    async def start(self) -> None:
        """The supervisor runs and answers; started when it does not, replaced when silent.

        Raises:
            OutsideFailed: it does not come up; the end of its output is in the message.
        """
        if await self._answers():
            return
        for folder in (self._folder, self._folder / "conf.d", self._folder / "programs"):
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        async with self._starting_alone():
            if await self._answers():
                return
            lock = self._folder / "supervisord.lock"
            silent = procfs.holder(lock)
            if silent is not None:
                with suppress(ProcessLookupError):
                    os.kill(silent.pid, signal.SIGKILL)
            await asyncio.to_thread(self._launch, lock)
            deadline = self._clock.boottime() + _START_S
            while not await self._answers():
                if self._clock.boottime() > deadline:
                    said = " ".join(tail(self._folder / "supervisord.out", 2000))
                    raise OutsideFailed(
                        f"The supervisor did not start within {_START_S:.0f} s: {said!r}.",
                        cure=f"Its logs are in {self._folder}.",
                    )
                await self._clock.sleep(_POLL_S)

    async def keep(self, program: Program) -> None:
        """Run it and restart it for ever; one that runs under another description is replaced.

        Raises:
            Refused: its name is not a plain word.
            OutsideFailed: the supervisor does not answer; it starts the program once it does.
        """
        name = _checked(program.name)
        described, configured = self._described(name), self._configured(name)
        wanted = json.dumps(_description(program), indent=1, sort_keys=True)
        if configured.exists() and read_text(described) != wanted:
            await self.drop(name)
        write_text(described, wanted)
        configuration = _configuration(program)
        if read_text(configured) != configuration:
            write_text(configured, configuration)
        async with self._reloading:
            info = await self._rpc.info(name)
            if info is None:
                await self._rpc.call("reloadConfig")
                await self._rpc.call("addProcessGroup", name, unless=Faults.ALREADY_ADDED)
            elif info["state"] in {ProcessStates.STOPPED, ProcessStates.FATAL}:
                await self._rpc.call(
                    "startProcess", f"{name}:{name}", unless=Faults.ALREADY_STARTED
                )

    async def drop(self, name: str, *, kill: bool = False) -> None:
        """End it and forget it, with its whole process group; also when no supervisor answers.

        Its file goes first: a supervisor that starts in between must not bring it back.

        Raises:
            OutsideFailed: it is still there 5 s after SIGKILL.
        """
        self._configured(_checked(name)).unlink(missing_ok=True)
        program = self._read_kept(name)
        patience_s = _KILLED_S + (0.0 if program is None or kill else program.stop_timeout_s)
        deadline = self._clock.boottime() + patience_s
        while True:
            running = None if program is None else procfs.holder(program.lock)
            child = await self._stop(name)
            if program is not None:
                told = {child} if running is not None and running.pid == child else set()
                await self._end(program, child, told, kill=kill)
            if await self._forgotten(name):
                break
            if self._clock.boottime() > deadline:
                raise OutsideFailed(f"The program {name} does not end, not even by SIGKILL.")
            await self._clock.sleep(_POLL_S)
        self._described(name).unlink(missing_ok=True)

    async def kept(self) -> tuple[str, ...]:
        """The names of all programs that are kept, sorted."""
        return tuple(sorted(path.stem for path in (self._folder / "conf.d").glob("*.conf")))

    async def stop(self) -> None:
        """End everything that is kept, then the supervisor."""
        names = {path.stem for path in (self._folder / "programs").glob("*.json")}
        await asyncio.gather(*(self.drop(name) for name in names | set(await self.kept())))
        with suppress(OutsideFailed):
            await self._rpc.call("shutdown")
        lock = self._folder / "supervisord.lock"
        deadline = self._clock.boottime() + _START_S
        while (running := procfs.holder(lock)) is not None:
            if self._clock.boottime() > deadline:
                os.kill(running.pid, signal.SIGKILL)
            await self._clock.sleep(_POLL_S)

    async def last_end(self, name: str) -> str | None:
        """How the program last ended by itself, such as "exit status 3"; None: it has not.

        Raises:
            OutsideFailed: the supervisor does not answer.
        """
        info = await self._rpc.info(name)
        if info is None or not info["stop"]:
            return None
        said = str(await self._rpc.call("readLog", -_LOG_TAIL_BYTES, 0))
        ends = re.findall(rf"exited: {re.escape(name)} \(([^;]*);", said)
        return ends[-1] if ends else "unknown how"

    # --- the supervisor itself ---

    async def _answers(self) -> bool:
        try:
            state = await self._rpc.call("getState")
        except OutsideFailed:
            return False
        return isinstance(state, dict) and state["statecode"] == SupervisorStates.RUNNING

    def _launch(self, lock: Path) -> None:
        write_text(self._folder / "supervisord.conf", _CONFIGURATION)
        command = [sys.executable, "-E", "-P", "-m", "supervisor.supervisord"]
        description = {
            "argv": [*command, "-n", "-c", "supervisord.conf"],
            "environment": {key: os.environ[key] for key in ("PATH", "HOME") if key in os.environ},
            "folder": str(self._folder),
            "lock": str(lock),
            "log": str(self._folder / "supervisord.out"),
            "env_file": None,
        }
        file = self._folder / "supervisord.json"
        write_text(file, json.dumps(description, indent=1))
        subprocess.run(
            [sys.executable, "-I", "-S", _SHIM, "--detach", str(file)],
            stdin=subprocess.DEVNULL,
            check=True,
            timeout=_START_S,
        )

    @asynccontextmanager
    async def _starting_alone(self) -> AsyncIterator[None]:
        handle = os.open(self._folder / "starting.lock", os.O_RDWR | os.O_CREAT, 0o600)
        try:
            while True:
                try:
                    fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    break
                except BlockingIOError:
                    await self._clock.sleep(_POLL_S)
            yield
        finally:
            os.close(handle)

    # --- one program ---

    async def _stop(self, name: str) -> int:
        """Tell the supervisor to restart it no more; returns the pid of its own child, or 0."""
        try:
            info = await self._rpc.info(name)
            if info is None:
                return 0
            await self._rpc.call("stopProcessGroup", name, False)  # noqa: FBT003 -- the wire's way
        except OutsideFailed:  # a supervisor that is not there restarts nothing
            return 0
        return int(str(info["pid"]))

    async def _end(self, program: _Kept, child: int, told: set[int], *, kill: bool) -> None:
        """End every copy of a program; returns when none is left, or 5 s after SIGKILL.

        A running copy gets SIGTERM once, from the supervisor (`told`) or from here. One that is
        not the program yet gets it at each look: between fork and exec the supervisor's own
        handler swallows the signal.
        """
        deadline = self._clock.boottime() + (0.0 if kill else program.stop_timeout_s)
        known: set[int] = {child} if child else set()
        living = await asyncio.to_thread(self._living, program, child, known)
        while living and self._clock.boottime() < deadline + _KILLED_S:
            if self._clock.boottime() >= deadline:
                procfs.send(living, signal.SIGKILL)
            else:
                running = procfs.holder(program.lock)
                procfs.send(living - told, signal.SIGTERM)
                told |= living & ({running.pid} if running else set())
            known |= living
            await self._clock.sleep(_POLL_S)
            living = await asyncio.to_thread(self._living, program, child, known)

    def _living(self, program: _Kept, child: int, known: set[int]) -> set[int]:
        """The process groups of a program: running, waiting behind the lock, or orphaned."""
        living = known & procfs.groups()
        if living:
            return living
        groups = {procfs.group_of(pid) for pid in self._copies(program, child)}
        return {group for group in groups if group is not None}

    def _copies(self, program: _Kept, child: int) -> set[int]:
        takers = set(procfs.takers(program.lock))
        if not self._shares_lock(program):
            return takers
        file = f"{program.name}.json"
        ours = {pid for pid in takers if procfs.command(pid)[-1:] == (f"programs/{file}",)}
        running = procfs.holder(program.lock)
        if running is not None and running.file == file:
            ours.add(running.pid)
        return ours | (takers & {child})

    def _shares_lock(self, program: _Kept) -> bool:
        others = (self._read_kept(path.stem) for path in (self._folder / "conf.d").glob("*.conf"))
        return any(other.lock == program.lock for other in others if other is not None)

    async def _forgotten(self, name: str) -> bool:
        """Whether the supervisor has let go of a program; it cannot while it sees a process."""
        async with self._reloading:
            try:
                await self._rpc.call("reloadConfig")
                answer = await self._rpc.call("removeProcessGroup", name, unless=Faults.BAD_NAME)
            except OutsideFailed:  # not there, or it has not yet seen the process end
                return not await self._answers()
        return answer is None or bool(answer)

    # --- files ---

    def _configured(self, name: str) -> Path:
        return self._folder / "conf.d" / f"{name}.conf"

    def _described(self, name: str) -> Path:
        return self._folder / "programs" / f"{name}.json"

    def _read_kept(self, name: str) -> _Kept | None:
        text = read_text(self._described(name))
        if text is None:
            return None
        described = json.loads(text)
        return _Kept(name, Path(described["lock"]), described["stop_timeout_s"])


def _checked(name: str) -> str:
    if _NAME.fullmatch(name) is None:
        raise Refused(
            f"{name!r} cannot name a program.",
            cure="Use letters, digits, dot, dash and underscore.",
        )
    return name


def _description(program: Program) -> dict[str, object]:
    return {
        "argv": list(program.argv),
        "environment": dict(program.environment),
        "folder": str(program.folder.absolute()),
        "lock": str(program.lock.absolute()),
        "log": str(program.log.absolute()),
        "env_file": program.env_file,
        "stop_timeout_s": program.stop_timeout_s,
    }


def _configuration(program: Program) -> str:
    return _PROGRAM.format(
        name=program.name,
        python=_quoted(sys.executable),
        shim=_quoted(_SHIM),
        stop_wait_s=max(1, math.ceil(program.stop_timeout_s)),
    )


def _quoted(path: str) -> str:
    # The supervisor expands % and splits like a shell, but no shell is ever run.
    return shlex.quote(path).replace("%", "%%")
