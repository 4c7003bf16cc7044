"""The store on real SQLite files: what goes in comes out, whole, and stays."""

import asyncio
import json
import signal
import sqlite3
import stat
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from old_stores import of_version
from sqlalchemy import create_engine

from surefoot.adapters.store import SqliteStore
from surefoot.adapters.store.journal import Journal
from surefoot.adapters.store.rows import (
    STATE_VERSION,
    change_from,
    change_row,
    kept_as_bytes,
    kept_from,
)
from surefoot.adapters.store.tables import metadata
from surefoot.domain.change import Change, Commit, Diff, Intent, Person, Stamps
from surefoot.domain.coverage import Coverage, UntestedFile
from surefoot.domain.errors import NotFound, OutsideFailed, Refused
from surefoot.domain.lifecycle import Phase
from surefoot.domain.token import TokenKind
from surefoot.ports import Entry, NewEntry, Saved, ServiceRecord

ANA = Person("Ana", "ana@example.org")
SHOP = ServiceRecord("shop", "/srv/shop.git", "", "[service]\n", last_number=1)


def a_change(number: int = 1, service: str = "shop") -> Change:
    return Change(
        service=service,
        number=number,
        revision="a" * 40,
        base="b" * 40,
        base_number=None,
        commits=(Commit("a" * 40, "A faster checkout", (ANA,), 10.0),),
        diff=Diff("c" * 64, ("app.py",), 3, 1),
        intent=Intent("A faster checkout", watch=("checkout_errors",), fixes=4),
        shipper=ANA,
        stamps=Stamps(committed_at=10.0, proposed_at=11.5),
    )


def an_entry(change: int | None = 1, **data: object) -> NewEntry:
    return NewEntry(12.0, "shop", change, "proposed", "Ana proposed it.", by="Ana", data=data)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "home" / "store.db"


@pytest.fixture
def loose_file(path: Path) -> Path:
    path.parent.mkdir()
    path.touch(mode=0o644)
    return path


@pytest.fixture
def damaged_file(path: Path) -> Path:
    path.parent.mkdir()
    path.write_bytes(b"this is not a database" * 100)
    return path


@pytest.fixture
async def store(path: Path) -> AsyncIterator[SqliteStore]:
    store = SqliteStore(path)
    await store.open()
    yield store
    await store.close()


def by_hand(path: Path, statement: str) -> None:
    with closing(sqlite3.connect(path)) as db:
        db.execute(statement)
        db.commit()


changes = st.builds(
    Change,
    service=st.just("shop"),
    number=st.integers(1, 10**6),
    diff=st.builds(Diff, files=st.lists(st.text()).map(tuple)),
)


@given(change=changes)
@settings(max_examples=50, suppress_health_check=[HealthCheck.too_slow], deadline=None)
def test_any_change_comes_back_as_it_was_written(change: Change) -> None:
    """A change of any shape is the same after a row and back."""
    try:
        row = change_row(change, now=0.0)
    except ValueError:
        return  # a number that is not finite; the next test holds that it is refused
    assert change_from(row) == change


def test_a_change_from_before_forward_only_comes_back_as_one_that_can_go_back() -> None:
    """A state without the word is read, and is not taken for one that alters data."""
    row = change_row(a_change(), now=0.0)
    state = json.loads(row["state"])
    del state["intent"]["forward_only"]
    assert change_from(row | {"state": json.dumps(state)}) == a_change()


def test_a_change_from_before_coverage_comes_back_as_one_that_nothing_is_known_of() -> None:
    """A state without it is read; one with it comes back as it was written."""
    row = change_row(a_change(), now=0.0)
    state = json.loads(row["state"])
    del state["coverage"]
    assert change_from(row | {"state": json.dumps(state)}) == a_change()
    file = UntestedFile("app.py", ((12, 14), (20, 20)))
    covered = replace(a_change(), coverage=Coverage(38, 4, (file,), 0, ("One is missing.",)))
    assert change_from(change_row(covered, now=0.0)) == covered


def test_a_number_that_is_not_finite_is_never_written() -> None:
    """What could not be read again is refused before it reaches the file."""
    endless = replace(a_change(), rehearsed_s=float("inf"))
    with pytest.raises(ValueError, match="JSON"):
        change_row(endless, now=0.0)


