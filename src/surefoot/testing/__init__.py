"""Every port in memory, virtual time, and a simulated production with faults to inject.

Lives here: implementations of `surefoot.ports` that need no host, no network and no waiting, for
tests of whatever stands on the ports. What never does: a mock, an expectation, a random number of
its own (dice are handed in).

Start a test in `VirtualLoop`, make a `Production`, hang the ports on it, and let time pass:

    with asyncio.Runner(loop_factory=VirtualLoop) as runner:
        runner.run(story())
"""

from surefoot.testing.clock import VirtualClock, VirtualLoop
from surefoot.testing.commands import MemoryChecks, MemoryNotifier, MemoryPrograms
from surefoot.testing.faults import Faults
from surefoot.testing.production import Behaviour, Counted, Production
from surefoot.testing.scm import MemoryScm
from surefoot.testing.store import MemoryStore
from surefoot.testing.target import MemoryTarget
from surefoot.testing.telemetry import SimulatedTelemetry
from surefoot.testing.traffic import MemoryKeeper, MemoryTraffic

__all__ = [
    "Behaviour",
    "Counted",
    "Faults",
    "MemoryChecks",
    "MemoryKeeper",
    "MemoryNotifier",
    "MemoryPrograms",
    "MemoryScm",
    "MemoryStore",
    "MemoryTarget",
    "MemoryTraffic",
    "Production",
    "SimulatedTelemetry",
    "VirtualClock",
    "VirtualLoop",
]
