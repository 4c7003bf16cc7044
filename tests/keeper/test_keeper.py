"""The keeper holds the lease, keeps what it was told, and obeys nobody who is out of date.

Method: the keeper as a real process and real files; Envoy is not running here, so that nothing is
read back. `tests/envoy` has both together.
"""

import asyncio
import json
import resource
import shutil
import signal
import stat
import tempfile
import time
from pathlib import Path

import pytest
from keeper_helpers import FALLBACK, ROUTES, RunningKeeper, until

from surefoot.keeper.journal import Journal
from surefoot.keeper.keeper import Keeper, Relieved, Service


@pytest.fixture
def home():
    """Short, since a Unix socket's path may have 107 bytes."""
    path = Path(tempfile.mkdtemp(prefix="sf"))
    yield path
    shutil.rmtree(path)


@pytest.fixture
def keeper(home):
    running = RunningKeeper(home)
    yield running
    running.stop()


def test_an_order_is_in_place(keeper):
    """Routes are written where Envoy reads them, and without Envoy they are not read back."""
    answer = keeper.set()
    assert answer["ok"]
    assert answer["read_back"] is False
    assert answer["seconds"] > 0
    assert keeper.in_place() == ROUTES
    assert keeper.shop()["exposed"]
    assert 0 < keeper.shop()["lease_left"] <= 30


def test_only_the_owner_may_speak(keeper):
    """The socket is 0600, and so is all that the keeper writes."""
    modes = {
        path.name: stat.S_IMODE(path.stat().st_mode)
        for path in keeper.home.rglob("*")
        if not path.is_dir()
    }
    assert modes["keeper.sock"] == 0o600
    assert set(modes.values()) == {0o600}


def test_who_is_out_of_date_is_refused(keeper):
    """An older epoch, and an older or the same order of one epoch, change nothing."""
    assert keeper.set(epoch=2, seq=5)["ok"]
    for late in ({"epoch": 1, "seq": 9}, {"epoch": 2, "seq": 5}, {"epoch": 2, "seq": 4}):
        answer = keeper.set(**late, routes=FALLBACK)
        assert (answer["ok"], answer["error"]) == (False, "older")
    for op, fields in {
        "renew": {"change": 5, "lease_s": 9},
        "forget": {},
    }.items():
        answer = keeper.order(op, service="shop", epoch=1, **fields)
        assert answer["error"] == "older"
    assert keeper.in_place() == ROUTES
    assert keeper.set(epoch=3, seq=1, routes=FALLBACK)["ok"]
    assert keeper.in_place() == FALLBACK


def test_an_epoch_is_over_for_all_services(keeper):
    """Once a newer control plane spoke of one service, the older is refused for every other."""
    keeper.set(epoch=1)
    other = {"name": "till", "virtual_hosts": []}
    assert keeper.set(service="till", epoch=2, routes=other, fallback=other)["ok"]
    assert keeper.set(epoch=1, seq=2, routes=FALLBACK)["error"] == "older"
    assert keeper.in_place() == ROUTES


def test_a_lease_that_nobody_renews_runs_out(keeper):
    """The fallback is put in place, it is written down, and the change is never exposed again."""
    keeper.set(lease_s=0.3)
    until(lambda: keeper.in_place() == FALLBACK)
    until(lambda: keeper.order("state")["journal"])
    (entry,) = keeper.order("state")["journal"]
    assert (entry["service"], entry["change"]) == ("shop", 5)
    assert "nobody renewed" in entry["why"]
    assert keeper.shop()["fenced"] == [5]
    assert keeper.set(seq=2)["error"] == "fenced"
    assert keeper.order("renew", service="shop", change=5, epoch=1, lease_s=9)["error"] == "fenced"
    assert keeper.set(seq=3, routes=FALLBACK)["ok"], "the fenced change without a share is harmless"
    assert keeper.set(seq=4, change=6)["ok"]
    assert keeper.in_place() == ROUTES


def test_a_renewed_lease_holds(keeper):
    """Renewing counts the whole lease anew, and only for the change that is exposed."""
    keeper.set(lease_s=60)
    until(lambda: keeper.shop()["lease_left"] < 59.5)
    assert keeper.order("renew", service="shop", change=5, epoch=1, lease_s=600)["ok"]
    assert keeper.shop()["lease_left"] > 60
    other = keeper.order("renew", service="shop", change=6, epoch=1, lease_s=600)
    assert other["error"] == "other"


