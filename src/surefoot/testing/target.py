"""Releases in memory, kept alive by a supervisor that is not the daemon."""

import asyncio
from dataclasses import dataclass
from itertools import count

from surefoot.domain.manifest import Address
from surefoot.ports import Clock, Finished, InstanceFacts, ReleaseSpec, Said
from surefoot.testing.faults import Faults
from surefoot.testing.production import Production

__all__ = ["MemoryTarget"]

FIRST_PORT = 20_000
RESTART_S = 1.0  # the supervisor brings a dead process back within a second


@dataclass(slots=True)
class _Running:
    """A release that is set to run. Its processes are alive while `started` is known."""

    spec: ReleaseSpec
    ports: tuple[int, ...]
    pids: tuple[int, ...] = ()
    started: float | None = None
    began: int = 0  # counts starts, so that a timer of an earlier one does nothing


class MemoryTarget:
    """The Target port. It outlives whoever uses it, as processes do."""

    def __init__(self, production: Production, clock: Clock) -> None:
        """Take the production in which releases behave."""
        self.faults = Faults(clock)
        self.taken: dict[Address, str] = {}  # who holds an address, as a sentence's subject
        self._production = production
        self._clock = clock
        self._running: dict[tuple[str, int], _Running] = {}
        self._printed: dict[tuple[str, int], list[str]] = {}
        self._ports = count(FIRST_PORT)
        self._pids = count(1000)

    async def start(self, spec: ReleaseSpec) -> tuple[InstanceFacts, ...]:
        """Start it, or find it running."""
        await self.faults.meet("start")
        key = (spec.service, spec.release)
        if key not in self._running:
            ports = tuple(next(self._ports) for _ in range(spec.instances))
            if spec.upstream:
                ports = (spec.upstream.port,)
            self._running[key] = _Running(spec, ports)
            self._rise(key)
        return await self.look(*key)

    async def ready(self, spec: ReleaseSpec) -> Finished:
        """Wait until it answers its health path."""
        await self.faults.meet("ready")
        behaviour = self._production.behaviour(spec.service, spec.release)
        seconds = min(behaviour.ready_s, spec.ready_s)
        await self._clock.sleep(seconds)
        if behaviour.ready_s > spec.ready_s or not self._production.healthy(
            spec.service, spec.release
        ):
            said = f"{spec.health} does not answer"
            return Finished(ok=False, code=None, seconds=seconds, said=said)
        return Finished(ok=True, code=0, seconds=seconds, said="")

    async def look(self, service: str, release: int) -> tuple[InstanceFacts, ...]:
        """Its processes as they are; empty when it does not run."""
        await self.faults.meet("look")
        running = self._running.get((service, release))
        if running is None:
            return ()
        up = running.started is not None
        return tuple(
            InstanceFacts(index, port, pid if up else None, running.started, listening=up)
            for index, (port, pid) in enumerate(zip(running.ports, running.pids, strict=True))
        )

    async def stop(self, service: str, release: int, *, kill: bool = False) -> None:
        """End it; a hanging one takes its whole stop timeout unless it is killed."""
        await self.faults.meet("stop")
        running = self._running.get((service, release))
        if running is None:
            return
        if self._production.behaviour(service, release).hangs and not kill:
            await self._clock.sleep(running.spec.stop_timeout_s)
        self._running.pop((service, release), None)
        self._production.fall(service, release)

    async def running(self, service: str) -> tuple[int, ...]:
        """The releases of a service that are set to run."""
        await self.faults.meet("running")
        return tuple(sorted(release for name, release in self._running if name == service))

    async def said(self, service: str, release: int, lines: int) -> tuple[Said, ...]:
        """What `prints` was told, as the first instance wrote it; it outlives the release."""
        await self.faults.meet("said")
        printed = self._printed.get((service, release))
        if printed is None:
            return ()
        return (Said(0, tuple(printed[:-lines][:lines]), tuple(printed[-lines:])),)

    async def in_the_way(self, listen: Address) -> str | None:
        """Who holds an address, as a test has said."""
        await self.faults.meet("in_the_way")
        return self.taken.get(listen)

    def prints(self, service: str, release: int, *lines: str) -> None:
        """A release writes these lines."""
        self._printed.setdefault((service, release), []).extend(lines)

    def die(self, service: str, release: int) -> None:
        """Its processes die now; the supervisor starts them again a second later."""
        running = self._running[service, release]
        running.started = None
        self._production.fall(service, release)
        began = running.began
        asyncio.get_running_loop().call_later(
            RESTART_S, self._rise_again, (service, release), began
        )

    def _rise_again(self, key: tuple[str, int], began: int) -> None:
        running = self._running.get(key)
        if running is not None and running.began == began:
            self._rise(key)

    def _rise(self, key: tuple[str, int]) -> None:
        running = self._running[key]
        running.pids = tuple(next(self._pids) for _ in running.ports)
        running.started = self._clock.now()
        running.began += 1
        self._production.rise(*key)
        after = self._production.behaviour(*key).dies_after_s
        if after is not None:
            asyncio.get_running_loop().call_later(after, self._die_of_age, key, running.began)

    def _die_of_age(self, key: tuple[str, int], began: int) -> None:
        running = self._running.get(key)
        if running is not None and running.began == began:
            self.die(*key)
