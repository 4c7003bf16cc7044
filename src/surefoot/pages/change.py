"""The page of one change, from commit to learnt. Its order is that of the questions under stress.

What state is it in, how do I undo it, is it working as designed, did it hurt anything, who, what
does it say, what is it, what else changed, and the story.
"""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from surefoot.analysis.replay import Judged
from surefoot.drawing.charts import Chart, charts
from surefoot.engine.control import Control
from surefoot.engine.status import (
    ChangeStatus,
    DiffStatus,
    OutputStatus,
    ServiceStatus,
    VerdictStatus,
)
from surefoot.engine.telling import verdict_status
from surefoot.pages.mood import Mood, change_mood, change_word
from surefoot.pages.page import Page
from surefoot.pages.path import path
from surefoot.pages.presence import Presence
from surefoot.pages.rendering import render
from surefoot.pages.words import Rates, change_line
from surefoot.ports import Entry, LogQuery

__all__ = ["ChangePage"]

Answer = TypeVar("Answer")
IN_MOTION_S, AT_REST_S = 1.0, 30.0
STORY, AT_ONCE = 200, 1_000
SELDOM_S, MOST_KEPT = 10.0, 100
BEFORE_S = 1800.0
LONGEST_WAIT_S = 8 * 86_400.0
OTHERS = 50
_PARTS = ("state", "path", "designed", "hurt", "who", "says", "what", "others", "story")
_TROUBLE = ("state", "hurt", "says", "path", "designed", "who", "others", "what", "story")


@dataclass(frozen=True, slots=True)
class _Known:
    """Everything that the page is made from, of one moment.

    `carrier` is the fix within which users meet it now.
    """

    change: ChangeStatus
    carrier: ChangeStatus | None
    service: ServiceStatus
    judged: Judged | None
    output: OutputStatus
    diff: DiffStatus
    others: Sequence[ChangeStatus]
    story: Sequence[Entry]
    watching: Sequence[str]
    mood: Mood


class ChangePage:
    """Makes the page of a change as it is now."""

    def __init__(self, control: Control, presence: Presence) -> None:
        """Take whom to ask."""
        self._control = control
        self._presence = presence
        self._drawing: tuple[Judged, Sequence[Chart]] | None = None  # the last one
        self._kept: dict[tuple[str, int, str, str], tuple[float, Any]] = {}

    async def make(self, number: int, service: str | None = None) -> Page:
        """The page. Raises `NotFound`."""
        known = await self._known(number, service)
        change = known.change
        line = change_line(change, known.service, _rates(known))
        order = _TROUBLE if _is_trouble(known) else _PARTS
        values: dict[str, object] = {
            "known": known,
            "now": self._control.now(),
            "change": change,
            "service": known.service,
            "line": line,
            "mood": known.mood,
            "word": f"within {known.carrier.number}"
            if known.carrier
            else change_word(change, known.service),
            "verdict": _verdict(known),
            "charts": await self._drawn(known.judged) if known.judged else (),
            "path": path(change, known.judged),
            "trouble": _is_trouble(known),
            "named": _named(change),
        }
        parts = {name: render(f"change/{name}.html", **values) for name in order}
        moves = not change.final and (change.share > 0 or change.phase not in _RESTING)
        return Page(
            address=f"/changes/{number}{_named(change)}",
            name=f"{change.service} {number}",
            title=(f"{change.service} {number}: ", *line),
            mood=known.mood,
            parts=parts,
            pause_s=IN_MOTION_S if moves else AT_REST_S,
        )

    async def _known(self, number: int, service: str | None) -> _Known:
        control = self._control
        change = await control.change(number, service)
        name, before = change.service, _before(change)
        lane = await control.service(name)
        carrier = None
        if change.carried_by is not None and change.carried_by == lane.exposed:
            carrier = await control.change(change.carried_by, name)
        return _Known(
            change=change,
            carrier=carrier,
            service=lane,
            judged=await control.course(number, name),
            output=await self._seldom(change, "output", lambda: control.output(number, name)),
            diff=await self._seldom(change, "diff", lambda: control.diff(number, name)),
            others=_met_before(
                change, await self._seldom(change, "log", lambda: control.log(before))
            ),
            story=await self._story(number, name),
            watching=self._presence.names(number, name),
            mood=change_mood(carrier or change, lane),
        )

    async def _story(self, number: int, service: str) -> Sequence[Entry]:
        """The newest entries of the ledger, newest first; it is read from its beginning."""
        newest, after = deque[Entry](maxlen=STORY), 0
        while True:
            entries = await self._control.entries(after, AT_ONCE, service, number)
            newest.extend(entries)
            if len(entries) < AT_ONCE:
                return tuple(reversed(newest))
            after = entries[-1].seq

    async def _drawn(self, judged: Judged) -> Sequence[Chart]:
        """Drawing takes its time, so others go on meanwhile; what is not new is not drawn again."""
        if self._drawing is None or self._drawing[0] is not judged:
            self._drawing = judged, await asyncio.to_thread(charts, judged)
        return self._drawing[1]

    async def _seldom(
        self, change: ChangeStatus, what: str, ask: Callable[[], Awaitable[Answer]]
    ) -> Answer:
        """What is dear to ask for and hardly changes: again in each phase, and after a while."""
        key, now = (change.service, change.number, change.phase, what), self._control.now()
        kept = self._kept.get(key)
        if kept is not None and now - kept[0] < SELDOM_S:
            answer: Answer = kept[1]
            return answer
        while len(self._kept) >= MOST_KEPT:
            del self._kept[next(iter(self._kept))]
        answer = await ask()
        self._kept[key] = now, answer
        return answer


_RESTING = {"verified", "accepted", "adopted", "applied"}


def _named(change: ChangeStatus) -> str:
    """Number 0 is each service's adopted release."""
    return f"?service={change.service}" if change.number == 0 else ""


def _is_trouble(known: _Known) -> bool:
    return known.mood is Mood.HURT or known.change.cause == "harm"


def _verdict(known: _Known) -> VerdictStatus | None:
    """The live verdict; afterwards the one that the recorded evidence gives again."""
    if known.change.verdict is not None:
        return known.change.verdict
    return verdict_status(known.judged.result.reading) if known.judged else None


def _rates(known: _Known) -> Rates | None:
    """Bad answers of the service now, and what the release beside the change gave."""
    verdict, now = _verdict(known), known.service.error_rate
    for metric in verdict.metrics if verdict else ():
        if metric.name == "errors" and metric.baseline_all and now is not None:
            return now, metric.baseline_bad / metric.baseline_all
    return None


def _before(change: ChangeStatus) -> LogQuery:
    """What may have met users in the half hour before; it may have waited for that for long."""
    at = change.exposed_at or change.proposed_at
    return LogQuery(since=at - BEFORE_S - LONGEST_WAIT_S, until=at, limit=200)


def _met_before(change: ChangeStatus, log: Iterable[ChangeStatus]) -> tuple[ChangeStatus, ...]:
    """What else users met in the half hour before, in any service."""
    at = change.exposed_at or change.proposed_at
    found = [
        one
        for one in log
        if (one.service, one.number) != (change.service, change.number)
        and one.exposed_at is not None
        and not one.placebo
        and at - BEFORE_S <= one.exposed_at <= at
    ]
    return tuple(found[:OTHERS])