def test_an_order_without_a_lease_leaves_it_alone(keeper):
    """Private routes come and go under an exposed change, and its lease runs on."""
    keeper.set(lease_s=60)
    private = {**ROUTES, "virtual_hosts": [{"name": "half and private"}]}
    before = keeper.shop()["lease_left"]
    assert keeper.set(seq=2, routes=private, lease_s=None)["ok"]
    assert keeper.shop()["lease_left"] < before
    assert keeper.in_place() == private


def test_nothing_exposed_needs_no_lease(keeper):
    """Routes without a change, and a change without a share, stay when their lease is over."""
    other = {"name": "till", "virtual_hosts": [{"name": "one"}]}
    keeper.set(change=None, lease_s=0.1)
    keeper.set(service="till", routes=other, fallback=other, lease_s=0.1)
    keeper.set(service="clock", seq=1, lease_s=0.1)
    until(lambda: keeper.in_place("clock") == FALLBACK)  # the watch has looked at all three
    assert keeper.in_place() == ROUTES
    assert keeper.in_place("till") == other


def test_give_back_is_an_order_of_its_own(keeper):
    """Given back at once by a person, once; a change that comes back later is refused."""
    keeper.set()
    for _ in range(2):
        assert keeper.order("give_back", service="shop", why="said so")["ok"]
        assert keeper.in_place() == FALLBACK
    assert [entry["why"] for entry in keeper.order("state")["journal"]] == ["said so"]
    assert keeper.set(seq=2)["error"] == "fenced"
    assert keeper.order("give_back", service="nobody", why="")["error"] == "unknown"


def test_a_restarted_keeper_grants_one_lease(keeper):
    """It knows routes, fences and orders again, and gives back when nobody comes."""
    keeper.set(change=4, lease_s=0.2)
    until(lambda: keeper.in_place() == FALLBACK)
    keeper.set(seq=7, lease_s=60)
    keeper.restart()
    assert keeper.in_place() == ROUTES
    assert keeper.shop()["fenced"] == [4]
    assert keeper.set(seq=7)["error"] == "older"
    keeper.set(seq=8, lease_s=1.5)
    keeper.stop()
    again = time.time()
    keeper.process = keeper._started()
    until(lambda: keeper.in_place() == FALLBACK)
    assert keeper.order("state")["journal"][-1]["at"] - again >= 1.5
    keeper.restart()
    assert keeper.in_place() == FALLBACK
    assert keeper.shop()["fenced"] == [4, 5]
    assert [entry["change"] for entry in keeper.order("state")["journal"]] == [4, 5]


def test_a_torn_state_costs_one_service(keeper):
    """A file of state that cannot be read is put aside; the others are kept."""
    keeper.set()
    other = {"name": "till", "virtual_hosts": []}
    keeper.set(service="till", routes=other, fallback=other)
    (keeper.home / "keeper" / "state" / "till.json").write_text('{"change": 1')
    keeper.restart()
    assert list(keeper.order("state")["services"]) == ["shop"]
    assert (keeper.home / "keeper" / "state" / "till.unreadable").exists()


def test_a_frozen_keeper_is_fenced_by_its_successor(keeper):
    """A keeper that was frozen past its lease changes nothing when it wakes, and ends."""
    keeper.set(lease_s=0.5)
    stale = keeper.process
    stale.send_signal(signal.SIGSTOP)
    keeper.process = keeper._started()
    keeper.set(seq=2, change=6)
    until(lambda: keeper.order("state")["ok"])
    stale.send_signal(signal.SIGCONT)
    assert stale.wait(10) == 3
    assert keeper.in_place() == ROUTES
    assert keeper.shop()["fenced"] == []
    assert keeper.order("state")["journal"] == []


