"""The proxy's counters for each endpoint: who answered what, whoever had been asked first.

Names, as Envoy writes them: `cluster.svc__SERVICE__rN.endpoint.IP_PORT.rq_error`. A cluster
`svc__SERVICE__rN` is release N of a service and nothing else.
"""

import asyncio
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import aiohttp

__all__ = ["Counts", "Endpoints", "ProxyCounters", "increments", "read_counters"]

_STATS = "rq_error|rq_success|rq_total|rq_active|cx_connect_fail"
_FILTER = rf"^cluster\.svc__.*__r\d+\.endpoint\..*\.({_STATS})$"
_ANSWER_S = 0.8  # well under a tick
_SAME_S = 0.2  # services looked at within this time are served by one reading


@dataclass(frozen=True, slots=True)
class Counts:
    """What one endpoint, or the endpoints of one release together, did.

    `failed` has 5xx answers, resets and refused connections; `total` has no refused connections.
    """

    failed: int = 0
    succeeded: int = 0
    total: int = 0
    active: int = 0
    refused: int = 0

    @property
    def answered(self) -> int:
        """Attempts that came to an end that we know: the denominator of all rates."""
        return self.failed + self.succeeded

    @property
    def abandoned(self) -> int:
        """Requests that the client gave up: they end in neither of the two."""
        return self.total + self.refused - self.answered - self.active

    def __add__(self, other: "Counts") -> "Counts":
        """Both together."""
        return Counts(
            self.failed + other.failed,
            self.succeeded + other.succeeded,
            self.total + other.total,
            self.active + other.active,
            self.refused + other.refused,
        )

    def since(self, before: "Counts") -> "Counts":
        """What was added; a counter that fell began anew at zero (Prometheus' rule)."""
        if self.total < before.total or self.answered < before.answered:
            return self
        return Counts(
            self.failed - before.failed,
            self.succeeded - before.succeeded,
            self.total - before.total,
            self.active - before.active,
            self.refused - before.refused,
        )


Endpoints = Mapping[str, Counts]
"""Counts by endpoint (`127.0.0.1_8001`) of one cluster."""


def increments(now: Endpoints, before: Endpoints) -> Counts:
    """What all endpoints of a release added together; a new endpoint began at zero."""
    added = Counts()
    for endpoint, counts in now.items():
        added += counts.since(before.get(endpoint, Counts()))
    return added


def read_counters(text: str) -> Mapping[str, Endpoints]:
    """Envoy's plain statistics as counts by cluster and endpoint."""
    found: dict[str, dict[str, dict[str, int]]] = defaultdict(lambda: defaultdict(dict))
    for line in text.splitlines():
        name, _, value = line.rpartition(": ")
        where, _, stat = name.rpartition(".")
        cluster, marker, endpoint = where.removeprefix("cluster.").partition(".endpoint.")
        if marker and value.isdigit():
            found[cluster][endpoint][stat] = int(value)
    return {
        cluster: {endpoint: _counts(stats) for endpoint, stats in endpoints.items()}
        for cluster, endpoints in found.items()
    }


class ProxyCounters:
    """Reads the counters of all services at once, through Envoy's admin socket."""

    def __init__(self, admin_socket: Path) -> None:
        """Take where Envoy answers; nothing is opened yet."""
        self._socket = admin_socket
        self._session: aiohttp.ClientSession | None = None
        self._reading = asyncio.Lock()
        self._read_at = -_SAME_S
        self._read: Mapping[str, Endpoints] | None = None

    async def read(self, now: float) -> Mapping[str, Endpoints] | None:
        """The counters by cluster, at most 0.2 s old at `now`; None when Envoy does not answer."""
        async with self._reading:
            if now - self._read_at >= _SAME_S:
                self._read = await self._scraped()
                self._read_at = now
            return self._read

    def forget(self) -> None:
        """Ask anew the next time."""
        self._read_at = -_SAME_S

    async def close(self) -> None:
        """End the connection."""
        if self._session is not None:
            await self._session.close()
            self._session = None

    async def _scraped(self) -> Mapping[str, Endpoints] | None:
        if self._session is None:
            self._session = aiohttp.ClientSession(
                connector=aiohttp.UnixConnector(str(self._socket)),
                timeout=aiohttp.ClientTimeout(total=_ANSWER_S),
            )
        try:
            async with self._session.get(
                "http://envoy/stats", params={"filter": _FILTER}
            ) as answer:
                answer.raise_for_status()
                return read_counters(await answer.text())
        except (aiohttp.ClientError, OSError):  # a timeout is an OSError
            return None


def _counts(stats: Mapping[str, int]) -> Counts:
    return Counts(
        failed=stats.get("rq_error", 0),
        succeeded=stats.get("rq_success", 0),
        total=stats.get("rq_total", 0),
        active=stats.get("rq_active", 0),
        refused=stats.get("cx_connect_fail", 0),
    )
