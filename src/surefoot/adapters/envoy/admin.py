"""Envoy's own word, through its admin Unix socket."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import aiohttp

from surefoot.domain.errors import OutsideFailed

__all__ = ["Admin"]

_ANSWER = aiohttp.ClientTimeout(total=5.0)


class Admin:
    """Reads; and steers nothing, since what is said here is not fenced."""

    def __init__(self, socket: Path) -> None:
        self._socket = socket

    async def ready(self) -> bool:
        """Whether Envoy answers and serves."""
        try:
            return (await self._ask("GET", "/ready")).startswith(b"LIVE")
        except OutsideFailed:
            return False

    async def stats(self, regex: str) -> Mapping[str, str]:
        """Raw names and values, texts without their quotes."""
        lines = (await self._ask("GET", "/stats", filter=regex)).decode().splitlines()
        pairs = (line.partition(": ") for line in lines)
        return {name: value.strip('"') for name, _, value in pairs}

    async def route_configuration(self, service: str) -> dict[str, Any] | None:
        """The routes of a service that are in force, as Envoy has them."""
        dump = await self._json(
            "/config_dump", resource="dynamic_route_configs", name_regex=service
        )
        for each in dump.get("configs", ()):
            if each.get("route_config", {}).get("name") == service:
                found: dict[str, Any] = each["route_config"]
                return found
        return None

    async def listener_error(self, name: str) -> str:
        """Why Envoy refused a listener; empty when it did not."""
        dump = await self._json("/config_dump", resource="dynamic_listeners", name_regex=name)
        for each in dump.get("configs", ()):
            if each.get("name") == name:
                return str(each.get("error_state", {}).get("details", ""))
        return ""

    async def healthy(self, service: str) -> Mapping[str, int]:
        """How many hosts are healthy, for each cluster of a service that is in force."""
        own = f"^(svc|arm)__{service}__r"
        told = await self._json("/clusters", format="json", filter=own)
        return {
            cluster["name"]: sum(_is_healthy(host) for host in cluster.get("host_statuses", ()))
            for cluster in told.get("cluster_statuses", ())
        }

    async def reopen_logs(self) -> None:
        """Write on into new files."""
        await self._ask("POST", "/reopen_logs")

    async def _json(self, path: str, **query: str) -> dict[str, Any]:
        """What Envoy answers; nothing, when it says in a sentence that it has no such thing."""
        body = await self._ask("GET", path, **query)
        told: dict[str, Any] = json.loads(body) if body.startswith(b"{") else {}
        return told

    async def _ask(self, method: str, path: str, **query: str) -> bytes:
        connector = aiohttp.UnixConnector(str(self._socket), force_close=True)
        try:
            async with (
                aiohttp.ClientSession(connector=connector, timeout=_ANSWER) as session,
                session.request(method, f"http://envoy{path}", params=query) as answer,
            ):
                return await answer.read()
        except (aiohttp.ClientError, OSError) as error:
            raise OutsideFailed(
                f"Envoy does not answer at {self._socket}: {error}.",
                cure="It is started again by itself; its log is in the `logs` folder of the home.",
            ) from error


def _is_healthy(host: Mapping[str, Any]) -> bool:
    status = host.get("health_status", {})
    failed = status.get("failed_active_health_check", False)
    return status.get("eds_health_status") == "HEALTHY" and not failed
