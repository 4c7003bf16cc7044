"""Checks, builds, the team's own command and kept programs in memory."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from surefoot.ports import Clock, CommandSpec, Finished, Notice, Program
from surefoot.testing.faults import Faults

__all__ = ["MemoryChecks", "MemoryNotifier", "MemoryPrograms"]


class MemoryChecks:
    """The Checks port: every command ends as it was told to, or well after `seconds`."""

    def __init__(self, clock: Clock, seconds: float = 0.5) -> None:
        """Take the clock, and how long a command takes that nothing was said of."""
        self.faults = Faults(clock)
        self.ran: list[CommandSpec] = []
        self._clock = clock
        self._seconds = seconds
        self._ends: dict[tuple[str, ...], Finished] = {}

    def end(self, argv: tuple[str, ...], finished: Finished) -> None:
        """Let this command end so, after `finished.seconds`."""
        self._ends[argv] = finished

    async def run(self, command: CommandSpec) -> Finished:
        """Run to the end or to the time limit."""
        await self.faults.meet("run")
        self.ran.append(command)
        well = Finished(ok=True, code=0, seconds=self._seconds, said="passed")
        finished = self._ends.get(command.argv, well)
        if finished.seconds > command.time_limit_s:
            finished = replace(finished, ok=False, code=None, seconds=command.time_limit_s)
        await self._clock.sleep(finished.seconds)
        return finished


class MemoryNotifier:
    """The Notifier port: what people were told, in its order."""

    def __init__(self, clock: Clock) -> None:
        """Take the clock of its faults."""
        self.faults = Faults(clock)
        self.told: list[Notice] = []

    async def tell(self, argv: Sequence[str], folder: Path, notice: Notice) -> None:  # noqa: ARG002 -- the port's
        """Hand one notice over; it is told once nothing is wrong any more."""
        await self.faults.meet("tell")
        self.told.append(notice)


class MemoryPrograms:
    """The Programs port: a list of what is kept."""

    def __init__(self, clock: Clock) -> None:
        """Take the clock of its faults."""
        self.faults = Faults(clock)
        self._kept: dict[str, Program] = {}

    async def start(self) -> None:
        """The supervisor runs."""
        await self.faults.meet("start")

    async def keep(self, program: Program) -> None:
        """Run it for ever."""
        await self.faults.meet("keep")
        self._kept[program.name] = program

    async def drop(self, name: str, *, kill: bool = False) -> None:  # noqa: ARG002 -- the port's
        """End it and forget it."""
        await self.faults.meet("drop")
        self._kept.pop(name, None)

    async def kept(self) -> tuple[str, ...]:
        """The names of all programs that are kept."""
        await self.faults.meet("kept")
        return tuple(self._kept)

    async def stop(self) -> None:
        """End all of them."""
        await self.faults.meet("stop")
        self._kept.clear()
