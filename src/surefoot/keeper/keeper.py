"""Routes in place, proven, and given back when the lease on an exposed change runs out.

What giving back needs is written when a change is exposed, so that it is two renames and no new
data. All files come through a staging folder named after this keeper's generation; a successor
renames that folder away, so that a stale keeper's late rename fails in the kernel.
"""

import asyncio
import contextlib
import json
import os
import shutil
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


class Refusal(Exception):  # noqa: N818 -- a refusal is an answer, not a fault
    """An order that is not carried out: a word for the program, a sentence for the person."""

    def __init__(self, error: str, says: str) -> None:
        super().__init__(says)
        self.error = error


class Relieved(Exception):  # noqa: N818 -- the end of a duty, not a fault
    """Another keeper took over; this one must not act again."""


@dataclass(frozen=True, slots=True)
class Service:
    """What is known of a service's routes; both are complete Envoy RouteConfigurations."""

    change: int | None
    epoch: int
    seq: int
    routes: dict[str, Any]
    fallback: dict[str, Any]
    lease_s: float | None  # None in an order: a lease that runs is left alone
    fenced: list[int] = field(default_factory=list)

    @property
    def exposed(self) -> bool:
        """Whether users meet a change that needs somebody to hold its lease."""
        return self.change is not None and self.routes != self.fallback

    def given_back(self) -> "Service":
        """As it is once the fallback is in place; the change is never exposed again."""
        fenced = sorted({*self.fenced, self.change}) if self.change is not None else self.fenced
        return replace(self, routes=self.fallback, fenced=fenced)


class Keeper:
    """The only writer of the route files under `home/envoy/rds`."""

    def __init__(self, home: Path) -> None:
        self._rds = home / "envoy" / "rds"
        self._admin = home / "envoy" / "admin.sock"
        self._state = home / "keeper" / "state"
        for folder in (self._rds, self._state):
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._generation = _take_over(self._rds)
        self._stage = self._rds / f"stage.{self._generation}"
        self._journal = Journal(home / "keeper" / "journal")
        self._n = 0
        self._versions: dict[str, tuple[int, int]] = {}
        self._deadlines: dict[str, float] = {}
        self._services: dict[str, Service] = {}
        self._resume()
        self._epoch = max((service.epoch for service in self._services.values()), default=0)

    async def set(self, name: str, wanted: Service) -> dict[str, object]:
        """Put routes in place and read them back; what Envoy refuses is taken back."""
        started = _boottime()
        before = await loaded(self._admin, name)
        self._refuse_older(wanted.epoch)
        known = self._services.get(name)
        service = replace(wanted, lease_s=wanted.lease_s or _LEASE_S)
        if known is not None:
            service = self._admitted(known, name, wanted)
        self._place(name, service)
        version = self._versions[name]
        if wanted.lease_s or known is None or known.change != service.change:
            self._deadlines[name] = _boottime() + (service.lease_s or _LEASE_S)
        after = await self._read_back(name, version, before)
        if before and after and after.refused > before.refused:
            if known is not None and self._versions[name] == version:
                self._place(name, replace(known, epoch=service.epoch, seq=service.seq))
            raise Refusal("rejected", f"Envoy refused the new routes of {name}; it keeps the old.")
        return _answer(started, version, after)

    async def renew(
        self, name: str, change: int, epoch: int, lease_s: float | None
    ) -> dict[str, object]:
        """Count the lease anew, from now."""
        self._refuse_older(epoch)
        service = self._known(name)
        _refuse_fenced(service, name, change)
        if change != service.change:
            raise Refusal("other", f"{name} has change {service.change}, not {change}.")
        self._deadlines[name] = _boottime() + (lease_s or _LEASE_S)
        return {}

    async def give_back(self, name: str, why: str) -> dict[str, object]:
        """The fallback, now: by a person or the daemon. Asking again changes nothing."""
        started = _boottime()
        self._give_back(name, why)
        version = self._versions[name]
        return _answer(started, version, await self._read_back(name, version, None))

    async def forget(self, name: str, epoch: int) -> dict[str, object]:
        """Remove all that is known of a service that the proxy no longer serves."""
        self._refuse_older(epoch)
        self._refuse_relieved()
        if name in self._services and self._services[name].exposed:
            raise Refusal("exposed", f"Change {self._services[name].change} of {name} is exposed.")
        self._services.pop(name, None)
        for path in (self._state / f"{name}.json", *self._stage.glob(f"{name}.*")):
            path.unlink(missing_ok=True)
        shutil.rmtree(self._rds / name, ignore_errors=True)
        return {}

    async def state(self, name: str | None) -> dict[str, object]:
        """What a starting daemon reads first; with a name, that service's routes too."""
        services: dict[str, object] = {}
        for each in self._services if name is None else {name} & self._services.keys():
            service = self._services[each]
            left = self._deadlines[each] - _boottime() if service.exposed else None
            told = asdict(service) | {"exposed": service.exposed, "lease_left": left}
            if name is None:
                del told["routes"], told["fallback"]
            services[each] = told
        journal = [e._asdict() for e in self._journal.entries if name in {None, e.service}]
        return {"services": services, "journal": journal, "generation": self._generation}

    async def watch(self) -> None:
        """Give back what nobody holds, for ever. Raises `Relieved` when a successor is there."""
        while True:
            self._refuse_relieved()
            for name, service in list(self._services.items()):
                if service.exposed and _boottime() >= self._deadlines[name]:
                    self._give_back(name, f"nobody renewed its lease for {service.lease_s} s")
            await asyncio.sleep(_LOOK_S)

    def _admitted(self, known: Service, name: str, wanted: Service) -> Service:
        if (wanted.epoch, wanted.seq) <= (known.epoch, known.seq):
            raise Refusal("older", f"{name} already has order {known.seq} of epoch {known.epoch}.")
        service = replace(wanted, fenced=known.fenced, lease_s=wanted.lease_s or known.lease_s)
        if service.exposed:
            _refuse_fenced(service, name, service.change)
        return service

    def _place(self, name: str, service: Service) -> None:
        """Stage everything before anything moves: a full disk changes nothing."""
        self._n += 2
        version = (self._generation, self._n - 1)
        contents = {
            self._stage / f"{name}.fallback": _discovery(service.fallback, _after(version)),
            self._stage / f"{name}.given": json.dumps(asdict(service.given_back())),
            self._state / f"{name}.json": json.dumps(asdict(service)),
            self._rds / name / "rds.json": _discovery(service.routes, version),
        }
        # The number of this process: what a frozen predecessor may still write goes elsewhere.
        staged = [self._stage / f"{name}.{os.getpid()}.{i}.new" for i in range(len(contents))]
        try:
            (self._rds / name).mkdir(mode=0o700, exist_ok=True)
            for path, content in zip(staged, contents.values(), strict=True):
                path.write_text(content, encoding="utf-8")
            _sync(staged[2])  # the state: a restarted keeper stands on it
            for path, target in zip(staged, contents, strict=True):
                path.replace(target)
        except FileNotFoundError as error:
            raise Relieved from error
        except OSError as error:
            for path in staged:
                path.unlink(missing_ok=True)
            raise Refusal("disk", f"The routes of {name} cannot be written: {error}.") from error
        self._services[name], self._versions[name] = service, version

    def _give_back(self, name: str, why: str) -> None:
        service = self._known(name)
        if service.routes == service.fallback:
            return
        try:
            (self._stage / f"{name}.given").replace(self._state / f"{name}.json")
            (self._stage / f"{name}.fallback").replace(self._rds / name / "rds.json")
        except FileNotFoundError:  # somebody removed a file, or all of them are a successor's now
            self._place(name, service.given_back())
        else:
            self._services[name] = service.given_back()
            self._versions[name] = _after(self._versions[name])
        with contextlib.suppress(OSError):  # users have their service back; only the story is lost
            self._journal.append(time.time(), name, service.change, why)

    def _resume(self) -> None:
        """Know again what the keeper before knew, make it so, and grant one full lease."""
        for path in self._stage.glob("*.new"):
            path.unlink()
        for path in sorted(self._state.glob("*.json")):
            name = path.stem
            try:
                service = Service(**json.loads(path.read_bytes()))
            except (ValueError, TypeError):
                path.replace(path.with_suffix(".unreadable"))
                continue
            self._services[name], self._versions[name] = service, (self._generation, 0)
            self._deadlines[name] = _boottime() + (service.lease_s or _LEASE_S)
            with contextlib.suppress(Refusal):  # a full disk: the files of the keeper before serve
                self._place(name, service)
            told = {(entry.service, entry.change) for entry in self._journal.entries}
            if service.change in service.fenced and (name, service.change) not in told:
                self._journal.append(time.time(), name, service.change, "by the keeper before")

    async def _read_back(
        self, name: str, version: tuple[int, int], before: Loaded | None
    ) -> Loaded | None:
        """Look until Envoy has this version, refused it, or cannot have it."""
        started = _boottime()
        while True:
            now = await loaded(self._admin, name)
            if now and (not now.known or now.version >= version):
                return now
            if now and before and now.refused > before.refused:
                return now
            if _boottime() - started >= (_READ_BACK_S if now else _GONE_S):
                return now
            await asyncio.sleep(_POLL_S)

    def _known(self, name: str) -> Service:
        if name not in self._services:
            raise Refusal("unknown", f"The keeper has no routes of {name}.")
        return self._services[name]

    def _refuse_older(self, epoch: int) -> None:
        if epoch < self._epoch:
            raise Refusal("older", f"Epoch {epoch} is over; {self._epoch} gives the orders now.")
        self._epoch = epoch

    def _refuse_relieved(self) -> None:
        if not self._stage.is_dir():
            raise Relieved