def test_a_stale_rename_fails(home):
    """Every act of a keeper whose staging folder was taken fails, and changes no file."""
    exposed = Service(5, 1, 1, ROUTES, FALLBACK, 10.0)

    async def act() -> None:
        stale = Keeper(home)
        await stale.set("shop", exposed)
        successor = Keeper(home)
        before = (home / "envoy" / "rds" / "shop" / "rds.json").read_bytes()
        for act in (
            lambda: stale.set("shop", Service(6, 1, 2, FALLBACK, FALLBACK, 10.0)),
            lambda: stale.give_back("shop", "late"),
            lambda: stale.forget("shop", 1),
            stale.watch,
        ):
            with pytest.raises(Relieved):
                await act()
        assert (home / "envoy" / "rds" / "shop" / "rds.json").read_bytes() == before
        assert (await successor.state("shop"))["services"]["shop"]["exposed"]
        assert Journal(home / "keeper" / "journal").entries == []

    asyncio.run(act())


def test_a_full_disk_does_not_stop_giving_back(keeper):
    """When nothing can be written, orders are refused whole and the fallback still comes."""
    keeper.set(lease_s=30)
    resource.prlimit(keeper.process.pid, resource.RLIMIT_FSIZE, (0, 0))
    answer = keeper.set(seq=2, change=6, routes={**ROUTES, "virtual_hosts": []})
    assert answer["error"] == "disk"
    assert keeper.in_place() == ROUTES
    assert keeper.shop()["change"] == 5
    assert keeper.order("give_back", service="shop", why="no space")["ok"]
    assert keeper.in_place() == FALLBACK
    assert keeper.shop()["fenced"] == [5]
    keeper.restart()
    assert keeper.in_place() == FALLBACK
    assert keeper.shop()["fenced"] == [5]
    assert [entry["change"] for entry in keeper.order("state")["journal"]] == [5]


def test_forgetting_a_service(keeper):
    """Nothing is left of a service that is forgotten; an exposed one is not forgotten."""
    keeper.set()
    assert keeper.order("forget", service="shop", epoch=1)["error"] == "exposed"
    keeper.order("give_back", service="shop", why="leaving")
    assert keeper.order("forget", service="shop", epoch=1)["ok"]
    assert keeper.order("state")["services"] == {}
    assert not list(keeper.home.rglob("*shop*"))
    keeper.restart()
    assert keeper.order("state")["services"] == {}


@pytest.mark.parametrize(
    "line",
    [
        b"\n",
        b"null\n",
        b"[]\n",
        b"{}\n",
        b'{"op": 1}\n',
        b'{"op": "quit"}\n',
        b'{"op": "state", "more": 1}\n',
        b'{"op": "state", "service": "../../etc"}\n',
        b'{"op": "state", "service": "shop/.."}\n',
        b'{"op": "give_back", "service": "shop"}\n',
        b'{"op": "renew", "service": "shop", "change": true, "epoch": 1, "lease_s": 1}\n',
        b'{"op": "renew", "service": "shop", "change": null, "epoch": 1, "lease_s": 1}\n',
        b'{"op": "renew", "service": "shop", "change": 5, "epoch": -1, "lease_s": 1}\n',
        b'{"op": "renew", "service": "shop", "change": 5, "epoch": 1, "lease_s": NaN}\n',
        b'{"op": "renew", "service": "shop", "change": 5, "epoch": 1, "lease_s": 1e9}\n',
        b'{"op": "set", "service": "shop", "change": 5, "epoch": 9, "seq": 9}\n',
        b"[" * 200_000 + b"\n",
        b"\xff\xfe\n",
    ],
)
def test_what_is_not_an_order_is_refused(keeper, line):
    """Malformed, unknown and hostile lines get a refusal, and change nothing."""
    keeper.set()
    answer = json.loads(keeper.send(line))
    assert (answer["ok"], answer["error"]) == (False, "bad")
    assert keeper.in_place() == ROUTES
    assert keeper.shop()["epoch"] == 1


def test_a_line_without_end_is_cut(keeper):
    """More than a megabyte without a newline is not read on; the next order is served."""
    assert keeper.send(b"x" * (4 << 20)) == b""
    assert keeper.set()["ok"]


def test_the_journal_is_a_ring(home):
    """The newest 256 entries are kept, in order, in a file that never grows."""
    path = home / "journal"
    journal = Journal(path)
    size = path.stat().st_size
    for n in range(300):
        journal.append(float(n), "s" * 63, 10**12 + n, "\x01" * 500)
    again = Journal(path).entries
    assert [entry.n for entry in again] == list(range(45, 301))
    assert again == journal.entries
    assert path.stat().st_size == size
