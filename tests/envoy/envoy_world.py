"""A home with a real proxy and keeper in it."""

import os
import shutil
import tempfile
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
from envoy_helpers import ProcessPrograms, RealClock, Site

from surefoot.adapters.envoy import EnvoyTraffic, envoy_binary


@pytest.fixture
def home() -> Iterator[Path]:
    """Short, since a Unix socket's path may have 107 bytes."""
    path = Path(tempfile.mkdtemp(prefix="sf"))
    yield path
    shutil.rmtree(path)


@pytest.fixture
async def site(home: Path) -> AsyncIterator[Site]:
    programs = ProcessPrograms()
    traffic = EnvoyTraffic(home, programs, envoy_binary(os.environ), 1, RealClock())
    site = Site(home, programs, traffic)
    try:
        await traffic.start()
        yield site
    finally:
        await programs.stop()
        for release in site.releases:
            release.kill()
            release.process.wait()