def _refuse_fenced(service: Service, name: str, change: int | None) -> None:
    if change in service.fenced:
        raise Refusal("fenced", f"Change {change} of {name} was given back for good.")


def _answer(started: float, version: tuple[int, int], seen: Loaded | None) -> dict[str, object]:
    read_back = seen is not None and seen.version >= version
    return {"seconds": _boottime() - started, "read_back": read_back}


def _take_over(rds: Path) -> int:
    """Make the staging folder ours, with what lies ready in it; one rename, so one winner."""
    while True:
        held = max((int(path.suffix[1:]) for path in rds.glob("stage.*")), default=0)
        with contextlib.suppress(FileNotFoundError, FileExistsError):  # lost a race: look again
            if held == 0:
                (rds / "stage.1").mkdir(mode=0o700)
            else:
                (rds / f"stage.{held}").rename(rds / f"stage.{held + 1}")
            return held + 1


def _after(version: tuple[int, int]) -> tuple[int, int]:
    """The version of the fallback that was written beside these routes."""
    return version[0], version[1] + 1


def _discovery(routes: dict[str, Any], version: tuple[int, int]) -> str:
    kind = "type.googleapis.com/envoy.config.route.v3.RouteConfiguration"
    resource = {"@type": kind, **routes}
    return json.dumps({"version_info": f"{version[0]}.{version[1]}", "resources": [resource]})


def _sync(path: Path) -> None:
    with path.open("rb") as file:
        os.fsync(file.fileno())


def _boottime() -> float:
    return time.clock_gettime(time.CLOCK_BOOTTIME)
