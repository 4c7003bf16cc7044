"""Real parts for these tests: Envoy, the keeper, small services, users who never try again."""

import asyncio
import contextlib
import os
import signal
import socket
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path

import aiohttp

from surefoot.adapters.envoy import EnvoyTraffic, envoy_binary
from surefoot.domain.manifest import Address
from surefoot.ports import Front, Program, UpstreamArm

_BACKEND = str(Path(__file__).with_name("envoy_backend.py"))
_HOLDING_A_LOCK = """
import fcntl, os, sys
lock, log, *argv = sys.argv[1:]
handle = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
os.dup2(handle, 1), os.dup2(handle, 2)
held = os.open(lock, os.O_RDWR | os.O_CREAT, 0o600)
fcntl.flock(held, fcntl.LOCK_EX)
os.set_inheritable(held, True)
os.execv(argv[0], argv)
"""


class RealClock:
    def now(self) -> float:
        return time.time()

    def boottime(self) -> float:
        return time.clock_gettime(time.CLOCK_BOOTTIME)

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds)


class ProcessPrograms:
    """Keeps real processes running, as long as the test does."""

    def __init__(self) -> None:
        self.processes: dict[str, subprocess.Popen[bytes]] = {}
        self._programs: dict[str, Program] = {}
        self._again: asyncio.Task[None] | None = None

    async def start(self) -> None:
        if self._again is None:
            self._again = asyncio.create_task(self._restart())

    async def keep(self, program: Program) -> None:
        if self._programs.get(program.name) != program:
            self._programs[program.name] = program
            self._run(program)

    async def drop(self, name: str, *, kill: bool = False) -> None:
        self._programs.pop(name, None)
        process = self.processes.pop(name, None)
        if process is not None:
            process.send_signal(signal.SIGKILL if kill else signal.SIGTERM)
            await asyncio.to_thread(process.wait)

    async def kept(self) -> tuple[str, ...]:
        return tuple(self._programs)

    async def stop(self) -> None:
        if self._again is not None:
            self._again.cancel()
        for name in list(self.processes):
            await self.drop(name, kill=True)

    def kill(self, name: str, how: int = signal.SIGKILL) -> None:
        self.processes[name].send_signal(how)

    def _run(self, program: Program) -> None:
        argv = [sys.executable, "-c", _HOLDING_A_LOCK, str(program.lock), str(program.log)]
        self.processes[program.name] = subprocess.Popen(
            [*argv, *program.argv], cwd=program.folder, env=dict(program.environment)
        )

    async def _restart(self) -> None:
        while True:
            for name, process in list(self.processes.items()):
                if process.poll() is not None and name in self._programs:
                    self._run(self._programs[name])
            await asyncio.sleep(0.05)


@dataclass
class Release:
    """One running process of a service."""

    number: int
    address: Address
    process: subprocess.Popen[bytes]

    @property
    def arm(self) -> UpstreamArm:
        return UpstreamArm(self.number, (self.address,))

    def kill(self, how: int = signal.SIGKILL) -> None:
        self.process.send_signal(how)


@dataclass
class Users:
    """What users met: statuses, and releases by name."""

    statuses: Counter[int] = field(default_factory=Counter)
    releases: Counter[str] = field(default_factory=Counter)
    failures: list[str] = field(default_factory=list)

    @property
    def bad(self) -> int:
        return len(self.failures) + sum(n for status, n in self.statuses.items() if status != 200)


@dataclass
class Site:
    """A home with a proxy in front of services."""

    home: Path
    programs: ProcessPrograms
    traffic: EnvoyTraffic
    clock: RealClock = field(default_factory=RealClock)
    releases: list[Release] = field(default_factory=list)

    def daemon(self, epoch: int) -> EnvoyTraffic:
        """Another control plane on the same home."""
        return EnvoyTraffic(self.home, self.programs, envoy_binary(os.environ), epoch, self.clock)

    async def run(self, *numbers: int) -> list[Release]:
        """Start releases and wait until they listen."""
        started = [_start(number) for number in numbers]
        self.releases += started
        for release in started:
            await until(lambda release=release: listens(release.address))
        return started

    async def front(self, *releases: Release, service: str = "shop", **more) -> Front:
        """The proxy serves these releases at a free address."""
        front = Front(service, free_address(), tuple(each.arm for each in releases), "/", **more)
        await self.traffic.serve(front)
        return front

    @contextlib.asynccontextmanager
    async def users(self, front: Front, *, workers: int = 8, method: str = "GET"):
        """Users who ask all the time and never try again; yields what they met so far."""
        met, leaving = Users(), asyncio.Event()
        url = f"http://{front.listen}/"

        async def ask() -> None:
            while not leaving.is_set():
                try:
                    async with session.request(method, url) as answer:
                        met.statuses[answer.status] += 1
                        if answer.status == 200:
                            met.releases[(await answer.json())["release"]] += 1
                except (aiohttp.ClientError, OSError) as error:
                    met.failures.append(repr(error))
                await asyncio.sleep(0.005)

        async with aiohttp.ClientSession() as session:
            asking = [asyncio.create_task(ask()) for _ in range(workers)]
            try:
                yield met
            finally:
                leaving.set()
                await asyncio.gather(*asking)


async def until(holds: Callable[[], object | Awaitable[object]], limit_s: float = 60.0) -> None:
    """Wait for a condition, or fail."""
    deadline = time.monotonic() + limit_s
    while True:
        now = holds()
        if await now if isinstance(now, Awaitable) else now:
            return
        assert time.monotonic() < deadline, "it did not happen in time"
        await asyncio.sleep(0.01)


def listens(address: Address) -> bool:
    with contextlib.suppress(OSError), socket.create_connection((address.host, address.port), 1):
        return True
    return False


def free_address() -> Address:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return Address("127.0.0.1", probe.getsockname()[1])


def _start(number: int) -> Release:
    address = free_address()
    argv = [sys.executable, _BACKEND, str(address.port), str(number)]
    return Release(number, address, subprocess.Popen(argv))
