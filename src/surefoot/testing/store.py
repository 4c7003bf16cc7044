"""The ledger and the present, in memory."""

from collections.abc import Sequence
from dataclasses import fields, replace
from itertools import islice

from surefoot.domain.change import Change, Person
from surefoot.domain.errors import NotFound
from surefoot.ports import Clock, Entry, NewEntry, Saved, ServiceRecord, Token
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
        self._entries: list[Entry] = []
        self._acts: list[tuple[str, int, str]] = []
        self._tokens: list[Token] = []
        self._epoch = 0
        self._kept: tuple[Saved, ...] = ()

    async def services(self) -> tuple[ServiceRecord, ...]:
        """Every service."""
        await self.faults.meet("services")
        return tuple(self._services.values())

    async def changes(self, service: str | None = None) -> tuple[Change, ...]:
        """Changes, oldest first."""
        await self.faults.meet("changes")
        return tuple(
            change
            for key, change in self._changes.items()
            if service in {None, change.service} and key not in self._unreadable
        )

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
        """Every token ever given."""
        await self.faults.meet("tokens")
        return tuple(self._tokens)

    async def add_token(self, person: Person, hashed: str, at: float) -> Token:
        """Remember a person's key."""
        await self.faults.meet("add_token")
        token = Token(len(self._tokens) + 1, person, hashed, at)
        self._tokens.append(token)
        return token

    async def revoke_token(self, token: int, at: float) -> None:
        """Close a key for good. Raises `NotFound`."""
        await self.faults.meet("revoke_token")
        if not 1 <= token <= len(self._tokens):
            raise NotFound(f"There is no token {token}.", cure="`surefoot token` lists them.")
        known = self._tokens[token - 1]
        self._tokens[token - 1] = replace(known, revoked_at=known.revoked_at or at)

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
            tuple(self._entries),
            tuple(self._acts),
            tuple(self._tokens),
            self._epoch,
        )


def _same(entry: Entry, kept: NewEntry) -> bool:
    return (entry.at, entry.change, entry.says) == (kept.at, kept.change, kept.says)


def _numbered(entry: NewEntry, seq: int) -> Entry:
    return Entry(**{one.name: getattr(entry, one.name) for one in fields(NewEntry)}, seq=seq)
