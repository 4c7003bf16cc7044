"""Pages that stay true while they are open: one rendering for all who look at one page.

A page that cannot be made sends nothing, not even a beat: its readers are told by the silence, and
say how old it is.

A frame names the parts that changed since the reader's own last frame, told by digests that the
reader sends back when a connection was lost: so it goes on where it was, also behind a new daemon.
"""

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from dataclasses import dataclass, field

import msgspec

from surefoot.domain.errors import SurefootError
from surefoot.engine.control import Control
from surefoot.pages.page import Page
from surefoot.pages.words import plain

__all__ = ["BEAT_S", "COALESCED_S", "Rooms", "frame", "known"]

BEAT_S = 2.0
COALESCED_S = 0.05  # what happens together is shown together
AGAIN_S = 2.0
log = logging.getLogger(__name__)

Make = Callable[[], Awaitable[Page]]


@dataclass(slots=True)
class Room:
    """One page, its readers' bells, and what it shows now."""

    make: Make
    page: Page | None = None
    readers: set[asyncio.Event] = field(default_factory=set)
    knock: asyncio.Event = field(default_factory=asyncio.Event)
    keeping: asyncio.Task[None] | None = None


class Rooms:
    """The pages that somebody looks at."""

    def __init__(self, control: Control) -> None:
        """Nobody looks at anything yet."""
        self._control = control
        self._rooms: dict[str, Room] = {}

    async def frames(self, key: str, make: Make) -> AsyncIterator[Page]:
        """The page `key` whenever it may have changed, and at least every two seconds.

        Args:
            key: names the page; all who name the same share one rendering.
            make: makes it as it is now.
        """
        room = self._rooms.setdefault(key, Room(make))
        bell = asyncio.Event()
        room.readers.add(bell)
        if room.keeping is None or room.keeping.done():
            room.keeping = asyncio.create_task(self._keep(room))
        else:
            room.knock.set()  # who comes is seen by the others
        try:
            while True:
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(BEAT_S):
                        await bell.wait()
                bell.clear()
                if room.keeping.done():
                    return  # a fault of ours: who asks again gets its answer, or another room
                if room.page is not None:
                    yield room.page
        finally:
            room.readers.discard(bell)
            room.knock.set()
            if not room.readers:
                self._rooms.pop(key, None)
                room.keeping.cancel()

    async def _keep(self, room: Room) -> None:
        """Render when something happened, and after the page's own pause."""
        hearing = asyncio.create_task(self._hear(room))
        try:
            while True:
                room.knock.clear()
                pause = await self._render(room)
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(pause):
                        await room.knock.wait()
        finally:
            hearing.cancel()

    async def _hear(self, room: Room) -> None:
        """Knock whenever the ledger grows."""
        while True:
            try:
                async for _ in self._control.follow(None):
                    await asyncio.sleep(COALESCED_S)
                    room.knock.set()
            except SurefootError as error:
                log.warning("the ledger cannot be followed now: %s", error)
            await asyncio.sleep(AGAIN_S)

    async def _render(self, room: Room) -> float:
        try:
            room.page = await room.make()
        except SurefootError as error:
            log.warning("a page cannot be made now: %s", error)
            room.page = None
            return AGAIN_S
        for bell in room.readers:
            bell.set()
        return room.page.pause_s


def known(has: str) -> dict[str, str]:
    """What a reader says it has: "name:digest,name:digest". What is no such pair is left out."""
    pairs = (pair.partition(":") for pair in has.split(",") if ":" in pair)
    return {name: digest for name, _, digest in pairs}


def frame(page: Page, has: Mapping[str, str], at: float) -> tuple[bytes, bool, Mapping[str, str]]:
    """What a reader who `has` this is sent, whether it holds news, and what the reader has then.

    It is a server-sent event; without news a beat, which tells the time `at` and that somebody is
    there.
    """
    now = page.digests
    fresh = {name: page.parts[name] for name in page.parts if has.get(name) != now[name]}
    news: dict[str, object] = {"at": at}
    if fresh or has.get("head") != now["head"]:
        order = list(page.parts)
        head = {"title": plain(page.title, at), "mood": page.mood, "order": order}
        news |= head | {"parts": fresh}
    identity = ",".join(f"{name}:{digest}" for name, digest in now.items())
    data = msgspec.json.encode(news)
    return b"id: %s\ndata: %s\n\n" % (identity.encode(), data), "parts" in news, now
