"""A real Envoy with two releases behind it, and services that count and fail as told."""

import asyncio
import json
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from aiohttp import web

import envoy
from surefoot.adapters.clock import SystemClock
from surefoot.adapters.telemetry import ProxyTelemetry
from surefoot.domain.manifest import Address
from surefoot.ports import UpstreamArm

ENVOY = Path(envoy.__file__).parent / "_bin" / "envoy"
TYPE = "type.googleapis.com/envoy"
NO_LIMITS = {"thresholds": [{"max_retries": 1000}]}


class Service:
    """An instance of a release: answers `/`, `/bad`, `/slow`, `/hang`, and its metrics page."""

    def __init__(self) -> None:
        self.page = ""
        self.silent = False
        self.address = Address("127.0.0.1", 0)
        self._runner: web.AppRunner | None = None

    async def start(self, port: int = 0) -> None:
        app = web.Application()
        app.router.add_get("/metrics", self._metrics)
        app.router.add_get("/{rest:.*}", self._answer)
        self._runner = web.AppRunner(app, shutdown_timeout=0.01)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", port)
        await site.start()
        self.address = Address("127.0.0.1", self._runner.addresses[0][1])

    async def stop(self) -> None:
        if self._runner is not None:
            await self._runner.cleanup()
            self._runner = None

    async def _metrics(self, _request: web.Request) -> web.Response:
        if self.silent:
            await asyncio.sleep(60)
        return web.Response(text=self.page)

    async def _answer(self, request: web.Request) -> web.Response:
        match request.path.rsplit("/", 1)[-1]:
            case "bad":
                return web.Response(status=500)
            case "slow":
                await asyncio.sleep(0.1)
            case "hang":
                await asyncio.sleep(60)
        return web.Response(text="ok")


def _cluster(name: str, *addresses: Address) -> dict[str, Any]:
    sockets = [{"address": one.host, "port_value": one.port} for one in addresses]
    endpoints = [{"endpoint": {"address": {"socket_address": one}}} for one in sockets]
    return {
        "name": name,
        "type": "STATIC",
        "connect_timeout": "0.5s",
        "load_assignment": {
            "cluster_name": name,
            "endpoints": [{"lb_endpoints": endpoints}],
        },
        "circuit_breakers": NO_LIMITS,
        "track_cluster_stats": {"per_endpoint_stats": True},
    }


def _arm(name: str, clusters: list[str]) -> dict[str, Any]:
    config = {
        "@type": f"{TYPE}.extensions.clusters.aggregate.v3.ClusterConfig",
        "clusters": clusters,
    }
    return {
        "name": name,
        "connect_timeout": "0.5s",
        "lb_policy": "CLUSTER_PROVIDED",
        "circuit_breakers": NO_LIMITS,
        "cluster_type": {"name": "envoy.clusters.aggregate", "typed_config": config},
    }


def _configuration(folder: Path, port: int, live: Address, canary: Address) -> dict[str, Any]:
    """`/r1/...` goes to release 1, `/r2/...` to release 2 with release 1 behind it.

    `/r3/...` goes to release 3, which has two instances.
    """
    row = {
        "start": "%START_TIME(%s.%6f)%",
        "host": "%UPSTREAM_HOST%",
        "cluster": "%UPSTREAM_CLUSTER%",
        "code": "%RESPONSE_CODE%",
        "flags": "%RESPONSE_FLAGS%",
        "ms": "%DURATION%",
    }
    log = {
        "@type": f"{TYPE}.extensions.access_loggers.file.v3.FileAccessLog",
        "path": str(folder / "attempts.log"),
        "log_format": {"json_format": row},
    }
    router = {
        "@type": f"{TYPE}.extensions.filters.http.router.v3.Router",
        "upstream_log": [{"name": "file", "typed_config": log}],
    }
    priorities = f"{TYPE}.extensions.retry.priority.previous_priorities.v3"
    again = {
        "@type": f"{priorities}.PreviousPrioritiesConfig",
        "update_frequency": 1,
    }
    retry = {
        "retry_on": "connect-failure,reset",
        "num_retries": 2,
        "retry_priority": {
            "name": "envoy.retry_priorities.previous_priorities",
            "typed_config": again,
        },
    }
    routes = [
        {"match": {"prefix": "/r2"}, "route": {"cluster": "arm2", "retry_policy": retry}},
        {"match": {"prefix": "/r3"}, "route": {"cluster": "svc__shop__r3"}},
        {"match": {"prefix": "/"}, "route": {"cluster": "svc__shop__r1"}},
    ]
    manager = {
        "@type": (
            f"{TYPE}.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager"
        ),
        "stat_prefix": "in",
        "route_config": {"virtual_hosts": [{"name": "v", "domains": ["*"], "routes": routes}]},
        "http_filters": [{"name": "envoy.filters.http.router", "typed_config": router}],
    }
    http = {"name": "envoy.filters.network.http_connection_manager", "typed_config": manager}
    listen = {"socket_address": {"address": "127.0.0.1", "port_value": port}}
    return {
        "admin": {"address": {"pipe": {"path": str(folder / "admin.sock"), "mode": 0o600}}},
        "static_resources": {
            "clusters": [
                _cluster("svc__shop__r1", live),
                _cluster("svc__shop__r2", canary),
                _cluster("svc__shop__r3", live, canary),
                _arm("arm2", ["svc__shop__r2", "svc__shop__r1"]),
            ],
            "listeners": [
                {"name": "in", "address": listen, "filter_chains": [{"filters": [http]}]}
            ],
        },
    }


