"""The store on SQLite: one file, one writer, every save one transaction.

All work runs on one thread of its own, so that no write ever meets another and no slow disk ever
stops the event loop. A caller that is cancelled while it waits leaves a whole transaction behind.
"""

import asyncio
import logging
import os
import sqlite3
import time
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, TypeVar

from alembic import command
from alembic.config import Config
from alembic.util import CommandError
from sqlalchemy import (
    URL,
    Connection,
    Engine,
    Executable,
    create_engine,
    delete,
    event,
    insert,
    select,
    update,
)
from sqlalchemy.dialects.sqlite import insert as upsert
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.pool import ConnectionPoolEntry

from surefoot.adapters.store import questions, rows, tables
from surefoot.adapters.store.journal import Journal
from surefoot.domain.change import Change, Person
from surefoot.domain.errors import NotFound, OutsideFailed, Refused
from surefoot.domain.token import Token, TokenKind
from surefoot.ports import Entry, LogQuery, NewEntry, Saved, ServiceRecord

__all__ = ["SqliteStore"]

T = TypeVar("T")

BUSY_TIMEOUT_MS = 250  # the engine asks again; nobody who gives a service back waits longer
OWNER_ONLY = 0o600
log = logging.getLogger(__name__)


class SqliteStore:
    """The Store port on one SQLite file (WAL, synchronous=FULL), made and migrated by `open`.

    Every method raises `OutsideFailed` when the file or its disk does not do its part; nothing
    was changed then, and the call can be made again.
    """

    def __init__(self, path: Path, now: Callable[[], float] = time.time) -> None:
        """Keep the store in `path`; `now` gives the stamps of rows, in epoch seconds."""
        self._path = path
        self._journal = Journal(path.with_suffix(".journal"))
        self._now = now
        self._engine = _engine(path)
        self._writer = ThreadPoolExecutor(max_workers=1, thread_name_prefix="store")

    async def open(self) -> None:
        """Make the file (0600) or bring an older one up to date.

        Raises:
            Refused: a newer Surefoot wrote it.
            OutsideFailed: it cannot be opened.
        """
        await self._on_writer(self._prepare)
        await self._take_in()

    async def close(self) -> None:
        """Finish what is under way and let go of the file."""
        await self._on_writer(self._engine.dispose)
        self._writer.shutdown()

    async def services(self) -> tuple[ServiceRecord, ...]:
        """Every service, by name."""
        query = select(tables.service).order_by(tables.service.c.name)
        return await self._read(lambda db: tuple(map(rows.service_from, _found(db, query))))

    async def changes(self, service: str | None = None) -> tuple[Change, ...]:
        """The changes that this version can read and that are not in the archive, by number."""
        return await self._read_changes(questions.at_hand(service))

    async def archive(self, service: str, numbers: Collection[int]) -> None:
        """Lay these aside; whoever saves or recalls one takes it out again."""
        orders = tuple(questions.archive(service, numbers, archived=True))

        def work(db: Connection) -> None:
            for order in orders:
                db.execute(order)

        await self._run(work)

    async def recall(self, service: str, numbers: Collection[int]) -> tuple[Change, ...]:
        """These and all that is tied to them, by number, out of the archive from now on."""

        def work(db: Connection) -> list[dict[str, Any]]:
            family = questions.family(db, service, numbers)
            for order in questions.archive(service, family, archived=False):
                db.execute(order)
            return [row for each in questions.of(service, family) for row in _found(db, each)]

        return _readable(await self._run(work))

    async def last_live(self, service: str, limit: int) -> tuple[int, ...]:
        """The changes that users may be led back to, the last one that went live first."""
        query = questions.last_live(service, limit)
        return await self._read(lambda db: tuple(db.execute(query).scalars()))

    async def find(self, number: int, service: str | None = None) -> tuple[Change, ...]:
        """The changes with this number, one for each service that has it."""
        return await self._read_changes(questions.numbered(number, service))

    async def log(self, query: LogQuery) -> tuple[Change, ...]:
        """Changes, the last one proposed first."""
        if query.serving_at is None:
            return await self._read_changes(questions.logged(query))
        names = (query.service,) if query.service else [one.name for one in await self.services()]
        queries = [questions.served(name, query.serving_at) for name in names]
        found = await self._read_changes(*queries)
        newest = sorted(found, key=lambda one: (one.stamps.proposed_at, one.number), reverse=True)
        return tuple(newest[: query.limit])

    async def live_until(self, changes: Sequence[Change]) -> tuple[float | None, ...]:
        """For each of these, when users left it; None while they are on it, or never were."""

        def left(db: Connection, change: Change) -> float | None:
            live_at, left_at = change.stamps.live_at, change.stamps.left_at
            if live_at is None or left_at:
                return None if live_at is None else left_at
            return db.execute(questions.left_after(change.service, live_at)).scalar()

        return await self._read(lambda db: tuple(left(db, change) for change in changes))

    async def approved(self, service: str, identity: str) -> Change | None:
        """The newest change with approvals whose diff has this identity."""
        return next(iter(await self._read_changes(questions.approved(service, identity))), None)

    async def last_number(self) -> int:
        """The highest number of any change, also of one that cannot be read; 0 before the first."""
        query = questions.last_number()
        return await self._read(lambda db: int(db.execute(query).scalar() or 0))

    async def unreadable(self) -> tuple[tuple[str, int], ...]:
        """Changes (service, number) that this version cannot read: they are left alone.

        One in the archive is known by its version and its phase; the state of the others is read.
        """

        def work(db: Connection) -> set[tuple[str, int]]:
            newer = [row for query in questions.newer() for row in _found(db, query)]
            at_hand = _found(db, questions.at_hand(None))
            torn = [row for row in at_hand if rows.change_from(row) is None]
            return {(row["service"], row["number"]) for row in (*newer, *torn)}

        return tuple(sorted(await self._read(work)))

    async def save(self, saved: Saved) -> tuple[Entry, ...]:
        """All of it or nothing; returns the entries with their numbers.

        Raises:
            Refused: a change stands there in a form that a newer Surefoot wrote.
        """
        return await self._run(_saving(saved, self._now()))

    async def keep(self, kept: Sequence[Saved]) -> None:
        """Transactions that `save` could not take survive in space set aside, until it can.

        What was kept before is forgotten: give all that waits. The next `open` takes in what the
        ledger does not have by then.
        """
        try:
            await asyncio.to_thread(self._journal.write, rows.kept_as_bytes(kept))
        except OSError as error:
            raise self._unusable(error) from error

    async def _take_in(self) -> None:
        for saved in rows.kept_from(await asyncio.to_thread(self._journal.read)):
            first = saved.entries[0] if saved.entries else None
            if first is None or await self._has(first):
                continue
            log.warning("taken in from the journal: %s", first.says)
            await self.save(saved)

    async def _has(self, entry: NewEntry) -> bool:
        columns = tables.ledger.c
        query = select(columns.seq).where(
            columns.at == entry.at,
            columns.service == entry.service,
            columns.change == entry.change,
            columns.kind == entry.kind,
            columns.says == entry.says,
        )
        return bool(await self._read(lambda db: _found(db, query)))

    async def entries(
        self, after: int, limit: int, service: str | None = None, change: int | None = None
    ) -> tuple[Entry, ...]:
        """At most `limit` entries of the ledger from behind `after`, oldest first."""
        query = select(tables.ledger).where(tables.ledger.c.seq > after)
        if service is not None:
            query = query.where(tables.ledger.c.service == service)
        if change is not None:
            query = query.where(tables.ledger.c.change == change)
        query = query.order_by(tables.ledger.c.seq).limit(limit)
        return await self._read(lambda db: tuple(map(rows.entry_from, _found(db, query))))

    async def recent(self, service: str, kinds: Sequence[str], limit: int) -> tuple[Entry, ...]:
        """At most `limit` of the last entries of a service that are of these kinds, newest first.

        Each kind is asked for by itself: the index then gives the newest without a sort.
        """
        columns = tables.ledger.c
        queries = [
            select(tables.ledger)
            .where(columns.service == service, columns.kind == kind)
            .order_by(columns.seq.desc())
            .limit(limit)
            for kind in kinds
        ]
        found = await self._read(
            lambda db: [rows.entry_from(row) for query in queries for row in _found(db, query)]
        )
        return tuple(sorted(found, key=lambda entry: entry.seq, reverse=True)[:limit])

    async def tokens(self) -> tuple[Token, ...]:
        """Every key ever given and the sign-ins that were not cleared away, revoked ones too."""
        query = select(tables.token).order_by(tables.token.c.id)
        return await self._read(lambda db: tuple(map(rows.token_from, _found(db, query))))

    async def add_token(
        self,
        person: Person,
        hashed: str,
        at: float,
        kind: TokenKind = TokenKind.KEY,
        expires_at: float | None = None,
    ) -> Token:
        """Remember a person's token by its hash; those that have expired by then are cleared away.

        Args:
            person: whose it is.
            hashed: the hash of its secret.
            at: now, in epoch seconds.
            kind: what holds it.
            expires_at: when it ends, in epoch seconds; None: not by itself.
        """
        row = {
            "name": person.name,
            "email": person.email,
            "hashed": hashed,
            "created_at": at,
            "kind": kind.value,
            "expires_at": expires_at,
        }
        clear = delete(tables.token).where(tables.token.c.expires_at <= at)
        query = insert(tables.token).values(row).returning(tables.token)

        def work(db: Connection) -> Token:
            db.execute(clear)
            return rows.token_from(*_found(db, query))

        return await self._run(work)

    async def revoke_token(self, token: int, at: float) -> None:
        """Close a key for good; a key that is closed keeps the time at which it was.

        Raises:
            NotFound: there is no such key.
        """
        known = select(tables.token.c.id).where(tables.token.c.id == token)
        close = (
            update(tables.token)
            .where(tables.token.c.id == token, tables.token.c.revoked_at.is_(None))
            .values(revoked_at=at)
        )

        def work(db: Connection) -> None:
            if db.execute(known).first() is None:
                raise NotFound(
                    f"There is no token {token}.", cure="`surefoot token list` shows them."
                )
            db.execute(close)

        await self._run(work)

    async def next_epoch(self) -> int:
        """A number higher than any before."""
        first = upsert(tables.meta).values(key="epoch", value=1)
        query = first.on_conflict_do_update(
            index_elements=["key"], set_={"value": tables.meta.c.value + 1}
        ).returning(tables.meta.c.value)
        return await self._run(lambda db: int(db.execute(query).scalar_one()))

    async def _read_changes(self, *queries: Executable) -> tuple[Change, ...]:
        """What this version can read of what these give."""
        return await self._read(
            lambda db: _readable([row for query in queries for row in _found(db, query)])
        )

    async def _run(self, work: Callable[[Connection], T]) -> T:
        """One transaction that may write, on the writer's thread."""

        def transaction() -> T:
            with self._engine.begin() as db:
                return work(db)

        return await self._on_writer(transaction)

    async def _read(self, work: Callable[[Connection], T]) -> T:
        """One that only reads: no lock of another program is waited for."""

        def transaction() -> T:
            with self._engine.connect().execution_options(reads=True) as db, db.begin():
                return work(db)

        return await self._on_writer(transaction)

    async def _on_writer(self, work: Callable[[], T]) -> T:
        try:
            return await asyncio.get_running_loop().run_in_executor(self._writer, work)
        except (SQLAlchemyError, OSError) as error:
            raise self._unusable(error) from error

    def _unusable(self, error: SQLAlchemyError | OSError) -> OutsideFailed:
        return OutsideFailed(
            f"The store {self._path} could not be used: {_reason(error)}.",
            cure="See that its disk has room and that this user may write there; "
            "it is tried again.",
        )

    def _prepare(self) -> None:
        # Made with its mode before anything is written: SQLite gives its side files the same one.
        self._path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        os.close(os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, OWNER_ONLY))
        self._path.chmod(OWNER_ONLY)
        try:
            self._journal.prepare()
        except OSError as error:  # one that is full already can still give services back
            log.warning("no space could be set aside beside the store: %s", error)
        config = Config()
        config.set_main_option("script_location", "surefoot.adapters.store:migrations")
        try:
            with self._engine.begin() as db:
                config.attributes["connection"] = db
                command.upgrade(config, "head")
        except CommandError as error:
            raise Refused(
                f"The store {self._path} was written by a newer Surefoot ({error}).",
                cure="Start that version, or name another home.",
            ) from error


