"""Tells each service's team what the ledger says, beside the engine: nothing waits for it.

What was told is in the ledger too, so that a restart neither loses anything nor says it again. Only
a control plane that is killed while a command runs tells the same once more.
"""

import asyncio
import contextlib
import logging
from collections.abc import Awaitable, Callable
from pathlib import Path

from surefoot.domain.errors import OutsideFailed, SurefootError
from surefoot.engine.acts import Actor
from surefoot.engine.news import NEWS, News, pending
from surefoot.engine.run import Outside, ServiceRun
from surefoot.ports import NewEntry

__all__ = ["Teller"]

TOLD, NOT_TOLD = "told", "not_told"
REMEMBERED = 200
AT_MOST = 100  # so many untold news of one service are looked at; older ones nobody wants
PAUSES_S = (2.0, 10.0, 30.0)  # between tries
LOOK_S = 60.0
AGAIN_S = 5.0
ATTEMPT_S = 15.0
log = logging.getLogger(__name__)

Write = Callable[[ServiceRun, NewEntry], Awaitable[None]]


class Teller:
    """One for all services; `run` is its task for one of them."""

    def __init__(self, outside: Outside, actor: Actor, write: Write) -> None:
        """Take the ports, who knows where releases are, and who writes into the ledger."""
        self.outside = outside
        self.actor = actor
        self.write = write

    async def run(self, run: ServiceRun) -> None:
        """Tell this service's team whatever is news, for ever."""
        while True:
            run.news.clear()
            pause = LOOK_S
            try:
                pause = await self._look(run)
            except (SurefootError, OSError, ValueError) as failed:
                log.warning("%s: nobody can be told now: %s", run.name, failed)
                pause = AGAIN_S
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(pause):
                    await run.news.wait()

    async def _look(self, run: ServiceRun) -> float:
        """Tell what is due; returns the seconds until something may be."""
        store, clock = self.outside.store, self.outside.clock
        if not run.told:
            await self._recall(run)
        if not run.manifest.notify.run:
            return LOOK_S
        if not run.told:
            await self._begin(run)
        entries = await store.recent(run.name, NEWS, AT_MOST)
        to_tell = pending(entries, frozenset(run.told), run.changes, clock.now())
        for news in to_tell:
            if news.due <= clock.now():
                await self._tell(run, news)
        later = [news.due - clock.now() for news in to_tell if news.entry.seq not in run.told]
        return max(0.0, min([LOOK_S, *later]))

    async def _recall(self, run: ServiceRun) -> None:
        """After a restart: what was told, and whether the last of it reached anybody."""
        said = await self.outside.store.recent(run.name, (TOLD, NOT_TOLD), REMEMBERED)
        abouts = (entry.data.get("about") for entry in said)
        run.told |= {about for about in abouts if isinstance(about, int)}
        if said and said[0].kind == NOT_TOLD:
            run.untold = said[0].says

    async def _begin(self, run: ServiceRun) -> None:
        """What happened before there was anybody to tell is not told."""
        last = await self.outside.store.recent(run.name, NEWS, 1)
        about = last[0].seq if last else 0
        await self._write(run, None, TOLD, "The team is told from now on.", about)

    async def _tell(self, run: ServiceRun, news: News) -> None:
        """One notice, tried a few times; an end of ours waits for a command that is running."""
        for pause in (*PAUSES_S, None):
            attempt = asyncio.ensure_future(self._attempt(run, news, last=pause is None))
            try:
                if await asyncio.shield(attempt):
                    return
            except asyncio.CancelledError:
                await asyncio.wait({attempt}, timeout=ATTEMPT_S)
                attempt.cancel()
                raise
            await self.outside.clock.sleep(pause or 0.0)

    async def _attempt(self, run: ServiceRun, news: News, *, last: bool) -> bool:
        """Whether nothing more is to be done about it."""
        change = news.entry.change
        argv, word = run.manifest.notify.run, news.event.replace("_", " ")
        try:
            await self.outside.notifier.tell(argv, self._folder(run), news.notice)
        except OutsideFailed as failed:
            log.warning("%s: %s", run.name, failed)
            run.untold = f"The team could not be told ({word}): {failed.message}"
            if last:
                await self._write(run, change, NOT_TOLD, run.untold, news.entry.seq)
            return last
        run.untold = None
        await self._write(run, change, TOLD, f"The team was told: {word}.", news.entry.seq)
        return True

    async def _write(
        self, run: ServiceRun, change: int | None, kind: str, says: str, about: int
    ) -> None:
        run.told.add(about)
        entry = NewEntry(
            self.outside.clock.now(), run.name, change, kind, says, data={"about": about}
        )
        await self.write(run, entry)

    def _folder(self, run: ServiceRun) -> Path:
        """Where the live release stands, so that a command of the repository is found."""
        live = run.lane.live
        if live is not None:
            folder = self.actor.folder(run, live, "tree") / run.record.folder
            if folder.is_dir():
                return folder
        return self.actor.home