async def test_everything_that_is_saved_is_read_back(store: SqliteStore) -> None:
    """Services, changes and entries come back equal, the entries with rising numbers."""
    first, second = a_change(1), a_change(2)
    written = await store.save(
        Saved((first, second), (SHOP,), (an_entry(1, share=0.1), an_entry(2)), (("shop", 1, "x"),))
    )
    assert await store.services() == (SHOP,)
    assert await store.changes("shop") == (first, second)
    assert await store.changes("other") == ()
    assert await store.entries(0, 10) == written
    assert [entry.seq for entry in written] == [1, 2]
    assert written[0].data == {"share": 0.1}


async def test_a_later_save_takes_the_place_of_an_earlier_one(store: SqliteStore) -> None:
    """There is one present state for each change and service, in the order they came."""
    await store.save(Saved((a_change(1), a_change(2)), (SHOP,)))
    moved = replace(a_change(1), phase=Phase.GETTING_READY)
    held = replace(SHOP, held_by="Ana", held_because="a fair", held_at=1.0)
    await store.save(Saved((moved,), (held,)))
    assert await store.changes() == (moved, a_change(2))
    assert await store.services() == (held,)


async def test_the_ledger_can_be_followed(store: SqliteStore) -> None:
    """Entries are found from behind a number, for a service or a change, up to a limit."""
    await store.save(Saved(entries=tuple(an_entry(number) for number in (1, 2, 1, 2, 1))))
    await store.save(Saved(entries=(NewEntry(13.0, None, None, "started", "It started."),)))
    assert [entry.seq for entry in await store.entries(1, 2)] == [2, 3]
    assert [entry.seq for entry in await store.entries(0, 9, "shop", 1)] == [1, 3, 5]
    assert [entry.service for entry in await store.entries(5, 9)] == [None]
    assert await store.entries(0, 9, "other") == ()


async def test_the_last_entries_of_some_kinds_come_newest_first(store: SqliteStore) -> None:
    """Of one service, whatever their kind, and no more than was asked for."""
    kinds = ("verified", "waits", "restored", "waits")
    entries = [replace(an_entry(), kind=kind) for kind in kinds]
    await store.save(Saved(entries=(*entries, replace(an_entry(), service="api", kind="waits"))))
    found = await store.recent("shop", ("waits", "verified"), 10)
    assert [(entry.seq, entry.kind) for entry in found] == [
        (4, "waits"),
        (2, "waits"),
        (1, "verified"),
    ]
    assert [entry.seq for entry in await store.recent("shop", ("waits", "verified"), 1)] == [4]
    assert await store.recent("shop", ("told",), 10) == ()


async def test_a_save_that_fails_changes_nothing(store: SqliteStore, path: Path) -> None:
    """When one row of a save is refused by the file, none of it is there."""
    by_hand(
        path, "CREATE TRIGGER no BEFORE INSERT ON intended_act BEGIN SELECT RAISE(ABORT,'no'); END"
    )
    with pytest.raises(OutsideFailed, match=r"could not be used: no\..*tried again") as failed:
        await store.save(Saved((a_change(),), (SHOP,), (an_entry(),), (("shop", 1, "an act"),)))
    assert "INSERT" not in str(failed.value)
    assert await store.changes() == ()
    assert await store.services() == ()
    assert await store.entries(0, 9) == ()


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE ledger SET says = 'nothing happened'",
        "DELETE FROM ledger",
        "INSERT OR REPLACE INTO ledger (seq, at, kind, says, data) VALUES (1, 0, 'x', 'x', '{}')",
    ],
)
async def test_the_ledger_cannot_be_altered(store: SqliteStore, path: Path, statement: str) -> None:
    """Whoever writes to the file, what the ledger holds stays."""
    written = await store.save(Saved(entries=(an_entry(),)))
    with pytest.raises(sqlite3.IntegrityError, match="append-only"):
        by_hand(path, statement)
    assert await store.entries(0, 9) == written


