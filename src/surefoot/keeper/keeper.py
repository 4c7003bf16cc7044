"""Routes in place, proven, and given back when the lease on an exposed change runs out.

A service has two files of one form: the one that Envoy reads, and beside it, ready since the
order, the one that gives the service back. Giving back is renaming the second over the first.
Every file comes from a staging folder named after this keeper's generation; a successor renames
that folder away, so that a stale keeper's late rename fails in the kernel.
"""

import asyncio
import contextlib
import json
import os
import time
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from surefoot.keeper.envoy import Loaded, loaded
from surefoot.keeper.journal import Journal

__all__ = ["Keeper", "Refusal", "Relieved", "Service"]

_POLL_S = 0.002
_READ_BACK_S = 5.0
_GONE_S = 0.3  # an Envoy that is down reads the routes when its standby starts: no use to wait
_LOOK_S = 0.25
_LEASE_S = 10.0
_KIND = "type.googleapis.com/envoy.config.route.v3.RouteConfiguration"


class Refusal(Exception):  # noqa: N818 -- a refusal is an answer, not a fault
    """An order that is not carried out: a word for the program, a sentence for the person."""

    def __init__(self, error: str, says: str) -> None:
        super().__init__(says)
        self.error = error


class Relieved(Refusal):
    """Another keeper took over; this one must not act again."""

    def __init__(self) -> None:
        super().__init__("relieved", "Another keeper took over.")


@dataclass(frozen=True, slots=True)
class Service:
    """What a service's users have; both routes are complete Envoy RouteConfigurations."""

    change: int | None
    epoch: int
    seq: int
    lease_s: float | None  # None in an order: a lease that runs is left alone
    routes: dict[str, Any]
    fallback: dict[str, Any]
    fenced: list[int | None] = field(default_factory=list)

    @property
    def exposed(self) -> bool:
        """Whether users meet a change that needs somebody to hold its lease."""
        return self.change is not None and self.routes != self.fallback

    @property
    def version(self) -> tuple[int, ...]:
        """Grows with each order, and once more when the change is given back."""
        return self.epoch, self.seq, int(self.change in self.fenced)

    def given_back(self) -> "Service":
        """As it is once users have the fallback; the change is never exposed again."""
        if not self.exposed:
            return self
        return replace(self, routes=self.fallback, fenced=[*self.fenced, self.change])

    def written(self) -> str:
        """The routes as a file for Envoy, with all else but the fallback as their metadata."""
        facts = asdict(self)
        routes, _ = facts.pop("routes"), facts.pop("fallback")
        metadata = {"filter_metadata": {"surefoot": facts}}
        resource = {**routes, "@type": _KIND, "metadata": metadata}
        version = ".".join(map(str, self.version))
        return json.dumps({"version_info": version, "resources": [resource]})


class Keeper:
    """The only writer of the route files under `home/envoy/rds`."""

    def __init__(self, home: Path) -> None:
        self._rds = home / "envoy" / "rds"
        self._admin = home / "envoy" / "admin.sock"
        for folder in (self._rds, home / "keeper"):
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._stage = _take_over(self._rds)
        self._journal = Journal(home / "keeper" / "journal")
        self._services: dict[str, Service] = {}
        self._deadlines: dict[str, float] = {}
        for path in self._rds.glob("*/rds.json"):
            self._resume(path.parent.name)
        self._epoch = max((service.epoch for service in self._services.values()), default=0)

    async def set(self, name: str, wanted: Service) -> dict[str, object]:
        """Put routes in place and read them back; what Envoy rejects is taken back."""
        started = _boottime()
        before = await loaded(self._admin, name)
        self._refuse_older(wanted.epoch)
        known = self._services.get(name)
        if known and (wanted.epoch, wanted.seq) <= (known.epoch, known.seq):
            raise Refusal("older", f"{name} already has order {known.seq} of epoch {known.epoch}.")
        fenced, lease_s = (known.fenced, known.lease_s) if known else ([], _LEASE_S)
        service = replace(wanted, fenced=fenced, lease_s=wanted.lease_s or lease_s)
        if service.exposed:
            _refuse_fenced(service, name)
        self._place(name, service)
        if wanted.lease_s or name not in self._deadlines:
            self._deadlines[name] = _lease_end(service)
        try:
            read_back = await self._read_back(name, before)
        except Refusal:
            if known and self._services[name] is service:
                self._place(name, replace(known, epoch=service.epoch, seq=service.seq))
            raise
        return {"seconds": _boottime() - started, "read_back": read_back}

    async def renew(self, name: str, change: int, epoch: int, lease_s: float) -> dict[str, object]:
        """Count the lease anew, from now."""
        self._refuse_older(epoch)
        service = self._known(name)
        if change in service.fenced: ...
        return {}
