"""A home with a real supervisor in it, and small services to run under it."""

import os
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from process_helpers import SERVICE, script

from surefoot.adapters.clock import SystemClock
from surefoot.adapters.processes import ProcessTarget, SupervisorPrograms
from surefoot.adapters.processes.procfs import Holder, holder
from surefoot.ports import Program, ReleaseSpec


@pytest.fixture
def clock() -> SystemClock:
    return SystemClock()


@pytest.fixture
async def until(clock) -> Callable[..., object]:
    """Wait for a condition, up to a deadline that only a broken machine meets."""

    async def wait(condition: Callable[[], object], seconds: float = 20.0) -> object:
        deadline = clock.boottime() + seconds
        while not (found := condition()):
            assert clock.boottime() < deadline, "the condition did not come true in time"
            await clock.sleep(0.02)
        return found

    return wait


@pytest.fixture
def runs(until) -> Callable[..., object]:
    """Wait until somebody holds a lock: anybody, or anybody but `other`."""

    async def wait(lock: Path, other: Holder | None = None) -> object:
        return await until(lambda: now if (now := holder(lock)) not in {None, other} else None)

    return wait


@pytest.fixture
async def programs(tmp_path, clock) -> AsyncIterator[SupervisorPrograms]:
    made = SupervisorPrograms(tmp_path, clock)
    await made.start()
    yield made
    await made.stop()


@pytest.fixture
def target(tmp_path, programs, clock) -> ProcessTarget:
    return ProcessTarget(tmp_path, programs, clock)


@pytest.fixture
def server(tmp_path) -> tuple[str, ...]:
    """A web service that answers with its environment."""
    return script(tmp_path, "server.py", SERVICE + "    server.serve_forever()\n")


@pytest.fixture
def release(tmp_path, server) -> Callable[..., ReleaseSpec]:
    """A release of the service `shop`; keywords change it."""
    standard = ReleaseSpec(
        service="shop",
        release=1,
        folder=tmp_path,
        argv=server,
        environment={},
        env_file=None,
        instances=1,
        health="/healthz",
        ready_s=20.0,
        stop_timeout_s=5.0,
    )
    return lambda **changed: replace(standard, **changed)


@pytest.fixture
def program(tmp_path) -> Callable[..., Program]:
    """A program that says its pid and stays; keywords change it."""
    argv = script(
        tmp_path, "stay.py", "import os, time\nprint(os.getpid(), flush=True)\ntime.sleep(600)\n"
    )
    standard = Program(
        name="stay",
        argv=argv,
        folder=tmp_path,
        environment={"PATH": os.defpath},
        lock=tmp_path / "stay.lock",
        log=tmp_path / "stay.log",
        stop_timeout_s=5.0,
    )
    return lambda **changed: replace(standard, **changed)


@pytest.fixture
def secrets(tmp_path) -> Iterator[Path]:
    file = tmp_path / "secrets.env"
    file.write_text("# for the shop\nTOKEN='s3cr3t-value'\nPORT=1\n", encoding="utf-8")
    file.chmod(0o600)
    return file
