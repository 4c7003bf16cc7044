"""Virtual time: it stands still while anybody works, and jumps when everybody waits.

The event loop is the one place that knows when nothing is left to do, so time lives there: every
wait of asyncio (`sleep`, `wait_for`, `timeout`, `call_later`) is virtual without knowing it.
"""

import asyncio
import selectors
from collections.abc import Callable
from concurrent.futures import Executor
from typing import TypeVar, TypeVarTuple

__all__ = ["VirtualClock", "VirtualLoop"]

T = TypeVar("T")
Ts = TypeVarTuple("Ts")

WALL_AT_START = 1_800_000_000.0


class _Time(selectors.DefaultSelector):
    """Where the loop waits; instead of waiting for a timer, it moves the time there."""

    def __init__(self) -> None:
        super().__init__()
        self.now = 0.0
        self.threads = 0

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        if timeout is None or timeout <= 0 or self.threads:
            return super().select(timeout)
        ready = super().select(0)
        if not ready:
            self.now += timeout
        return ready


class VirtualLoop(asyncio.SelectorEventLoop):
    """An event loop in which half an hour passes as fast as its work is done.

    Real files, sockets and threads are waited for in real time, and no virtual time passes
    meanwhile.
    """

    def __init__(self) -> None:
        """Begin at second 0."""
        self._virtual = _Time()
        super().__init__(self._virtual)

    def time(self) -> float:
        """Virtual seconds since this loop was made."""
        return self._virtual.now

    def run_in_executor(
        self, executor: Executor | None, func: Callable[[*Ts], T], *args: *Ts
    ) -> asyncio.Future[T]:
        """Run in a thread; time stands still until it is done."""
        future = super().run_in_executor(executor, func, *args)
        self._virtual.threads += 1
        future.add_done_callback(self._thread_ended)
        return future

    def _thread_ended(self, _future: asyncio.Future[T]) -> None:
        self._virtual.threads -= 1


class VirtualClock:
    """The Clock port on the running loop's own time."""

    def __init__(self, wall_at_start: float = WALL_AT_START) -> None:
        """Take the wall time, in epoch seconds, at which the loop's time began."""
        self._wall_at_start = wall_at_start

    def now(self) -> float:
        """Wall time in epoch seconds."""
        return self._wall_at_start + self.boottime()

    def boottime(self) -> float:
        """Seconds that only go forward: the loop's."""
        return asyncio.get_running_loop().time()

    async def sleep(self, seconds: float) -> None:
        """Wait in virtual time."""
        await asyncio.sleep(seconds)

    def set_wall(self, seconds: float) -> None:
        """Somebody sets the clock: the wall time is `seconds` later (or earlier) from now on."""
        self._wall_at_start += seconds