def _engine(path: Path) -> Engine:
    url = URL.create("sqlite", database=str(path))
    engine = create_engine(url, pool_size=1, max_overflow=0)
    event.listen(engine, "connect", _set_up)
    event.listen(engine, "begin", _begin)
    return engine


def _set_up(connection: sqlite3.Connection, _entry: ConnectionPoolEntry) -> None:
    # The driver must not open transactions behind our back: `_begin` says when and how.
    connection.isolation_level = None
    for pragma in (
        f"busy_timeout={BUSY_TIMEOUT_MS}",
        "journal_mode=WAL",
        "synchronous=FULL",
    ):
        connection.execute(f"PRAGMA {pragma}")


def _begin(db: Connection) -> None:
    reads = db.get_execution_options().get("reads", False)
    db.exec_driver_sql("BEGIN" if reads else "BEGIN IMMEDIATE")


def _found(db: Connection, query: Executable) -> list[dict[str, Any]]:
    return [{str(key): value for key, value in row.items()} for row in db.execute(query).mappings()]


def _readable(found: Iterable[Mapping[str, Any]]) -> tuple[Change, ...]:
    changes = (rows.change_from(row) for row in found)
    return tuple(change for change in changes if change is not None)


def _saving(saved: Saved, now: float) -> Callable[[Connection], tuple[Entry, ...]]:
    """What one transaction does; its rows are made before the writer's thread is asked."""
    services = [rows.service_row(record) for record in saved.services]
    changes = [rows.change_row(change, now) for change in saved.changes]
    entries = [rows.entry_row(entry) for entry in saved.entries]
    acts = [
        {"service": service, "change": number, "act": act, "at": now}
        for service, number, act in saved.acts
    ]

    def work(db: Connection) -> tuple[Entry, ...]:
        for row in services:
            _put_service(db, row)
        for row in changes:
            _put_change(db, row)
        written = tuple(_append(db, row) for row in entries)
        if acts:
            db.execute(insert(tables.act), acts)
        return written

    return work


def _put_service(db: Connection, row: dict[str, Any]) -> None:
    query = upsert(tables.service).values(row)
    db.execute(query.on_conflict_do_update(index_elements=["name"], set_=row))


def _put_change(db: Connection, row: dict[str, Any]) -> None:
    table = tables.change
    same = (table.c.service == row["service"], table.c.number == row["number"])
    present = _found(db, select(table).where(*same))
    if not present:
        db.execute(insert(table).values(row))
    elif rows.change_from(present[0]) is None:
        raise Refused(
            f"Change {row['number']} of {row['service']} was written by another version of "
            "Surefoot and cannot be read by this one.",
            cure="It is left as it is. Start the version that wrote it.",
        )
    else:
        db.execute(update(table).where(*same).values(row))


def _append(db: Connection, row: dict[str, Any]) -> Entry:
    query = insert(tables.ledger).values(row).returning(tables.ledger.c.seq)
    return rows.entry_from({**row, "seq": db.execute(query).scalar_one()})


def _reason(error: SQLAlchemyError | OSError) -> str:
    # The driver's own words; SQLAlchemy's would repeat the statement with everything in it.
    return str(getattr(error, "orig", None) or error)
