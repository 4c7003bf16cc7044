"""The proxy and its keeper in memory: lease, fence, fallback, and the truth read back.

`MemoryKeeper` is what goes on when the daemon is gone; `MemoryTraffic` is one daemon's hand on it.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from surefoot.domain.errors import NotFound, OutsideFailed, Refused, Relieved
from surefoot.ports import Clock, Front, GivenBack, Rehearsal, Routes, Seen
from surefoot.testing.faults import Faults
from surefoot.testing.production import Production

__all__ = ["MemoryKeeper", "MemoryTraffic"]

HEALTHY_S = 5.0
LOOK_S = 0.25
SWITCH_S = 0.003
REHEARSED_S = 0.01


DECIMALS = 6  # of a share, as a real proxy keeps them


@dataclass(slots=True)
class _Kept:
    """The routes of one service as the keeper has them."""

    routes: Routes
    deadline: float
    lease_s: float
    fenced: set[int] = field(default_factory=set)

    @property
    def exposed(self) -> bool:
        """Whether users meet a change that needs somebody to hold its lease."""
        return self.routes.candidate is not None and self.routes.share > 0


class MemoryKeeper:
    """Proxy and keeper of one host. They outlive every daemon.

    A lease runs out at its very second, whoever looks and whenever.
    """

    def __init__(self, production: Production, clock: Clock) -> None:
        """Take the production whose users are led."""
        self.faults = Faults(clock)
        self.production = production
        self.fronts: dict[str, Front] = {}
        self.epoch = 0
        self.journal: list[GivenBack] = []
        self._clock = clock
        self._kept: dict[str, _Kept] = {}

    def routes(self, service: str) -> Routes | None:
        """What users of a service meet at this moment."""
        kept = self._now(service)
        return kept.routes if kept else None

    def lease_left(self, service: str) -> float | None:
        """Seconds until an exposed change is given back by itself; None: nothing is exposed."""
        kept = self._now(service)
        return kept.deadline - self._clock.boottime() if kept and kept.exposed else None

    def follow(self, epoch: int) -> None:
        """Take orders of this epoch. Raises `Relieved` when a newer one gives them."""
        if epoch < self.epoch:
            raise Relieved(f"Epoch {epoch} is over; {self.epoch} gives the orders now.")
        self.epoch = epoch

    def set(self, routes: Routes, lease_s: float) -> None:
        """Put routes in place. Raises `Relieved` for a change that was given back for good."""
        routes = replace(routes, share=round(routes.share, DECIMALS))
        kept = self._now(routes.service)
        fenced = kept.fenced if kept else set()
        wanted = _Kept(routes, self._clock.boottime() + lease_s, lease_s, fenced)
        if wanted.exposed and routes.change in fenced:
            raise Relieved(f"Change {routes.change} of {routes.service} was given back for good.")
        self._kept[routes.service] = wanted
        self.production.lead(routes.service, routes)

    def renew(self, service: str, change: int, lease_s: float) -> None:
        """Count the lease anew from now. Raises `Relieved` as `set` does."""
        kept = self._now(service)
        if kept is None or kept.routes.change != change:
            raise OutsideFailed(f"{service} does not have change {change}.")
        if change in kept.fenced:
            raise Relieved(f"Change {change} of {service} was given back for good.")
        kept.deadline = self._clock.boottime() + lease_s

    def give_back(self, service: str, why: str) -> None:
        """The fallback, now; asking again changes nothing."""
        kept = self._now(service)
        if kept is None:
            raise OutsideFailed(f"The keeper has no routes of {service}.")
        if kept.exposed:
            self._fall_back(kept, why)

    def retire(self, service: str) -> None:
        """Forget a service."""
        self._kept.pop(service, None)
        self.fronts.pop(service, None)
        self.production.lead(service, None)

    def _now(self, service: str) -> _Kept | None:
        kept = self._kept.get(service)
        if kept and kept.exposed and self._clock.boottime() >= kept.deadline:
            self._fall_back(kept, f"nobody renewed its lease for {kept.lease_s:g} s")
        return kept

    def _fall_back(self, kept: _Kept, why: str) -> None:
        kept.routes = replace(kept.routes, share=0.0)
        service, change = kept.routes.service, kept.routes.change
        if change is not None:
            kept.fenced.add(change)
            self.journal.append(GivenBack(service, change, self._clock.now(), why))
        self.production.lead(service, kept.routes)


class MemoryTraffic:
    """The Traffic port as one daemon has it, under its epoch."""

    def __init__(self, keeper: MemoryKeeper, clock: Clock, epoch: int) -> None:
        """Take the keeper, and the number of the daemon that gives the orders."""
        self._keeper = keeper
        self._production = keeper.production
        self._clock = clock
        self._epoch = epoch

    async def start(self) -> None:
        """Proxy and keeper answer, and follow this daemon."""
        await self._keeper.faults.meet("start")
        self._keeper.follow(self._epoch)

    async def serve(self, front: Front) -> None:
        """The proxy knows these releases, each seen once as healthy or for 5 s as not."""
        await self._keeper.faults.meet("serve")
        self._keeper.fronts[front.service] = front
        deadline = self._clock.boottime() + HEALTHY_S
        while self._clock.boottime() < deadline and not all(
            self._production.healthy(front.service, arm.release) for arm in front.arms
        ):
            await self._clock.sleep(LOOK_S)

    async def route(self, routes: Routes, lease_s: float) -> float:
        """Through the keeper: routes in place and read back.

        Raises:
            Relieved: the keeper follows a newer control plane, or has fenced this change.
            Refused: the proxy does not know one of the releases.
            OutsideFailed: a release that would begin to take traffic is not healthy.
        """
        await self._keeper.faults.meet("route")
        self._keeper.follow(self._epoch)
        self._refuse_unknown(routes)
        current = self._keeper.routes(routes.service)
        for release in _taking(routes) - _taking(current):
            if not self._production.healthy(routes.service, release):
                raise OutsideFailed(f"Release {release} of {routes.service} is not healthy now.")
        await self._clock.sleep(SWITCH_S)
        self._keeper.set(routes, lease_s)
        return SWITCH_S

    async def renew(self, service: str, change: int, lease_s: float) -> None:
        """Hold the lease on an exposed change. Raises `Relieved` as `route` does."""
        await self._keeper.faults.meet("renew")
        self._keeper.follow(self._epoch)
        self._keeper.renew(service, change, lease_s)

    async def give_back(self, service: str) -> float:
        """The keeper's stored fallback, now. Returns seconds."""
        await self._keeper.faults.meet("give_back")
        await self._clock.sleep(SWITCH_S)
        self._keeper.give_back(service, "ordered by the daemon")
        return SWITCH_S

    async def seen(self, service: str) -> Seen:
        """The truth, read back."""
        await self._keeper.faults.meet("seen")
        front = self._keeper.fronts.get(service)
        arms = front.arms if front else ()
        healthy = {arm.release: self._production.healthy(service, arm.release) for arm in arms}
        routes = self._keeper.routes(service)
        given_back = tuple(one for one in self._keeper.journal if one.service == service)
        return Seen(routes, healthy, given_back)

    async def rehearse(self, service: str, old: int, new: int, path: str) -> Rehearsal:
        """Take a private route from old to new and back."""
        await self._keeper.faults.meet("rehearse")
        await self._clock.sleep(REHEARSED_S)
        for release in (new, old):
            if not self._production.healthy(service, release):
                said = f"release {release} did not answer {path} by the private route"
                return Rehearsal(ok=False, seconds=0.0, said=said)
        return Rehearsal(ok=True, seconds=REHEARSED_S)

    async def warm(self, service: str, release: int, paths: Sequence[str]) -> None:  # noqa: ARG002 -- the port's
        """Ask these paths of a release, before any user does."""
        await self._keeper.faults.meet("warm")
        await self._clock.sleep(SWITCH_S * len(paths))

    async def retire(self, service: str) -> None:
        """Take a service off the proxy."""
        await self._keeper.faults.meet("retire")
        self._keeper.follow(self._epoch)
        self._keeper.retire(service)

    def _refuse_unknown(self, routes: Routes) -> None:
        front = self._keeper.fronts.get(routes.service)
        if front is None:
            raise NotFound(f"The proxy does not serve {routes.service}.", cure="Serve it first.")
        known = {arm.release for arm in front.arms}
        for release in (routes.live, routes.candidate, routes.spare):
            if release is not None and release not in known:
                raise Refused(
                    f"The proxy does not know release {release} of {routes.service}.",
                    cure="Serve it first.",
                )


def _taking(routes: Routes | None) -> frozenset[int]:
    """The releases that take a part of the traffic by these routes."""
    if routes is None:
        return frozenset()
    shares = {routes.live: 1.0 - routes.share}
    if routes.candidate is not None:
        shares[routes.candidate] = routes.share
    return frozenset(release for release, share in shares.items() if share > 0)