async def test_only_a_placebo_takes_the_version_that_knows_it(
    store: SqliteStore, path: Path
) -> None:
    """An older Surefoot would take one live; of every other change it reads what it ever read."""
    placebo = replace(a_change(2), intent=Intent("placebo: 1 beside 1", placebo=True))
    await store.save(Saved((a_change(1), placebo)))
    with closing(sqlite3.connect(path)) as db:
        versions = db.execute("SELECT state_version FROM change ORDER BY number").fetchall()
    assert versions == [(1,), (STATE_VERSION,)]
    assert await store.changes() == (a_change(1), placebo)
    assert kept_from(kept_as_bytes([Saved((placebo,))])) == (Saved((placebo,)),)
    assert kept_from(kept_as_bytes([Saved()]).replace(b'"version":1', b'"version":99')) == ()


@pytest.mark.parametrize(
    "alteration",
    [
        f"state_version = {STATE_VERSION + 1}",
        "phase = 'hovering'",
        "state = '{not json'",
        "state = json_set(state, '$.phase', 'hovering')",
    ],
)
async def test_what_cannot_be_read_is_left_alone(
    store: SqliteStore, path: Path, alteration: str
) -> None:
    """A state of another version is named, not returned, and no save writes over it."""
    await store.save(Saved((a_change(1), a_change(2))))
    by_hand(path, f"UPDATE change SET {alteration} WHERE number = 1")
    before = _row(path, 1)
    assert await store.changes() == (a_change(2),)
    assert await store.unreadable() == (("shop", 1),)
    with pytest.raises(Refused, match=r"Change 1 of shop .*Start the version"):
        await store.save(Saved((a_change(2), a_change(1)), entries=(an_entry(),)))
    await store.save(Saved((replace(a_change(2), step=1),)))
    assert _row(path, 1) == before
    assert await store.entries(0, 9) == ()


def _row(path: Path, number: int) -> object:
    with closing(sqlite3.connect(path)) as db:
        return db.execute("SELECT * FROM change WHERE number = ?", (number,)).fetchone()


async def test_tokens_are_kept_and_closed_for_good(store: SqliteStore) -> None:
    """A revoked key stays on record with the time at which it was first closed."""
    token = await store.add_token(ANA, "hash", at=1.0)
    other = await store.add_token(ANA, "other hash", at=2.0)
    await store.revoke_token(token.id, at=3.0)
    await store.revoke_token(token.id, at=4.0)
    assert await store.tokens() == (replace(token, revoked_at=3.0), other)
    with pytest.raises(NotFound, match="no token 99"):
        await store.revoke_token(99, at=5.0)


async def test_a_sign_in_is_kept_until_it_has_expired(store: SqliteStore) -> None:
    """Whoever signs in next clears it away; its number is never given again, and keys stay."""
    key = await store.add_token(ANA, "hash", 1.0)
    phone = await store.add_token(ANA, "phone", 2.0, TokenKind.PHONE, 10.0)
    assert await store.tokens() == (key, phone)
    assert (phone.kind, phone.expires_at) == (TokenKind.PHONE, 10.0)
    last = await store.add_token(ANA, "browser", 10.0, TokenKind.BROWSER, 20.0)
    assert await store.tokens() == (key, last)
    assert last.id == phone.id + 1
    with pytest.raises(NotFound):
        await store.revoke_token(phone.id, 11.0)


async def test_epochs_rise_over_restarts(path: Path) -> None:
    """Each daemon gets a higher number than any before it."""
    epochs = []
    for _ in range(3):
        store = SqliteStore(path)
        await store.open()
        epochs += [await store.next_epoch(), await store.next_epoch()]
        await store.close()
    assert epochs == [1, 2, 3, 4, 5, 6]


async def test_only_its_owner_can_read_it(loose_file: Path) -> None:
    """The file and its side files are 0600, even when somebody had opened the file up."""
    store = SqliteStore(loose_file)
    await store.open()
    await store.save(Saved((a_change(),)))
    modes = {file.name: stat.S_IMODE(file.stat().st_mode) for file in loose_file.parent.iterdir()}
    await store.close()
    names = ("store.db", "store.db-wal", "store.db-shm", "store.journal")
    assert modes == dict.fromkeys(names, 0o600)


