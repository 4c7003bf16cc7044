"""Routes in place, proven, and given back when the lease on an exposed change runs out.

A service has two files of one form: what Envoy reads, and what gives the service back, ready since
the order. Giving back renames the second over the first, and writes nothing. Both come from a
staging folder named after this keeper's generation; a successor renames that folder away, so that
a stale keeper's late rename fails in the kernel.
"""

import asyncio
import contextlib
import functools
import json
import os
import re
import time
from pathlib import Path
from typing import Any, NamedTuple

_LOOK_S, _POLL_S, _READ_BACK_S = 0.25, 0.002, 5.0
_SILENT_S = 0.3  # an Envoy that is down reads the routes when its standby starts: no use to wait
_LINES, _WIDTH = 256, 255  # of the journal
_boottime = functools.partial(time.clock_gettime, time.CLOCK_BOOTTIME)
_KIND = "type.googleapis.com/envoy.config.route.v3.RouteConfiguration"


class Refusal(Exception):  # noqa: N818 -- a refusal is an answer, not a fault
    """An order that is not carried out: a word for the program, a sentence for the person."""


class _Order(NamedTuple):
    """The newest order for a service; both kinds of routes are Envoy RouteConfigurations."""

    epoch: int = -1
    seq: int = -1
    change: int | None = None
    routes: dict[str, Any] | None = None
    fallback: dict[str, Any] | None = None
    lease_s: float = 0.0
    deadline: float = 0.0  # when the lease ends, in seconds of CLOCK_BOOTTIME
    fenced: tuple[int | None, ...] = ()  # the changes that are never exposed again

    @property
    def exposed(self) -> bool:
        """Whether users meet a change that needs somebody to hold its lease."""
        return self.change is not None and self.routes != self.fallback

    @property
    def version(self) -> str:
        """Another one for each order, and once more when it is given back."""
        return f"{self.epoch}.{self.seq}.{int(self.change in self.fenced)}"

    def given_back(self) -> "_Order":
        fenced = (*self.fenced, self.change) if self.exposed else self.fenced
        return self._replace(routes=self.fallback, fenced=fenced)

    def written(self) -> str:
        """The routes as Envoy reads them, and in their metadata the order for the next keeper."""
        metadata = {"filter_metadata": {"surefoot": self._asdict()}}
        resource = {**(self.routes or {}), "@type": _KIND, "metadata": metadata}
        return json.dumps({"version_info": self.version, "resources": [resource]})