class Proxy:
    """A running Envoy, asked as users do."""

    def __init__(self, folder: Path, port: int) -> None:
        self.folder = folder
        self._port = port
        self._process: asyncio.subprocess.Process | None = None

    async def start(self) -> None:
        self._process = await asyncio.create_subprocess_exec(
            str(ENVOY),
            *("-c", str(self.folder / "envoy.json"), "--disable-hot-restart"),
            *("--concurrency", "1", "--file-flush-interval-msec", "50", "-l", "error"),
        )
        for _ in range(1000):
            with suppress(aiohttp.ClientError):
                await self.ask("/r1/")
                return
            await asyncio.sleep(0.02)
        raise AssertionError("Envoy does not answer")

    async def stop(self) -> None:
        if self._process is not None:
            self._process.kill()
            await self._process.wait()
            self._process = None

    async def ask(self, path: str, times: int = 1, within: float = 20.0) -> list[int]:
        async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=within)) as http:

            async def one() -> int:
                async with http.get(f"http://127.0.0.1:{self._port}{path}") as answer:
                    return answer.status

            return await asyncio.gather(*(one() for _ in range(times)))


@asynccontextmanager
async def running(part: Any) -> AsyncIterator[Any]:
    await part.start()
    try:
        yield part
    finally:
        await part.stop()


@pytest.fixture
async def live() -> AsyncIterator[Service]:
    async with running(Service()) as service:
        yield service


@pytest.fixture
async def canary() -> AsyncIterator[Service]:
    async with running(Service()) as service:
        yield service


@pytest.fixture
async def proxy(tmp_path, live, canary) -> AsyncIterator[Proxy]:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    configuration = _configuration(tmp_path, port, live.address, canary.address)
    (tmp_path / "envoy.json").write_text(json.dumps(configuration), encoding="utf-8")
    async with running(Proxy(tmp_path, port)) as proxy:
        yield proxy


@pytest.fixture
async def telemetry(proxy) -> AsyncIterator[ProxyTelemetry]:
    made = ProxyTelemetry(proxy.folder / "admin.sock", proxy.folder / "attempts.log", SystemClock())
    yield made
    await made.close()


@pytest.fixture
def arms(live, canary) -> dict[str, UpstreamArm]:
    """Both releases, as keywords of `Watched`."""
    return {
        "canary": UpstreamArm(2, (canary.address,)),
        "baseline": UpstreamArm(1, (live.address,)),
    }


@pytest.fixture
def eventually() -> Callable[..., Awaitable[Any]]:
    """Try something until it is true, up to a deadline that only a broken machine meets."""

    async def wait(attempt: Callable[[], Awaitable[Any]]) -> Any:
        clock = SystemClock()
        deadline = clock.boottime() + 20
        while not (found := await attempt()):
            assert clock.boottime() < deadline, "the condition did not come true in time"
            await clock.sleep(0.05)
        return found

    return wait
