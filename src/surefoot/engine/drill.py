"""Placebo runs that somebody ordered: how many are left, when the next is due, how each begins.

The ledger is all that is kept of it: an order, and an entry for each run that is over. What made
room for a change has no such entry, so that it is run once more.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace

import msgspec

from surefoot.domain.change import (
    Change,
    Diff,
    Intent,
    PartOf,
    Parts,
    PartState,
    Person,
    Stamps,
)
from surefoot.domain.lane import Lane
from surefoot.domain.placebo import comes_before_a_placebo
from surefoot.domain.text import span
from surefoot.ports import Entry, NewEntry

__all__ = [
    "DRILLED",
    "LARGEST_DRILL",
    "RAN",
    "Drill",
    "a_placebo",
    "drill_after",
    "drill_from",
    "in_words",
    "is_due",
    "order_of",
]

ORDERED, RAN = "drill", "placebo"
DRILLED = (ORDERED, RAN)
LARGEST_DRILL = 1000  # runs in one order


@dataclass(frozen=True, slots=True)
class Drill:
    """What is left of an order: so many runs, each `every_s` after the end of the one before.

    `due_at` is when the next may begin, in epoch seconds.
    """

    by: Person
    left: int
    every_s: float
    due_at: float


@dataclass(frozen=True, slots=True)
class _Ordered:
    """An order as the ledger has it; 0 times ends the one before."""

    by: Person
    times: int
    every_s: float = 0.0


def order_of(service: str, times: int, every_s: float, by: Person, now: float) -> NewEntry:
    """The ledger's entry of an order for placebo runs; 0 of them: no more."""
    says = f"{by.name} ends the placebo runs."
    if times:
        says = f"{by.name} orders {_runs(times, every_s)}."
    data = msgspec.to_builtins(_Ordered(by, times, every_s))
    return NewEntry(now, service, None, ORDERED, says, by=str(by), data=data)


def drill_from(entries: Iterable[Entry]) -> Drill | None:
    """What is left of the last order in these, which come in the order of the ledger."""
    drill: Drill | None = None
    for entry in entries:
        drill = drill_after(drill, entry)
    return drill


def drill_after(drill: Drill | None, entry: Entry) -> Drill | None:
    """What is left once this has happened."""
    if entry.kind == ORDERED:
        order = msgspec.convert(entry.data, _Ordered)
        return Drill(order.by, order.times, order.every_s, entry.at) if order.times else None
    if entry.kind != RAN or drill is None:
        return drill
    rest = replace(drill, left=drill.left - 1, due_at=entry.at + drill.every_s)
    return rest if rest.left else None


def is_due(drill: Drill | None, lane: Lane, now: float) -> bool:
    """Whether a placebo may begin: its time has come, and the lane has nothing else to do."""
    if drill is None or now < drill.due_at or _under_way(lane):
        return False
    return comes_before_a_placebo(lane, now) is None


def in_words(drill: Drill, lane: Lane, now: float) -> str:
    """What is left of an order, and what it waits for."""
    said = f"To come: {_runs(drill.left, drill.every_s)}, ordered by {drill.by.name}"
    if under_way := _under_way(lane):
        return f"{said}: {under_way.number} is under way."
    if drill.due_at > now:
        return f"{said}: the next in {span(drill.due_at - now)}."
    first = comes_before_a_placebo(lane, now)
    return f"{said}: the next after {first}." if first else f"{said}."


def _under_way(lane: Lane) -> Change | None:
    on_their_way = (*((lane.exposed,) if lane.exposed else ()), *lane.waiting)
    return next((one for one in on_their_way if one.placebo), None)


def _runs(times: int, every_s: float) -> str:
    if times == 1:
        return "1 placebo run"
    return f"{times} placebo runs" + (f", one every {span(every_s)}" if every_s else "")


def a_placebo(live: Change, number: int, by: Person, now: float) -> Change:
    """The live release as a change upon itself: nothing in it to check, review or build."""

    def done(said: str) -> PartOf:
        return PartOf(PartState.DONE, now, now, said)

    return Change(
        service=live.service,
        number=number,
        revision=live.revision,
        base=live.revision,
        base_number=live.number,
        commits=(),
        diff=Diff("", (), 0, 0),
        intent=Intent(f"placebo: {live.number} beside {live.number}", placebo=True),
        shipper=by,
        because="It is written down.",
        parts=Parts(
            checks=done(f"those of {live.number}"),
            review=done("nothing in it is new"),
            build=done(f"that of {live.number}"),
        ),
        stamps=Stamps(committed_at=now, proposed_at=now),
    )