class Keeper:
    """The only writer of the route files; its public coroutines are the orders that it obeys."""

    def __init__(self, home: Path) -> None:
        self._rds, self._journal = home / "envoy" / "rds", home / "keeper" / "journal"
        first = "" if any(self._rds.glob("stage.*")) else "stage.0"  # generations count from 0
        for folder in (self._rds / first, self._journal.parent):
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        if not self._journal.exists():
            _write(self._journal, f"{'':{_WIDTH}}\n" * _LINES)
        told = self._journal.read_text(encoding="ascii", errors="ignore").splitlines()
        self._told = [line.strip() for line in told if line.strip()]
        self._stage = _take_over(self._rds)
        for half_written in self._stage.glob("*.*.*"):
            half_written.unlink()
        self._orders: dict[str, _Order] = {}
        for path in self._rds.glob("*/rds.json"):
            self._resume(path.parent.name, path)
        self._epoch = max((order.epoch for order in self._orders.values()), default=0)

    async def set(self, service: str, lease_s: float | None, **wanted: Any) -> dict[str, Any]:
        """Put routes in place; what Envoy rejects is taken back. Without a lease, one runs on."""
        before = await self._loaded(service)
        known = self._orders.get(service, _Order())
        order = known._replace(**wanted)
        newest = max((known.epoch, known.seq), (self._epoch, 0))
        if (order.epoch, order.seq) <= newest:
            raise Refusal("late", f"{service} had order {newest[1]} of epoch {newest[0]} before.")
        self._epoch = order.epoch
        if order.exposed and order.change in order.fenced:
            raise Refusal("late", f"Change {order.change} of {service} was given back for good.")
        if lease_s is not None:
            order = order._replace(lease_s=lease_s, deadline=_boottime() + lease_s)
        self._place(service, order)
        try:
            return await self._read_back(service, before)
        except Refusal:
            if known.routes and self._orders[service].version == order.version:
                self._place(service, known._replace(epoch=order.epoch, seq=order.seq))
            raise

    async def renew(self, service: str, change: int, epoch: int, lease_s: float) -> dict[str, Any]:
        """Count the lease anew, from now."""
        order = self._orders.get(service, _Order())
        if epoch < self._epoch or change != order.change or change in order.fenced:
            raise Refusal("late", f"Epoch {epoch} holds no lease on change {change} of {service}.")
        self._epoch = epoch
        self._orders[service] = order._replace(lease_s=lease_s, deadline=_boottime() + lease_s)
        return {}

    async def give_back(self, service: str, why: str) -> dict[str, Any]:
        """The fallback, now: by a person or the daemon. Asking again changes nothing."""
        self._give_back(service, why)
        return await self._read_back(service, None)

    async def state(self, service: str | None) -> dict[str, Any]:
        """What a starting daemon reads first: the journal, and the order of this service or all."""
        orders = {name: o._asdict() for name, o in self._orders.items() if service in {None, name}}
        return {"services": orders, "journal": self._told}

    async def watch(self) -> None:
        """Give back what nobody holds, until a successor is there."""
        while self._stage.is_dir():
            for service, order in list(self._orders.items()):
                if _boottime() >= order.deadline:
                    with contextlib.suppress(Refusal):  # the next look tries again
                        self._give_back(service, f"nobody renewed its lease for {order.lease_s} s")
            await asyncio.sleep(_LOOK_S)

    def _give_back(self, service: str, why: str) -> None:
        if service not in self._orders:
            raise Refusal("unknown", f"The keeper has no routes of {service}.")
        order = self._orders[service]
        if order.exposed:
            try:
                (self._stage / f"{service}.json").replace(self._rds / service / "rds.json")
                self._orders[service] = order.given_back()
            except OSError:  # somebody removed a file, or all of them are a successor's now
                self._place(service, order.given_back())
            self._tell(service, order, why)

    def _place(self, service: str, order: _Order) -> None:
        """Write both files before one moves: a full disk changes nothing."""
        in_place, ready = self._rds / service / "rds.json", self._stage / f"{service}.json"
        # What a frozen predecessor may still write to is named after another generation.
        new, new_ready = (ready.with_suffix(f"{self._stage.suffix}.{i}") for i in range(2))
        try:
            _write(new, order.written())
            _write(new_ready, order.given_back().written())
            in_place.parent.mkdir(mode=0o700, exist_ok=True)
            new_ready.replace(ready)
            new.replace(in_place)
        except (OSError, RecursionError) as error:
            raise Refusal("disk", f"The routes of {service} cannot be written: {error}.") from error
        self._orders[service] = order

    def _resume(self, service: str, in_place: Path) -> None:
        """Know again what the keeper before knew, make it so, and grant one full lease."""
        try:
            (routes,) = json.loads(in_place.read_bytes())["resources"]
            order = _Order(**routes["metadata"]["filter_metadata"]["surefoot"])
        except (ValueError, LookupError, TypeError, RecursionError):
            in_place.replace(in_place.with_suffix(".unreadable"))
            return
        order = self._orders[service] = order._replace(deadline=_boottime() + order.lease_s)
        with contextlib.suppress(Refusal):  # a full disk: the files of the keeper before serve
            self._place(service, order)
        told = any(f" {service} {order.change} " in line for line in self._told)
        if order.change in order.fenced and not told:
            self._tell(service, order, "by the keeper before")

    async def _read_back(self, service: str, before: tuple[str, int] | None) -> dict[str, Any]:
        """Look until Envoy has what is in place, or cannot have it. Refused when it rejects it."""
        started = _boottime()
        while True:
            now = await self._loaded(service)
            if now and now[0] == self._orders[service].version:
                return {"read_back": True}
            if now and before and now[1] > before[1]:
                raise Refusal("rejected", f"Envoy rejects the new routes of {service}.")
            if _boottime() - started >= (_READ_BACK_S if now else _SILENT_S):
                return {"read_back": False}
            await asyncio.sleep(_POLL_S)

    async def _loaded(self, service: str) -> tuple[str, int] | None:
        """Which version Envoy has, and how many it rejected; None if it does not say."""
        stats = rf"rds\.{service}\.(version_text|update_rejected)$"
        request = f"GET /stats?filter={stats} HTTP/1.1\r\nHost: keeper\r\nConnection: close\r\n\r\n"
        with contextlib.suppress(OSError):  # a time-out is one too
            async with asyncio.timeout(1.0):
                reader, writer = await asyncio.open_unix_connection(self._rds.parent / "admin.sock")
                with contextlib.closing(writer):
                    writer.write(request.encode())
                    answer = (await reader.read()).decode()
                said = dict(re.findall(r'(version_text|update_rejected): "?([\d.]*)', answer))
                return (said["version_text"], int(said["update_rejected"])) if said else None
        return None

    def _tell(self, service: str, order: _Order, why: str) -> None:
        line = f"{time.time():.3f} {service} {order.change} {ascii(why)[1:-1]}"[:_WIDTH]
        self._told = [*self._told, line][-_LINES:]
        with contextlib.suppress(OSError):  # users have their service back; only the story is lost
            _write(self._journal, "".join(f"{line:{_WIDTH}}\n" for line in self._told), "r+")


def _take_over(rds: Path) -> Path:
    """Make the staging folder ours, with what lies ready in it; one rename, so one winner."""
    held = max(int(path.suffix[1:]) for path in rds.glob("stage.*"))
    return (rds / f"stage.{held}").rename(rds / f"stage.{held + 1}")


def _write(path: Path, text: str, mode: str = "w") -> None:
    with path.open(mode, encoding="ascii") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
