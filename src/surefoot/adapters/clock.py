"""The real clock."""

import asyncio
import time

__all__ = ["SystemClock"]


class SystemClock:
    """The host's clocks, as the Clock port has them."""

    def now(self) -> float:
        """Wall time in epoch seconds; it may jump when somebody sets the clock."""
        return time.time()

    def boottime(self) -> float:
        """Seconds since the host started; it only goes forward, and goes on while it sleeps."""
        return time.clock_gettime(time.CLOCK_BOOTTIME)

    async def sleep(self, seconds: float) -> None:
        """Wait, and let everything else run meanwhile."""
        await asyncio.sleep(seconds)
