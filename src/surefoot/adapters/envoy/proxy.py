"""Clusters and listeners: written whole, in order, and believed when Envoy says so."""

import asyncio
from pathlib import Path

import msgspec

from surefoot.adapters.envoy.admin import Admin
from surefoot.adapters.envoy.fronts import Placed, clusters, decode, encode
from surefoot.adapters.envoy.resources import Json, bootstrap, leaf_name, listener, listener_name
from surefoot.adapters.envoy.staging import Staging
from surefoot.domain.errors import OutsideFailed
from surefoot.ports import Clock

__all__ = ["Proxy"]

_CONFIRM_S = 5.0
_POLL_S = 0.003
_CLUSTERS = "cluster_manager.cds"
_LISTENERS = "listener_manager.lds"


class Proxy:
    """All that Envoy is told but routes."""

    def __init__(self, folder: Path, attempts: Path, epoch: int, clock: Clock) -> None:
        self.admin = Admin(folder / "admin.sock")
        self.placed: dict[str, Placed] = {}
        self._folder = folder
        self._attempts = attempts
        self._staging = Staging(folder / "staging", epoch)
        self._fronts = folder / "fronts.json"
        self._epoch = epoch
        self._clock = clock
        self._n = 0
        self._written: dict[str, list[Json]] = {}
        self._one_at_a_time = asyncio.Lock()

    def take_over(self) -> None:
        """Know what an earlier control plane placed, and steer from here on."""
        for name in ("cds", "lds", "rds", "staging"):
            (self._folder / name).mkdir(mode=0o700, parents=True, exist_ok=True)
        self._staging.take_over()
        if self._fronts.exists():
            self.placed = self._known_before()
        self._staging.write(self._folder / "bootstrap.json", bootstrap(self._folder))
        for kind, resources in self._resources():
            self._write(kind, resources)

    async def place(self, placed: Placed) -> None:
        """Clusters, then listener; what Envoy refuses is taken back.

        Raises:
            OutsideFailed: Envoy refused it or does not answer.
            Relieved: a newer control plane steers the proxy.
        """
        async with self._one_at_a_time:
            if self.placed.get(placed.front.service) != placed:
                await self._change({**self.placed, placed.front.service: placed})
                await self._in_force(placed)

    async def remove(self, service: str) -> None:
        """The listener, then the clusters."""
        async with self._one_at_a_time:
            await self._change({key: each for key, each in self.placed.items() if key != service})

    async def healthy(self, service: str) -> dict[int, bool]:
        """Of each release that the proxy knows: whether any of its instances is healthy."""
        hosts = await self.admin.healthy(service)
        leaves = self.placed[service].leaves if service in self.placed else ()
        return {leaf.release: hosts.get(leaf_name(service, leaf.release), 0) > 0 for leaf in leaves}

    def _known_before(self) -> dict[str, Placed]:
        try:
            return decode(self._fronts.read_bytes())
        except msgspec.DecodeError as error:
            # To go on without it would take every service off the air.
            raise OutsideFailed(
                f"{self._fronts} cannot be read: {error}.",
                cure="Put it back from a backup, or remove it and adopt every service again.",
            ) from error

    async def _change(self, wanted: dict[str, Placed]) -> None:
        earlier, self.placed = self.placed, wanted
        try:
            await self._in_order(removing=len(wanted) < len(earlier))
        except OutsideFailed:
            self.placed = earlier
            for kind, resources in self._resources():
                self._write(kind, resources)
            raise
        self._staging.write(self._fronts, encode(wanted))

    async def _in_order(self, *, removing: bool) -> None:
        kinds = self._resources()
        for kind, resources in reversed(kinds) if removing else kinds:
            if self._written.get(kind) != resources:
                await self._confirmed(kind, resources)

    def _resources(self) -> list[tuple[str, list[Json]]]:
        every = [self.placed[service] for service in sorted(self.placed)]
        listeners = [
            listener(each.front.service, each.front.listen, self._folder, self._attempts)
            for each in every
        ]
        return [
            (_CLUSTERS, [cluster for each in every for cluster in clusters(each)]),
            (_LISTENERS, listeners),
        ]

    def _write(self, kind: str, resources: list[Json]) -> str:
        self._n += 1
        version = f"{self._epoch}.{self._n}"
        short = kind[-3:]
        content = {"version_info": version, "resources": resources}
        self._staging.write(self._folder / short / f"{short}.json", content)
        self._written[kind] = resources
        return version

    async def _confirmed(self, kind: str, resources: list[Json]) -> None:
        regex = rf"^{kind}\.(version_text|update_rejected)$"
        before = (await self.admin.stats(regex)).get(f"{kind}.update_rejected", "0")
        version = self._write(kind, resources)
        deadline = self._clock.boottime() + _CONFIRM_S
        while self._clock.boottime() < deadline:
            now = await self.admin.stats(regex)
            if now.get(f"{kind}.update_rejected", "0") != before:
                raise await self._refused(kind)
            if now.get(f"{kind}.version_text") == version:
                return
            await self._clock.sleep(_POLL_S)
        raise OutsideFailed(
            f"Envoy did not take new {kind[-3:]} files within {_CONFIRM_S:g} s.",
            cure="`logs/envoy.log` in the home tells what it is doing.",
        )

    async def _refused(self, kind: str) -> OutsideFailed:
        names = [listener_name(service) for service in self.placed] if kind == _LISTENERS else []
        for name in names:
            if error := await self.admin.listener_error(name):
                return OutsideFailed(
                    f"Envoy cannot listen for {name.removeprefix('in__')}: {error}.",
                    cure="Free that address, or name another one as `listen` in surefoot.toml.",
                )
        return OutsideFailed(
            "Envoy refused the new clusters; the old ones stay.",
            cure="`logs/envoy.log` in the home tells why.",
        )

    async def _in_force(self, placed: Placed) -> None:
        """Wait until Envoy uses the new clusters: it first asks the health of each once."""
        wanted = {cluster["name"] for cluster in clusters(placed)}
        deadline = self._clock.boottime() + _CONFIRM_S
        while not wanted <= (await self.admin.healthy(placed.front.service)).keys():
            if self._clock.boottime() > deadline:
                raise OutsideFailed(
                    "Envoy did not make the new clusters ready in time.",
                    cure="`logs/envoy.log` in the home tells why.",
                )
            await self._clock.sleep(_POLL_S)
