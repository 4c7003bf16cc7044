"""What is asked of changes that nobody holds in memory: of either store, and the answers are one.

Where a test names no store, both have to pass it.
"""

import json
import random
import sqlite3
from collections.abc import AsyncIterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest
from old_stores import of_version

from surefoot.adapters.store import SqliteStore
from surefoot.adapters.store.rows import STATE_VERSION, change_row
from surefoot.domain.change import Approval, Cause, Change, Commit, Diff, Intent, Person, Stamps
from surefoot.domain.lane import lane_of, live_ones, live_until, serving_at
from surefoot.domain.lifecycle import LIVE, Phase
from surefoot.domain.retention import family
from surefoot.ports import LogQuery, Saved, ServiceRecord, Store
from surefoot.testing import MemoryStore, VirtualClock

ANA = Person("Ana", "Ana@example.org")
BO = Person("Bo Ödegård", "bo@example.org")
SHOP, TILL = (ServiceRecord(name, "/srv/git", "", "") for name in ("shop", "till"))


def a_change(number: int, phase: Phase = Phase.REJECTED, service: str = "shop", **more) -> Change:
    change = Change(
        service=service,
        number=number,
        revision=f"{number:040x}",
        base=f"{number - 1:040x}",
        base_number=None,
        commits=(Commit(f"{number:040x}", "x", (ANA,), 1.0),),
        diff=Diff(f"identity {number}", ("app.py",), 1, 1),
        intent=Intent("x"),
        shipper=ANA,
        stamps=Stamps(committed_at=1.0, proposed_at=float(number)),
        phase=phase,
    )
    return replace(change, **more)


def live(number: int, at: float | None = None, left: float | None = None, **more) -> Change:
    phase = Phase.VERIFIED if left is None else Phase.RESTORED
    change = a_change(number, phase, **more)
    at = float(number) if at is None else at
    return replace(change, stamps=replace(change.stamps, live_at=at, given_back_at=left))


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "home" / "store.db"


@pytest.fixture(params=["sqlite", "memory"])
async def store(request: pytest.FixtureRequest, path: Path) -> AsyncIterator[Store]:
    if request.param == "memory":
        yield MemoryStore(VirtualClock())
        return
    made = SqliteStore(path)
    await made.open()
    yield made
    await made.close()


def numbers(changes) -> list[int]:
    return [one.number for one in changes]


async def test_what_is_archived_is_found_and_not_listed(store: Store):
    """It is there for who asks for it, and nobody has to read it to begin."""
    one, two, other = a_change(1), a_change(2), a_change(2, service="till")
    await store.save(Saved((two, one, other)))
    await store.archive("shop", {1, 2, 99})
    assert await store.changes("shop") == ()
    assert await store.changes() == (other,)
    assert await store.find(1) == (one,)
    assert set(await store.find(2)) == {two, other}
    assert await store.find(2, "till") == (other,)
    assert await store.find(3) == ()
    assert await store.last_number() == 2


async def test_whoever_saves_a_change_takes_it_out_of_the_archive(store: Store):
    """What is written to is held by somebody."""
    await store.save(Saved((a_change(1), a_change(2))))
    await store.archive("shop", (1, 2))
    passed = a_change(2, because="another")
    await store.save(Saved((passed,)))
    assert await store.changes("shop") == (passed,)


async def test_a_change_is_recalled_with_all_that_is_tied_to_it(store: Store):
    """What it mends, what carried and what it carried, and manifests upon it; nothing else."""
    harm = a_change(2, Phase.RESTORED, cause=Cause.HARM)
    failed = a_change(3, Phase.RESTORED, cause=Cause.HARM, intent=Intent("x", fixes=2))
    ridden = live(4, carried_by=6)
    fix = live(6, intent=Intent("x", fixes=2, again=3))
    upon = a_change(7, Phase.APPLIED, base=fix.revision)
    again = a_change(8, Phase.APPLIED, base=upon.revision)
    others = (live(1), live(5), a_change(9, base=again.revision), a_change(2, service="till"))
    await store.save(Saved((harm, failed, ridden, fix, upon, again, *others)))
    await store.archive("shop", range(1, 10))
    await store.archive("till", (2,))
    found = await store.recall("shop", (2, 99))
    assert found == (harm, failed, ridden, fix, upon, again)
    assert await store.changes() == found