async def test_the_migrations_make_the_tables_that_are_queried(
    store: SqliteStore, path: Path
) -> None:
    """An empty file ends with exactly the tables that the queries are written for."""
    engine = create_engine(f"sqlite:///{path}")
    with engine.connect() as db:
        difference = compare_metadata(MigrationContext.configure(db), metadata)
    engine.dispose()
    assert difference == []
    assert await store.services() == ()


async def test_a_store_of_the_first_version_is_brought_up_to_date(path: Path) -> None:
    """What is in it stays, and a hold of then has no end."""
    with of_version(path, "0001") as db:
        db.exec_driver_sql(
            "INSERT INTO service VALUES ('shop', '/srv/shop.git', '', '', 1, 'Ana', 'a sale', 9.0)"
        )
        db.exec_driver_sql(
            "INSERT INTO ledger VALUES (7, 9.0, 'shop', NULL, 'hold', 'a sale', 'Ana', '{}')"
        )
    store = SqliteStore(path)
    await store.open()
    (shop,) = await store.services()
    assert (shop.held_because, shop.held_until) == ("a sale", None)
    assert [entry.seq for entry in await store.recent("shop", ("hold",), 5)] == [7]
    await store.close()


async def test_a_token_of_before_sign_ins_is_a_key_without_end(path: Path) -> None:
    """After an upgrade everybody's key opens as before."""
    with of_version(path, "0003") as db:
        db.exec_driver_sql("INSERT INTO token VALUES (4, 'Ana', 'ana@example.org', 'h', 9.0, NULL)")
    store = SqliteStore(path)
    await store.open()
    (token,) = await store.tokens()
    assert (token.id, token.person, token.hashed) == (4, ANA, "h")
    assert (token.kind, token.expires_at, token.revoked_at) == (TokenKind.KEY, None, None)
    await store.close()


async def test_a_commit_is_on_the_disk(store: SqliteStore) -> None:
    """The file is used with a write-ahead log and full synchronisation."""
    with store._engine.connect() as db:
        assert db.exec_driver_sql("PRAGMA journal_mode").scalar() == "wal"
        assert db.exec_driver_sql("PRAGMA synchronous").scalar() == 2


async def test_a_store_of_a_newer_surefoot_is_refused(path: Path) -> None:
    """A schema that this version does not know is not touched, and the cure is said."""
    store = SqliteStore(path)
    await store.open()
    await store.close()
    by_hand(path, "UPDATE alembic_version SET version_num = '9999'")
    newer = SqliteStore(path)
    with pytest.raises(Refused, match=r"newer Surefoot.*Start that version"):
        await newer.open()
    await newer.close()


async def test_a_file_that_is_no_store_is_named(damaged_file: Path) -> None:
    """A damaged file gives a sentence with its path and a cure, not a traceback of the driver."""
    store = SqliteStore(damaged_file)
    with pytest.raises(OutsideFailed, match=r"store\.db could not be used: file is not a database"):
        await store.open()
    await store.close()


async def test_many_callers_at_once_are_served_one_by_one(store: SqliteStore) -> None:
    """Saves from many tasks all arrive, each whole, and every entry has a number of its own."""
    written = await asyncio.gather(
        *(store.save(Saved((a_change(n),), entries=(an_entry(n), an_entry(n)))) for n in range(50))
    )
    assert len(await store.changes()) == 50
    assert sorted(entry.seq for pair in written for entry in pair) == list(range(1, 101))
    assert all(second.seq == first.seq + 1 for first, second in written)


WRITE_FOR_EVER = """
import asyncio, sys
from itertools import count
from pathlib import Path
from surefoot.adapters.store import SqliteStore
from surefoot.ports import NewEntry, Saved, ServiceRecord

async def main():
    store = SqliteStore(Path(sys.argv[1]))
    await store.open()
    for number in count(1):
        record = ServiceRecord("shop", "", "", "", last_number=number)
        entries = tuple(NewEntry(0.0, "shop", number, "kind", "says") for _ in range(3))
        await store.save(Saved(services=(record,), entries=entries))
        print(number, flush=True)

asyncio.run(main())
"""


