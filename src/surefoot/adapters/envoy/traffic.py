"""The `Traffic` port on Envoy and the keeper.

The order is always: cluster before route, healthy before route, and a cluster goes only after the
route that named it. Nothing is believed before Envoy says it.
"""

import asyncio
import os
import re
import secrets
import sys
from collections import defaultdict
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

from surefoot.adapters.envoy.asking import Answer, Ask, asker
from surefoot.adapters.envoy.fronts import Placed, moved
from surefoot.adapters.envoy.keeping import KeeperClient
from surefoot.adapters.envoy.proxy import Proxy
from surefoot.adapters.envoy.resources import leaf_name
from surefoot.adapters.envoy.routing import arms_of, has_private, route_configuration, routes_from
from surefoot.domain.errors import NotFound, OutsideFailed, Refused, Relieved
from surefoot.ports import Clock, Front, GivenBack, Program, Programs, Rehearsal, Routes, Seen

__all__ = ["EnvoyTraffic"]

_START_S = 20.0
_HEALTHY_S = 5.0
_REHEARSE_S = 5.0
_WARM_ANSWER_S = 30.0
_POLL_S = 0.003
_LONGEST_SOCKET = 107  # bytes; the kernel's limit for the path of a Unix socket
_LOG_BYTES = 64 << 20
_ORDERED = "ordered by the daemon"  # all else that the keeper gave back was not this daemon's act

_LeadTo = Callable[[int | None], Awaitable[None]]