async def test_the_log_is_filtered_and_newest_first(store: Store):
    """By service, time, author, outcome and path, whatever is archived, up to a limit."""
    theirs = Commit("c", "y", (BO, Person("Else", "ANA@example.org")), 1.0)
    both = a_change(3, Phase.RESTORED, commits=(a_change(3).commits[0], theirs))
    deep = a_change(4, diff=Diff("d", ("docs/a.md", "web/app.js"), 1, 1))
    late = a_change(1, stamps=Stamps(1.0, proposed_at=99.0))
    await store.save(Saved((a_change(2), both, deep, late, a_change(5, service="till"))))
    await store.archive("shop", (2, 3))

    async def log(**asked) -> list[int]:
        return numbers(await store.log(LogQuery(**asked)))

    assert await log() == [1, 5, 4, 3, 2]
    assert await log(limit=2) == [1, 5]
    assert await log(service="shop", limit=3) == [1, 4, 3]
    assert await log(service="none") == []
    assert await log(since=4.0) == [1, 5, 4]
    assert await log(until=4.0) == [4, 3, 2]
    assert await log(since=3.0, until=4.0) == [4, 3]
    assert await log(outcome="restored") == [3]
    assert await log(author="ÖDEGÅRD") == [3]
    assert await log(author="else") == []
    assert await log(author="ana <ana@") == [1, 5, 4, 3, 2]
    assert await log(path="web/") == [4]
    assert await log(path="app") == [1, 5, 3, 2]
    assert await log(path="app", author="bo", since=3.0, outcome="restored") == [3]


async def test_who_served_and_until_when_is_told_of_any_time(store: Store):
    """As the pure functions say it of all changes."""
    history = (live(1), live(2, left=2.5), live(3, at=3.0), live(4, at=3.5, left=6.0), live(7))
    waiting = a_change(8, Phase.QUEUED)
    await store.save(Saved((*history, waiting, live(1, service="till")), (SHOP, TILL)))
    await store.archive("shop", (1, 2, 3))
    for at in (0.5, 1.0, 2.2, 2.5, 2.9, 3.2, 4.0, 6.0, 6.5, 9.0):
        served = serving_at(history, at)
        asked = LogQuery(service="shop", serving_at=at)
        assert await store.log(asked) == ((served,) if served else ())
    everything = (*history, waiting)
    assert await store.live_until(everything) == tuple(
        live_until(everything, one) for one in everything
    )
    assert [one.service for one in await store.log(LogQuery(serving_at=8.0))] == ["shop", "till"]


async def test_the_last_live_ones_are_told_in_their_order(store: Store):
    """By when they went live, without what a fix carried, archived or not."""
    changes = (live(1), live(2, at=9.0), live(3), live(4, carried_by=5), live(5), a_change(6))
    await store.save(Saved(changes))
    await store.archive("shop", (2, 3))
    assert await store.last_live("shop", 3) == (2, 5, 3)
    assert await store.last_live("till", 3) == ()


async def test_the_newest_approval_of_a_diff_is_found(store: Store):
    """Whatever became of its change, as long as somebody approved that one."""
    approvals = (Approval(BO, 2.0, "same"),)
    same = Diff("same", ("app.py",), 1, 1)
    first, second = (a_change(n, diff=same, approvals=approvals) for n in (1, 2))
    await store.save(Saved((first, second, a_change(3, diff=same))))
    await store.archive("shop", (1, 2, 3))
    assert await store.approved("shop", "same") == second
    assert await store.approved("shop", "other") is None
    assert await store.approved("till", "same") is None


def a_history(dice: random.Random) -> list[Change]:
    """Changes that name one another at random; legal or not is all one to a store."""
    made: list[Change] = []
    for number in range(1, 120):
        phase = dice.choice(list(Phase))
        fixes, again, rides = (
            dice.randrange(1, number) if number > 1 and dice.random() < 0.08 else None
            for _ in range(3)
        )
        stamps = Stamps(1.0, proposed_at=dice.random())
        if phase in LIVE or dice.random() < 0.3:
            left = dice.random() if phase not in LIVE else None
            stamps = replace(stamps, live_at=dice.random(), undo_at=left)
        made.append(
            a_change(
                number,
                phase,
                intent=Intent("x", fixes=fixes, again=again),
                carried_by=rides,
                cause=dice.choice([None, Cause.HARM]),
                base=f"{dice.randrange(number):040x}",
                stamps=stamps,
            )
        )
    return made