def test_nothing_that_was_saved_is_lost_to_a_kill(path: Path) -> None:
    """After kill -9 in the midst of writing, every finished save is there and no half of one."""
    writing = subprocess.Popen(
        [sys.executable, "-c", WRITE_FOR_EVER, str(path)], stdout=subprocess.PIPE, text=True
    )
    assert writing.stdout is not None
    with writing.stdout as said:
        finished = [int(said.readline()) for _ in range(40)]
        writing.send_signal(signal.SIGKILL)
        finished += [int(line) for line in said if line.endswith("\n")]
    assert writing.wait() == -signal.SIGKILL
    record, entries = asyncio.run(_left_in(path))
    assert record.last_number >= finished[-1]
    assert [entry.change for entry in entries] == [
        number for number in range(1, record.last_number + 1) for _ in range(3)
    ]


async def _left_in(path: Path) -> tuple[ServiceRecord, tuple[Entry, ...]]:
    store = SqliteStore(path)
    await store.open()
    (record,) = await store.services()
    entries = await store.entries(0, 100_000)
    await store.close()
    return record, entries


async def test_what_was_kept_is_taken_in_by_the_next_start(path: Path) -> None:
    """An order that the store could not take survives our own end, and is taken in once."""
    store = SqliteStore(path)
    await store.open()
    first, second = (replace(an_entry(), says=f"Bo orders {n} undone.") for n in (1, 2))
    kept = [Saved(changes=(a_change(n),), entries=(one,)) for n, one in ((1, first), (2, second))]
    await store.save(kept[0])
    await store.keep(kept)
    await store.close()
    for _ in range(2):
        again = SqliteStore(path)
        await again.open()
        assert [entry.says for entry in await again.entries(0, 9)] == [first.says, second.says]
        assert [change.number for change in await again.changes()] == [1, 2]
        await again.close()


async def test_what_is_kept_replaces_what_was_kept_before(path: Path) -> None:
    """Nothing waits any more: nothing is taken in."""
    store = SqliteStore(path)
    await store.open()
    await store.keep([Saved(entries=(an_entry(),))])
    await store.keep([])
    await store.close()
    again = SqliteStore(path)
    await again.open()
    assert await again.entries(0, 9) == ()
    await again.close()


@pytest.mark.parametrize("cut", [0, 3, 17, 60, 80])
def test_a_write_that_was_cut_off_leaves_the_one_before(tmp_path: Path, cut: int) -> None:
    """The journal is whole at any moment, whatever the last write did."""
    journal = Journal(tmp_path / "ledger.journal")
    journal.prepare()
    assert journal.read() == b""
    journal.write(b"one" * 20)
    before = journal._path.read_bytes()
    journal.write(b"two" * 20)
    after = journal._path.read_bytes()
    torn = next(at for at in range(len(before)) if before[at] != after[at])
    journal._path.write_bytes(after[: torn + cut] + before[torn + cut :])
    assert journal.read() == (b"one" * 20 if cut < 80 else b"two" * 20)
    journal.write(b"three")
    assert journal.read() == b"three"


def test_the_journal_needs_no_room_of_the_disk(tmp_path: Path) -> None:
    """Its space is taken beforehand, and what does not fit is refused."""
    journal = Journal(tmp_path / "ledger.journal")
    journal.prepare()
    blocks = journal._path.stat().st_blocks
    journal.write(b"x" * 1_000_000)
    assert journal._path.stat().st_blocks == blocks
    assert stat.S_IMODE(journal._path.stat().st_mode) == 0o600
    with pytest.raises(OSError, match="do not fit"):
        journal.write(b"x" * 1_100_000)


async def test_reading_waits_for_no_lock(path: Path, store: SqliteStore) -> None:
    """Another program that holds the store keeps nobody from looking, nor from being known."""
    token = await store.add_token(ANA, "hash", 1.0)
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        assert await store.tokens() == (token,)
        began = asyncio.get_running_loop().time()
        with pytest.raises(OutsideFailed, match="locked"):
            await store.save(Saved(entries=(an_entry(),)))
        assert asyncio.get_running_loop().time() - began < 2
        other.execute("ROLLBACK")
    await store.save(Saved(entries=(an_entry(),)))
