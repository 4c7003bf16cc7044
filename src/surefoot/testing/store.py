"""The ledger and the present, in memory."""

from collections.abc import Collection, Sequence
from dataclasses import fields, replace
from itertools import islice

from surefoot.domain.change import Change, Person
from surefoot.domain.errors import NotFound
from surefoot.domain.lane import live_ones, live_until, serving_at
from surefoot.domain.retention import family
from surefoot.domain.token import Token, TokenKind
from surefoot.ports import Clock, Entry, LogQuery, NewEntry, Saved, ServiceRecord
from surefoot.testing.faults import Faults

__all__ = ["MemoryStore"]


class MemoryStore:
    """The Store port. It outlives whoever uses it, as a file would."""

    def __init__(self, clock: Clock) -> None:
        """Take the clock of its faults."""
        self.faults = Faults(clock)
        self._services: dict[str, ServiceRecord] = {}
        self._changes: dict[tuple[str, int], Change] = {}
        self._unreadable: set[tuple[str, int]] = set()
        self._archived: set[tuple[str, int]] = set()
        self._entries: list[Entry] = []
        self._acts: list[tuple[str, int, str]] = []
        self._tokens: dict[int, Token] = {}
        self._last_token = 0
        self._epoch = 0
        self._kept: tuple[Saved, ...] = ()

    async def services(self) -> tuple[ServiceRecord, ...]:
        """Every service."""
        await self.faults.meet("services")
        return tuple(self._services.values())

    async def changes(self, service: str | None = None) -> tuple[Change, ...]:
        """The changes that are not in the archive, by number."""
        await self.faults.meet("changes")
        found = (
            change
            for change in self._readable(service)
            if (change.service, change.number) not in self._archived
        )
        return tuple(sorted(found, key=_place))

    def _readable(self, service: str | None = None) -> list[Change]:
        return [
            change
            for key, change in self._changes.items()
            if service in {None, change.service} and key not in self._unreadable
        ]

    async def archive(self, service: str, numbers: Collection[int]) -> None:
        """Lay these aside; whoever saves or recalls one takes it out again."""
        await self.faults.meet("archive")
        self._archived |= {(service, number) for number in numbers}

    async def recall(self, service: str, numbers: Collection[int]) -> tuple[Change, ...]:
        """These and all that is tied to them, by number, out of the archive from now on."""
        await self.faults.meet("recall")
        changes = self._readable(service)
        found = family(changes, numbers)
        self._archived -= {(service, number) for number in found}
        return tuple(sorted((one for one in changes if one.number in found), key=_place))

    async def last_live(self, service: str, limit: int) -> tuple[int, ...]:
        """The changes that users may be led back to, the last one that went live first."""
        await self.faults.meet("last_live")
        return tuple(one.number for one in live_ones(self._readable(service))[:limit])

    async def find(self, number: int, service: str | None = None) -> tuple[Change, ...]:
        """The changes with this number, one for each service that has it."""
        await self.faults.meet("find")
        return tuple(one for one in self._readable(service) if one.number == number)

    async def log(self, query: LogQuery) -> tuple[Change, ...]:
        """Changes, the last one proposed first."""
        await self.faults.meet("log")
        found = [one for one in self._readable(query.service) if _asked_for(query, one)]
        if query.serving_at is not None:
            found = []
            for service in {one.service for one in self._readable(query.service)}:
                served = serving_at(self._readable(service), query.serving_at)
                found += [served] if served else []
        found.sort(key=lambda one: (one.stamps.proposed_at, one.number), reverse=True)
        return tuple(found[: query.limit])

    async def live_until(self, changes: Sequence[Change]) -> tuple[float | None, ...]:
        """For each of these, when users left it; None while they are on it, or never were."""
        await self.faults.meet("live_until")
        return tuple(live_until(self._readable(one.service), one) for one in changes)

    async def approved(self, service: str, identity: str) -> Change | None:
        """The newest change with approvals whose diff has this identity."""
        await self.faults.meet("approved")
        same = (one for one in self._readable(service) if one.diff.identity == identity)
        return max((one for one in same if one.approvals), key=_place, default=None)

    async def last_number(self) -> int:
        """The highest number of any change, also of one that cannot be read; 0 before the first."""
        await self.faults.meet("last_number")
        return max((number for _, number in self._changes.keys() | self._unreadable), default=0)

    async def unreadable(self) -> tuple[tuple[str, int], ...]:
        """Changes whose state is newer than this version."""
        await self.faults.meet("unreadable")
        return tuple(sorted(self._unreadable))

    async def save(self, saved: Saved) -> tuple[Entry, ...]:
        """All of it or nothing; returns the entries with their numbers."""
        await self.faults.meet("save")
        for record in saved.services:
            self._services[record.name] = record
        for change in saved.changes:
            self._changes[change.service, change.number] = change
            self._archived.discard((change.service, change.number))
        first = len(self._entries) + 1
        entries = tuple(_numbered(entry, seq) for seq, entry in enumerate(saved.entries, first))
        self._entries += entries
        self._acts += saved.acts
        return entries

    async def keep(self, kept: Sequence[Saved]) -> None:
        """What waits for `save`, until the next daemon begins."""
        self._kept = tuple(kept)

    async def entries(
        self, after: int, limit: int, service: str | None = None, change: int | None = None
    ) -> tuple[Entry, ...]:
        """The ledger from behind `after`, oldest first."""
        await self.faults.meet("entries")
        found = (
            entry
            for entry in self._entries[max(after, 0) :]
            if service in {None, entry.service} and change in {None, entry.change}
        )
        return tuple(found)[:limit]

    async def recent(self, service: str, kinds: Sequence[str], limit: int) -> tuple[Entry, ...]:
        """The last entries of a service that are of these kinds, newest first."""
        await self.faults.meet("recent")
        found = (e for e in reversed(self._entries) if e.service == service and e.kind in kinds)
        return tuple(islice(found, limit))

    async def tokens(self) -> tuple[Token, ...]:
        """Every key ever given, and the sign-ins that were not cleared away."""
        await self.faults.meet("tokens")
        return tuple(self._tokens.values())

    async def add_token(
        self,
        person: Person,
        hashed: str,
        at: float,
        kind: TokenKind = TokenKind.KEY,
        expires_at: float | None = None,
    ) -> Token:
        """Remember a person's token. Those that have expired by then are cleared away."""
        await self.faults.meet("add_token")
        ended = [
            number
            for number, one in self._tokens.items()
            if one.expires_at is not None and one.expires_at <= at
        ]
        for number in ended:
            del self._tokens[number]
        self._last_token += 1
        token = Token(self._last_token, person, hashed, at, None, kind, expires_at)
        self._tokens[token.id] = token
        return token

    async def revoke_token(self, token: int, at: float) -> None:
        """Close a key for good. Raises `NotFound`."""
        await self.faults.meet("revoke_token")
        known = self._tokens.get(token)
        if known is None:
            raise NotFound(f"There is no token {token}.", cure="`surefoot token list` shows them.")
        self._tokens[token] = replace(known, revoked_at=known.revoked_at or at)

    async def next_epoch(self) -> int:
        """A number higher than any before; a new daemon also takes in what was kept."""
        await self.faults.meet("next_epoch")
        self._epoch += 1
        for saved in self._kept:
            if saved.entries and not any(_same(one, saved.entries[0]) for one in self._entries):
                await self.save(saved)
        return self._epoch

    def park(self, service: str, number: int) -> None:
        """Let this change be written by a newer version: nobody here can read it."""
        self._unreadable.add((service, number))

    def unpark(self) -> None:
        """Let the newer version be the one that reads."""
        self._unreadable.clear()

    def everything(self) -> tuple[object, ...]:
        """All that is kept, as one value to compare with another time's."""
        return (
            dict(self._services),
            dict(self._changes),
            frozenset(self._archived),
            tuple(self._entries),
            tuple(self._acts),
            tuple(self._tokens.values()),
            self._epoch,
        )


def _asked_for(query: LogQuery, change: Change) -> bool:
    authors = " ".join(str(person) for person in change.authors).casefold()
    return (
        (query.since is None or change.stamps.proposed_at >= query.since)
        and (query.until is None or change.stamps.proposed_at <= query.until)
        and (query.author is None or query.author.casefold() in authors)
        and (query.outcome is None or query.outcome == change.phase.value)
        and (query.path is None or any(one.startswith(query.path) for one in change.diff.files))
    )


def _place(change: Change) -> tuple[str, int]:
    return change.service, change.number


def _same(entry: Entry, kept: NewEntry) -> bool:
    return (entry.at, entry.change, entry.says) == (kept.at, kept.change, kept.says)


def _numbered(entry: NewEntry, seq: int) -> Entry:
    return Entry(**{one.name: getattr(entry, one.name) for one in fields(NewEntry)}, seq=seq)