@pytest.mark.parametrize("seed", range(8))
async def test_any_history_gives_the_answers_of_the_pure_functions(store: Store, seed: int):
    """Families, who is live, and who was: SQL finds what the domain's words say."""
    dice = random.Random(seed)
    changes = a_history(dice)
    await store.save(Saved(tuple(changes)))
    await store.archive("shop", [n for n in range(1, 120) if dice.random() < 0.7])
    assert await store.last_live("shop", 50) == tuple(numbers(live_ones(changes)[:50]))
    assert await store.live_until(changes) == tuple(live_until(changes, one) for one in changes)
    some = dice.sample(range(1, 130), 4)
    assert set(numbers(await store.recall("shop", some))) == family(changes, some)


# --- only in a file ----------------------------------------------------------------------------


def by_hand(path: Path, statement: str) -> None:
    with closing(sqlite3.connect(path)) as db:
        db.execute(statement)
        db.commit()


@pytest.mark.parametrize("alteration", [f"state_version = {STATE_VERSION + 1}", "phase = 'hovers'"])
async def test_what_a_newer_one_wrote_is_known_in_the_archive_too(path: Path, alteration: str):
    """It is named, and no answer has it."""
    store = SqliteStore(path)
    await store.open()
    await store.save(Saved((a_change(1), a_change(2))))
    await store.archive("shop", (1, 2))
    by_hand(path, f"UPDATE change SET {alteration} WHERE number = 2")
    assert await store.unreadable() == (("shop", 2),)
    assert numbers(await store.log(LogQuery())) == [1]
    assert await store.find(2) == ()
    assert await store.last_number() == 2
    await store.close()


INSERT = "INSERT INTO change (service, number, phase, state, state_version, updated_at) VALUES "


def of_the_second_version(path: Path, changes: list[Change]) -> None:
    """A store as it was before there was an archive."""
    with of_version(path, "0002") as db:
        for change in changes:
            row = change_row(change, 0.0)
            values = (row[name] for name in ("service", "number", "phase", "state"))
            db.exec_driver_sql(f"{INSERT} (?, ?, ?, ?, 1, 0.0)", tuple(values))
        db.exec_driver_sql(f"{INSERT} ('till', 900, 'verified', '{{}}', 1, 0.0)")
        db.exec_driver_sql(f"{INSERT} ('till', 901, 'verified', '{{torn', 1, 0.0)")
        db.exec_driver_sql(f"{INSERT} ('till', 902, 'verified', '[]', 2, 0.0)")


async def test_a_store_without_an_archive_keeps_everything(path: Path):
    """After the upgrade all is at hand, every answer is as if it had been saved anew."""
    two = (Commit("c", "y", (ANA, BO), 1.0), Commit("d", "z", (replace(ANA, name="A."),), 1.0))
    files = Diff("same", ("docs/ä.md", "app.py"), 1, 1)
    approved = live(130, commits=two, diff=files, approvals=(Approval(BO, 2.0, "same"),))
    changes = [*a_history(random.Random(3)), approved]
    of_the_second_version(path, changes)
    old, new = SqliteStore(path), SqliteStore(path.with_name("new.db"))
    await old.open()
    await new.open()
    await new.save(Saved(tuple(changes)))
    assert await old.changes("shop") == tuple(changes)
    assert await old.unreadable() == (("till", 900), ("till", 901), ("till", 902))
    assert await old.last_number() == 902
    lane = lane_of("shop", changes, None)
    assert lane_of("shop", await old.changes("shop"), None) == lane
    columns = "live_at, left_at, fixes, again, carried_by, revision, applied_upon, approved_as"
    asked = f"SELECT proposed_at, authors, files, {columns} FROM change WHERE service = 'shop'"
    with closing(sqlite3.connect(path)) as one, closing(sqlite3.connect(new._path)) as other:
        assert one.execute(asked).fetchall() == other.execute(asked).fetchall()
    await old.close()
    await new.close()


async def test_states_of_before_are_read_with_what_they_lack(path: Path):
    """A field that came later is as if it had been left empty."""
    of_the_second_version(path, [live(1, intent=Intent("x", fixes=7))])
    with closing(sqlite3.connect(path)) as db:
        (text,) = db.execute("SELECT state FROM change WHERE number = 1").fetchone()
        state = json.loads(text)
        del state["carried_by"], state["approvals"], state["stamps"]["undo_at"]
        del state["intent"]["again"]
        db.execute("UPDATE change SET state = ? WHERE number = 1", (json.dumps(state),))
        db.commit()
    store = SqliteStore(path)
    await store.open()
    assert await store.last_live("shop", 9) == (1,)
    assert numbers(await store.recall("shop", (1,))) == [1]
    await store.close()
