"""One control plane for a home, whatever somebody does to the host's clock."""

import os
import subprocess
import sys

import pytest

from surefoot.adapters.clock import SystemClock
from surefoot.domain.errors import Refused
from surefoot.engine.lock import HomeLock

HOLDER = """
import asyncio, sys
from pathlib import Path
from surefoot.adapters.clock import SystemClock
from surefoot.engine.lock import HomeLock

lock = HomeLock(Path(sys.argv[1]), SystemClock())
asyncio.run(lock.take())
lock.announce("127.0.0.1:1", 1)
print("held", flush=True)
sys.stdin.read()
"""
SILENT_S = 11.0


class Stepped(SystemClock):
    """The host's clocks after somebody set the wall clock, and after some seconds have passed."""

    def __init__(self, step, passed):
        self._step = step
        self._passed = passed

    def now(self):
        return super().now() + self._step + self._passed

    def boottime(self):
        return super().boottime() + self._passed


@pytest.fixture
def holder(tmp_path):
    """A process that took the lock of a home, beat once, and does nothing more."""
    process = subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(tmp_path)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    with process:
        assert process.stdout.readline() == "held\n"
        yield process
        process.kill()


@pytest.mark.parametrize("step", [0.0, -3600.0, 3600.0])
async def test_a_holder_whose_heart_beats_is_refused(tmp_path, holder, step):
    """That somebody set the clock makes its last beat no older; it is named, and lives on."""
    with pytest.raises(Refused, match=f"already runs.*pid {holder.pid}"):
        await HomeLock(tmp_path, Stepped(step, passed=2.0)).take()
    assert holder.poll() is None


@pytest.mark.parametrize("step", [0.0, -3600.0, 3600.0])
async def test_a_holder_that_is_silent_for_long_is_ended(tmp_path, holder, step):
    """After 11 s without a beat it gives way, also when the clock was set back meanwhile."""
    lock = HomeLock(tmp_path, Stepped(step, passed=SILENT_S))
    await lock.take()
    lock.release()
    assert holder.wait(5) == -9


async def test_a_process_that_only_has_the_number_of_the_holder_is_not_ended(tmp_path, holder):
    """A number is given anew; start times are not."""
    told = tmp_path / "daemon.json"
    told.write_text(told.read_text().replace('"started": ', '"started": 1'))
    with pytest.raises(Refused, match="already runs"):
        await HomeLock(tmp_path, Stepped(0.0, passed=SILENT_S)).take()
    os.kill(holder.pid, 0)
