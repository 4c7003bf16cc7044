"""What is asked of changes, as SQL. Each gives rows; nobody here knows what a change is."""

from collections.abc import Collection, Iterator, Sequence
from itertools import islice
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Connection,
    Executable,
    Select,
    false,
    func,
    or_,
    select,
    update,
)

from surefoot.adapters.store.rows import STATE_VERSION
from surefoot.adapters.store.tables import change
from surefoot.domain.lifecycle import LIVE, Phase
from surefoot.ports import LogQuery

__all__ = [
    "approved",
    "archive",
    "at_hand",
    "family",
    "last_live",
    "last_number",
    "left_after",
    "logged",
    "newer",
    "numbered",
    "of",
    "served",
]

AT_ONCE = 500  # values in one statement; SQLite takes no more than so many thousands
THIS = change.c


def at_hand(service: str | None) -> Select[Any]:
    """What is not in the archive, by number."""
    query = select(change).where(THIS.archived == false())
    if service is not None:
        query = query.where(THIS.service == service)
    return query.order_by(THIS.service, THIS.number)


def newer() -> tuple[Select[Any], ...]:
    """What this version does not write; two questions, since an index answers each."""
    found = select(THIS.service, THIS.number)
    return (
        found.where(THIS.state_version > STATE_VERSION),
        found.where(THIS.phase.not_in(list(Phase))),
    )


def numbered(number: int, service: str | None) -> Select[Any]:
    """The changes with this number."""
    query = select(change).where(THIS.number == number)
    return query if service is None else query.where(THIS.service == service)


def of(service: str, numbers: Collection[int]) -> Iterator[Select[Any]]:
    """All there is of these, by number."""
    for some in _batches(sorted(numbers)):
        these = (THIS.service == service, THIS.number.in_(some))
        yield select(change).where(*these).order_by(THIS.number)


def last_number() -> Select[Any]:
    """The highest number of all."""
    return select(func.max(THIS.number))


def last_live(service: str, limit: int) -> Select[Any]:
    """Numbers of what users may be led back to, the last one that went live first."""
    return (
        select(THIS.number)
        .where(THIS.service == service, THIS.phase.in_(list(LIVE)), THIS.carried_by.is_(None))
        .order_by(THIS.live_at.desc(), THIS.number.desc())
        .limit(limit)
    )


def approved(service: str, identity: str) -> Select[Any]:
    """Changes with an approval of this diff, the newest first."""
    same = (THIS.service == service, THIS.approved_as == identity)
    return select(change).where(*same).order_by(THIS.number.desc())


def logged(query: LogQuery) -> Select[Any]:
    """What `log` asks for, the last one proposed first."""
    asked: list[ColumnElement[bool]] = []
    if query.service is not None:
        asked.append(THIS.service == query.service)
    if query.since is not None:
        asked.append(THIS.proposed_at >= query.since)
    if query.until is not None:
        asked.append(THIS.proposed_at <= query.until)
    if query.outcome is not None:
        asked.append(THIS.phase == query.outcome)
    if query.author is not None:
        asked.append(func.instr(THIS.authors, query.author.casefold()) > 0)
    if query.path is not None:
        asked.append(func.instr(THIS.files, f"\n{query.path}") > 0)
    order = (THIS.proposed_at.desc(), THIS.number.desc())
    return select(change).where(*asked).order_by(*order).limit(query.limit)


def served(service: str, at: float) -> Select[Any]:
    """The change that all users of a service were on at a time."""
    return (
        select(change)
        .where(THIS.service == service, THIS.live_at <= at)
        .where(or_(THIS.left_at.is_(None), THIS.left_at > at))
        .order_by(THIS.live_at.desc(), THIS.number.desc())
        .limit(1)
    )


def left_after(service: str, live_at: float) -> Select[Any]:
    """When another one took the users of what was live since then."""
    return (
        select(THIS.live_at)
        .where(THIS.service == service, THIS.live_at > live_at, THIS.left_at.is_(None))
        .order_by(THIS.live_at)
        .limit(1)
    )


def archive(service: str, numbers: Collection[int], *, archived: bool) -> Iterator[Executable]:
    """Lay these aside, or take them out again."""
    for some in _batches(sorted(numbers)):
        these = (THIS.service == service, THIS.number.in_(some))
        yield update(change).where(*these).values(archived=archived)


def family(db: Connection, service: str, numbers: Collection[int]) -> frozenset[int]:
    """These and all that is tied to them, as `retention.family` has it."""
    found: set[int] = set()
    seen: set[int] = set()
    open_ = set(numbers)
    while open_:
        seen |= open_
        known, near = _known_and_near(db, service, open_)
        found |= known
        open_ = near - seen
    return frozenset(found)


def _known_and_near(
    db: Connection, service: str, numbers: Collection[int]
) -> tuple[set[int], set[int]]:
    """Those of the numbers that changes have, and the numbers that these are tied to."""
    known: set[int] = set()
    near: set[int] = set()
    for some in _batches(sorted(numbers)):
        mine = (THIS.service == service, THIS.number.in_(some))
        named = (THIS.fixes, THIS.again, THIS.carried_by)
        for number, *ties in db.execute(select(THIS.number, *named).where(*mine)):
            known.add(number)
            near.update(tie for tie in ties if tie is not None)
        for name in named:
            by_name = select(THIS.number).where(THIS.service == service, name.in_(some))
            near.update(db.execute(by_name).scalars())
        under = select(THIS.revision).where(*mine)
        upon = select(THIS.number).where(THIS.service == service, THIS.applied_upon.in_(under))
        near.update(db.execute(upon).scalars())
    return known, near


def _batches(numbers: Sequence[int]) -> Iterator[list[int]]:
    rest = iter(numbers)
    while some := list(islice(rest, AT_ONCE)):
        yield some