class EnvoyTraffic:
    """One Envoy for all services of this home.

    `admin_socket` and `attempts_log` are for those who count what is answered: the log has a JSON
    object for each attempt, with `start` (epoch seconds as text), `host`, `cluster`, `code`,
    `flags` ("-": none) and `ms`.
    """

    def __init__(
        self, home: Path, programs: Programs, envoy: Path, epoch: int, clock: Clock
    ) -> None:
        self._home = home.absolute()
        self._programs = programs
        self._envoy = envoy
        self._epoch = epoch
        self._clock = clock
        self.admin_socket = self._home / "envoy" / "admin.sock"
        self.attempts_log = self._home / "envoy" / "attempts.log"
        self.keeper_socket = self._home / "keeper" / "keeper.sock"
        self._proxy = Proxy(self._home / "envoy", self.attempts_log, epoch, clock)
        self._keeper = KeeperClient(self.keeper_socket)
        self._routes: dict[str, Routes | None] = {}
        self._private: defaultdict[str, dict[str, int]] = defaultdict(dict)
        self._seq: defaultdict[str, int] = defaultdict(int)
        self._locks: defaultdict[str, asyncio.Lock] = defaultdict(asyncio.Lock)

    # --- the parts -----------------------------------------------------------------------------

    async def start(self) -> None:
        """Proxy and keeper run and answer; a silent keeper is replaced.

        Raises:
            Relieved: a later epoch steers the proxy.
            OutsideFailed: they do not answer within 20 s, or the home's path is too long.
        """
        for socket in (self.admin_socket, self.keeper_socket):
            if len(bytes(socket)) > _LONGEST_SOCKET:
                raise OutsideFailed(
                    f"{socket} is longer than the {_LONGEST_SOCKET} bytes that a socket may have.",
                    cure="Choose a home with a shorter path.",
                )
        for name in ("keeper", "envoy", "logs"):
            (self._home / name).mkdir(mode=0o700, parents=True, exist_ok=True)
        self._proxy.take_over()
        await self._programs.start()
        keeper, *proxies = self._described()
        await self._programs.keep(keeper)
        for proxy in proxies:
            await self._programs.keep(proxy)
        if not await self._until(self._keeper.answers, _START_S / 2):
            await self._programs.drop(keeper.name, kill=True)
            await self._programs.keep(keeper)
        if not await self._until(self._keeper.answers, _START_S):
            raise OutsideFailed("The keeper does not answer.", cure="See `logs/keeper.log`.")
        if not await self._until(self._proxy.admin.ready, _START_S):
            raise OutsideFailed("Envoy does not answer.", cure="See `logs/envoy.log`.")
        for service in self._proxy.placed:
            await self._sweep(service)

    # --- services ------------------------------------------------------------------------------

    async def serve(self, front: Front) -> None:
        """The proxy knows these releases, each seen once as healthy or for 5 s as not.

        Raises:
            Refused: the addresses of a healthy release that takes traffic would change.
        """
        service = front.service
        async with self._locks[service]:
            current = await self._current(service)
            earlier = self._proxy.placed.get(service)
            placed = (earlier or Placed(front)).serving(front, _named_by(current))
            if current is not None:  # whatever else is known, what routes name must be there
                placed = placed.with_arms(arms_of(current).union(placed.arms))
            await self._refuse_moving(moved(earlier, placed) & _named_by(current), placed)
            if current is None:  # the listener must find routes, if only closed ones
                await self._put(placed.front, None, None)
            await self._proxy.place(placed)
            if current is not None and _looks_different(earlier, placed):
                _read_back(await self._put(front, current, None), service)
        wanted = [arm.release for arm in front.arms]
        await self._until(lambda: self._all_healthy(service, wanted), _HEALTHY_S)

    async def retire(self, service: str) -> None:
        """Take a service off the proxy: its address is free, its routes lead nowhere."""
        async with self._locks[service]:
            if service in self._proxy.placed:
                self._private.pop(service, None)
                await self._current(service)  # the number of the order that comes next
                await self._put(self._placed(service).front, None, None)
                await self._proxy.remove(service)

    async def route(self, routes: Routes, lease_s: float) -> float:
        """Through the keeper: routes in place and read back; returns the seconds it took.

        Raises:
            Relieved: the keeper follows a newer control plane, or has fenced this change.
            Refused: the proxy does not know one of the releases.
            OutsideFailed: a release that would begin to take traffic is not healthy, or the
                keeper or Envoy does not answer.
        """
        service = routes.service
        async with self._locks[service]:
            placed = self._placed(service)
            _refuse_unknown(placed, _named_by(routes))
            current = await self._current(service)
            arms = arms_of(routes)
            await self._proxy.place(
                placed.with_arms(arms | (arms_of(current) if current else set()))
            )
            await self._refuse_unhealthy(service, _taking(routes) - _taking(current))
            seconds = _read_back(await self._put(placed.front, routes, lease_s), service)
            needed = _named_by(routes) | frozenset(self._private[service].values())
            await self._proxy.place(placed.with_arms(arms).needing(needed))
            return seconds

    async def renew(self, service: str, change: int, lease_s: float) -> None:
        """Hold the lease on an exposed change. Raises `Relieved` as `route` does."""
        await self._keeper.order(
            "renew", service=service, change=change, epoch=self._epoch, lease_s=lease_s
        )

    async def give_back(self, service: str) -> float:
        """The keeper's stored fallback, now; needs no store and no disk. Returns seconds."""
        answer = await self._keeper.order("give_back", service=service, why=_ORDERED)
        self._routes.pop(service, None)
        return _read_back(answer, service)

    async def seen(self, service: str) -> Seen:
        """The truth, read back: shares from Envoy, the change and its lease from the keeper."""
        state, configuration, healthy = await asyncio.gather(
            self._keeper.order("state", service=service),
            self._proxy.admin.route_configuration(service),
            self._proxy.healthy(service),
        )
        routes = routes_from(service, configuration) if configuration else None
        known = state["services"].get(service)
        if routes is not None and known is not None:
            routes = replace(routes, change=known["change"])
        return Seen(routes, healthy, tuple(_given_back(service, state["journal"])))

    # --- the private route ---------------------------------------------------------------------

    async def rehearse(self, service: str, old: int, new: int, path: str) -> Rehearsal:
        """Take a private route from old to new and back, through the real parts.

        The time is from the order to go back until `old` has answered again.
        """
        placed = self._placed(service)
        _refuse_unknown(placed, frozenset({old, new}))
        async with self._private_route(placed, _REHEARSE_S) as (ask, lead_to):
            await lead_to(new)
            there = await self._answered(ask, path, leaf_name(service, new))
            if not there.good:
                return Rehearsal(ok=False, seconds=0.0, said=_said(new, path, there))
            started = self._clock.boottime()
            await lead_to(old)
            back = await self._answered(ask, path, leaf_name(service, old))
            seconds = self._clock.boottime() - started
        return Rehearsal(back.good, seconds, "" if back.good else _said(old, path, back))

    async def warm(self, service: str, release: int, paths: Sequence[str]) -> None:
        """Ask these paths of each instance by the private route, before any user does."""
        placed = self._placed(service)
        _refuse_unknown(placed, frozenset({release}))
        leaf = placed.leaf(release)
        async with self._private_route(placed, _WARM_ANSWER_S) as (ask, lead_to):
            await lead_to(release)
            for path in paths:
                for _ in leaf.addresses if leaf else ():
                    await ask(path)

    async def rotate_logs(self) -> None:
        """Begin a new attempt log when this one has 64 MB; one earlier file is kept."""
        if self.attempts_log.exists() and self.attempts_log.stat().st_size > _LOG_BYTES:
            self.attempts_log.replace(self.attempts_log.with_suffix(".log.1"))
            await self._proxy.admin.reopen_logs()

    @asynccontextmanager
    async def _private_route(
        self, placed: Placed, answer_s: float
    ) -> AsyncIterator[tuple[Ask, _LeadTo]]:
        """A route that only we know; whatever happens, it is gone at the end."""
        service, token = placed.front.service, secrets.token_hex(16)

        async def lead_to(release: int | None) -> None:
            async with self._locks[service]:
                if release is None:
                    self._private[service].pop(token, None)
                else:
                    self._private[service][token] = release
                await self._put_as_it_is(service)

        async with asker(placed.front.listen, token, answer_s) as ask:
            try:
                yield ask, lead_to
            finally:
                await lead_to(None)

    async def _answered(self, ask: Ask, path: str, cluster: str) -> Answer:
        """Ask until this cluster answers well; else its last answer within the time."""
        deadline = self._clock.boottime() + _REHEARSE_S
        while True:
            answer = await ask(path)
            if answer.good and answer.cluster == cluster:
                return answer
            if self._clock.boottime() >= deadline:
                return replace(answer, status=None) if answer.good else answer
            await self._clock.sleep(_POLL_S)

    # --- through the keeper --------------------------------------------------------------------

    async def _put(
        self, front: Front, routes: Routes | None, lease_s: float | None
    ) -> dict[str, Any]:
        """Order routes for users, with the private ones; no lease leaves a running one alone."""
        service = front.service
        private = self._private[service]
        fallback = None if routes is None else replace(routes, share=0.0)
        self._seq[service] += 1
        self._routes.pop(service, None)  # not known before the keeper says yes
        answer = await self._keeper.order(
            "set",
            service=service,
            change=routes.change if routes else None,
            epoch=self._epoch,
            seq=self._seq[service],
            routes=route_configuration(front, routes, private),
            fallback=route_configuration(front, fallback, private),
            lease_s=lease_s,
        )
        self._routes[service] = routes
        return answer

    async def _put_as_it_is(self, service: str) -> None:
        """Order the same for users; once more with the truth if the keeper gave back meanwhile."""
        front = self._placed(service).front
        try:
            answer = await self._put(front, await self._current(service), None)
        except Relieved:
            answer = await self._put(front, await self._current(service), None)
        _read_back(answer, service)

    async def _current(self, service: str) -> Routes | None:
        """What users have, as the keeper last wrote it."""
        if service not in self._routes:
            known = await self._known(service)
            if known is None:
                return None
            if known["epoch"] == self._epoch:
                self._seq[service] = max(self._seq[service], known["seq"])
            routes = routes_from(service, known["routes"])
            self._routes[service] = replace(routes, change=known["change"]) if routes else None
        return self._routes[service]

    async def _known(self, service: str) -> dict[str, Any] | None:
        state = await self._keeper.order("state", service=service)
        known: dict[str, Any] | None = state["services"].get(service)
        return known

    async def _sweep(self, service: str) -> None:
        """Remove the private route of a rehearsal that an ended daemon did not finish."""
        known = await self._known(service)
        if known and (has_private(known["routes"]) or has_private(known["fallback"])):
            await self._put_as_it_is(service)

    # --- looking before acting -----------------------------------------------------------------

    def _placed(self, service: str) -> Placed:
        if service not in self._proxy.placed:
            raise NotFound(f"The proxy does not serve {service}.", cure="Serve it first.")
        return self._proxy.placed[service]

    async def _refuse_moving(self, releases: frozenset[int], placed: Placed) -> None:
        """New addresses reset what is counted, so only a release that is down may have them."""
        service = placed.front.service
        healthy = await self._proxy.healthy(service) if releases else {}
        for release in releases:
            if healthy.get(release):
                raise Refused(
                    f"Release {release} of {service} takes traffic; its addresses cannot change.",
                    cure="Start the other instances as a release of their own.",
                )

    async def _refuse_unhealthy(self, service: str, releases: frozenset[int]) -> None:
        for release in releases:
            if not await self._all_healthy(service, [release]):
                raise OutsideFailed(
                    f"Release {release} of {service} is not healthy now; traffic stays as it is.",
                    cure="Look at what it wrote, and at its health path.",
                )

    async def _all_healthy(self, service: str, releases: Sequence[int]) -> bool:
        healthy = await self._proxy.healthy(service)
        return all(healthy.get(release, False) for release in releases)

    async def _until(self, holds: Callable[[], Awaitable[bool]], limit_s: float) -> bool:
        deadline = self._clock.boottime() + limit_s
        while not await holds():
            if self._clock.boottime() >= deadline:
                return False
            await self._clock.sleep(_POLL_S)
        return True

    def _described(self) -> tuple[Program, ...]:
        """The keeper, and Envoy twice on one lock: the second is there when the first is not."""
        python = (sys.executable, "-P", "-m", "surefoot.keeper", "--home", str(self._home))
        envoy = (
            str(self._envoy),
            "--config-path",
            str(self._home / "envoy" / "bootstrap.json"),
            "--disable-hot-restart",
            "--file-flush-interval-msec",
            "100",
            "--drain-time-s",
            "5",
            "--log-level",
            "warning",
        )
        return (
            self._program("keeper", python, "keeper"),
            self._program("envoy", envoy, "envoy"),
            self._program("envoy-standby", envoy, "envoy"),
        )

    def _program(self, name: str, argv: tuple[str, ...], lock: str) -> Program:
        return Program(
            name=name,
            argv=argv,
            folder=self._home,
            environment={"PATH": os.defpath, "LANG": "C.UTF-8"},
            lock=self._home / lock / f"{lock}.lock",
            log=self._home / "logs" / f"{name}.log",
        )


