"""Pages that stay true while they are open."""

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator
from contextlib import aclosing
from dataclasses import replace

import pytest
from gallery import STATES, Gallery
from recorded import ANN, BO

from surefoot.domain.errors import OutsideFailed
from surefoot.pages.change import ChangePage
from surefoot.pages.page import Page
from surefoot.pages.presence import Presence
from surefoot.pages.rooms import BEAT_S, COALESCED_S, Rooms, frame, known

SOON_S = 5.0


def showing(state: str = "rolling_out") -> Gallery:
    """A control plane that shows change 41 in this state."""
    made = Gallery()
    made.show(STATES[state])
    return made


async def first(frames: AsyncIterator[Page]) -> Page:
    """The next page of a room."""
    async with asyncio.timeout(SOON_S):
        return await anext(frames)


async def until(frames: AsyncIterator[Page], mood: str) -> Page:
    """The next page with this mood."""
    async with asyncio.timeout(SOON_S):
        async for page in frames:
            if page.mood == mood:
                return page
    raise AssertionError(mood)


def news(sent: bytes) -> dict[str, object]:
    """What a frame says."""
    _, _, data = sent.decode().partition("data: ")
    found: dict[str, object] = json.loads(data)
    return found


async def test_what_happens_is_on_every_open_page() -> None:
    """Two readers of one page see the same, and it is made once for both."""
    control, made = showing(), 0
    page = ChangePage(control, Presence())

    async def make() -> Page:
        nonlocal made
        made += 1
        return await page.make(41)

    rooms = Rooms(control)
    async with aclosing(rooms.frames("41", make)) as one, aclosing(rooms.frames("41", make)) as two:
        assert (await first(one)).mood == (await first(two)).mood == "going"
        before = made
        control.show(STATES["restored"])
        seen = await asyncio.gather(until(one, "restored"), until(two, "restored"))
        assert seen[0] is seen[1]
        assert made == before + 1


async def test_nothing_is_made_for_nobody() -> None:
    """When the last reader leaves, the room is closed."""
    control = showing()
    page = ChangePage(control, Presence())
    rooms = Rooms(control)
    async with aclosing(rooms.frames("41", lambda: page.make(41))) as frames:
        await first(frames)
        assert len(asyncio.all_tasks()) > 1
    left = asyncio.all_tasks() - {asyncio.current_task()}
    async with asyncio.timeout(SOON_S):
        await asyncio.gather(*left, return_exceptions=True)


@pytest.mark.parametrize(
    "fault", [OutsideFailed("The disk is full.", cure="Wait."), ZeroDivisionError()]
)
async def test_a_page_that_cannot_be_made_is_not_passed_off_as_true(fault: Exception) -> None:
    """It sends nothing as of now while it cannot be made, and goes on afterwards."""
    control, faults = showing(), []
    page = ChangePage(control, Presence())

    async def make() -> Page:
        if faults:
            raise faults[0]
        return await page.make(41)

    rooms = Rooms(control)
    async with aclosing(rooms.frames("41", make)) as frames:
        await first(frames)
        faults.append(fault)
        control.show(STATES["restored"])
        await asyncio.sleep(COALESCED_S * 4)
        with contextlib.suppress(TimeoutError, StopAsyncIteration):
            async with asyncio.timeout(1.5 * BEAT_S):
                pytest.fail((await anext(frames)).mood)
    faults.clear()
    async with aclosing(rooms.frames("41", make)) as frames:
        assert (await first(frames)).mood == "restored"


async def test_a_frame_holds_only_what_the_reader_lacks() -> None:
    """Who has all of it gets the time; who has an older page gets what changed since."""
    control = showing()
    page = ChangePage(control, Presence())
    old = await page.make(41)
    sent, fresh, has = frame(old, old.digests, 7.0)
    assert news(sent) == {"at": 7.0}
    assert not fresh
    control.show(replace(STATES["rolling_out"], share=0.5))
    sent, fresh, _ = frame(await page.make(41), has, 8.0)
    assert fresh
    parts = news(sent)["parts"]
    assert isinstance(parts, dict)
    assert {"state", "path"} <= set(parts) < set(old.parts)


async def test_a_reader_goes_on_where_the_connection_was_lost() -> None:
    """The name of the last frame tells a new daemon what the reader has."""
    page = await ChangePage(showing(), Presence()).make(41)
    sent, _, _ = frame(page, {}, 1.0)
    identity = sent.partition(b"\n")[0].removeprefix(b"id: ").decode()
    assert known(identity) == page.digests
    assert known("nonsense,a:b") == {"a": "b"}


def test_who_looks_at_a_change_is_there_once() -> None:
    """Two windows of one person are one person, and gone when both are closed."""
    presence = Presence()
    with presence.of(41, BO), presence.of(41, ANN), presence.of(42, ANN):
        with presence.of(41, BO):
            assert presence.names(41) == (ANN.name, BO.name)
        assert presence.names(41) == (ANN.name, BO.name)
    assert presence.names(41) == ()


def test_each_service_has_its_own_0() -> None:
    """Who looks at the adopted release of one service does not look at that of another."""
    presence = Presence()
    with presence.of(0, BO, "shop"), presence.of(41, BO, "shop"), presence.of(41, ANN):
        assert presence.names(0, "shop") == (BO.name,)
        assert presence.names(0, "blog") == ()
        assert presence.names(41, "shop") == (ANN.name, BO.name)
