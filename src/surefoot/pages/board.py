"""The board: every service's lane at a glance, those that need somebody first."""

import asyncio
from dataclasses import dataclass

from surefoot.engine.control import Control
from surefoot.engine.status import ChangeStatus, ServiceStatus
from surefoot.pages.mood import Mood, awaits_review, change_word, service_mood
from surefoot.pages.page import Page
from surefoot.pages.rendering import render
from surefoot.pages.words import board_line
from surefoot.ports import LogQuery

__all__ = ["BoardPage", "Lane", "lane_of"]

IN_MOTION_S, AT_REST_S = 1.0, 10.0
SHOWN = 5  # of those that wait in one lane
_FIRST = (Mood.HURT, Mood.HELD, Mood.GOING)


@dataclass(frozen=True, slots=True)
class Lane:
    """One service on the board. `waiting` are the first few of `service.waiting`."""

    service: ServiceStatus
    exposed: ChangeStatus | None
    waiting: tuple[ChangeStatus, ...]
    mood: Mood

    @property
    def word(self) -> str:
        """The word beside the shape."""
        if self.mood is Mood.HURT:
            return "users are hurt"
        if self.exposed is not None:
            return change_word(self.exposed, self.service)
        if self.mood is Mood.HELD:
            return "parked" if self.service.parked else "held"
        return self.service.live_phase or "nothing live"


async def lane_of(control: Control, service: ServiceStatus) -> Lane:
    """What the board shows of a service."""
    exposed = None
    if service.exposed is not None:
        exposed = await control.change(service.exposed, service.name)
    waiting = [await control.change(one, service.name) for one in service.waiting[:SHOWN]]
    return Lane(service, exposed, tuple(waiting), service_mood(service, exposed))


class BoardPage:
    """Makes the board as it is now."""

    def __init__(self, control: Control) -> None:
        """Take whom to ask."""
        self._control = control

    async def make(self) -> Page:
        """The page."""
        control = self._control
        services = await control.services()
        lanes = await asyncio.gather(*(lane_of(control, one) for one in services))
        lanes.sort(key=lambda one: (_rank(one.mood), one.service.name))
        log = await control.log(LogQuery(limit=20))
        last = next((one for one in log if one.live_at and not one.placebo), None)
        exposed = [one.exposed for one in lanes if one.exposed]
        asks = [one for lane in lanes for one in lane.waiting if awaits_review(one)]
        line = board_line(services, exposed, last, asks)
        mood = lanes[0].mood if lanes else Mood.WAITING
        now = control.now()
        parts = {"state": render("board/state.html", line=line, mood=mood, now=now)}
        for lane in lanes:
            name = f"lane-{lane.service.name}"
            parts[name] = render("board/lane.html", lane=lane, id=name, now=now)
        moves = any(one.exposed or one.waiting for one in lanes)
        pause = IN_MOTION_S if moves else AT_REST_S
        return Page("/", "Surefoot", line, mood, parts, pause)


def _rank(mood: Mood) -> int:
    return _FIRST.index(mood) if mood in _FIRST else len(_FIRST)