def _named_by(routes: Routes | None) -> frozenset[int]:
    """Every release that users could meet."""
    return frozenset().union(*arms_of(routes)) if routes else frozenset()


def _taking(routes: Routes | None) -> frozenset[int]:
    """The releases that take a part of the traffic by these routes."""
    if routes is None:
        return frozenset()
    shares = {routes.live: 1.0 - routes.share}
    if routes.candidate is not None:
        shares[routes.candidate] = routes.share
    return frozenset(release for release, share in shares.items() if share > 0)


def _looks_different(earlier: Placed | None, placed: Placed) -> bool:
    """Whether the routes are written in another way now."""
    old, new = (earlier or placed).front, placed.front
    return (old.sticky, old.timeout_s) != (new.sticky, new.timeout_s)


def _refuse_unknown(placed: Placed, releases: frozenset[int]) -> None:
    missing = sorted(release for release in releases if placed.leaf(release) is None)
    if missing:
        raise Refused(
            f"The proxy does not know release {missing[0]} of {placed.front.service}.",
            cure="Serve it first.",
        )


def _given_back(service: str, journal: Sequence[str]) -> Iterator[GivenBack]:
    """What the keeper did with a service by itself; a line is "time service change why"."""
    for line in journal:
        written = re.fullmatch(rf"(\d+\.\d+) {service} (\d+) (.*)", line)
        if written and written[3] != _ORDERED:
            yield GivenBack(service, int(written[2]), float(written[1]), written[3])


def _read_back(answer: dict[str, Any], service: str) -> float:
    if not answer["read_back"]:
        raise OutsideFailed(
            f"The routes of {service} are written, but Envoy did not say that it has them.",
            cure="It reads them when it is back; `logs/envoy.log` tells what it is doing.",
        )
    return float(answer["seconds"])


def _said(release: int, path: str, answer: Answer) -> str:
    if answer.status is None:
        return f"release {release} did not answer {path} by the private route"
    return f"release {release} answered {path} with {answer.status}"
