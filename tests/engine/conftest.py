"""Engine tests run in virtual time, on a simulated production."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest_asyncio
from engine_world import World

from surefoot.testing import VirtualLoop


def pytest_asyncio_loop_factories():
    """Every loop here is virtual: waiting takes no time."""
    return {"virtual": VirtualLoop}


@pytest_asyncio.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    """A home with a running daemon; all its invariants hold at the end."""
    made = World(tmp_path / "home")
    await made.up()
    yield made
    await made.end()
    made.check()
