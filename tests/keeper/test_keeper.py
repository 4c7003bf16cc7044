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

from surefoot.keeper.keeper import Keeper, Refusal, _Order


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
        assert (answer["ok"], answer["error"]) == (False, "late")
    renewed = keeper.order("renew", service="shop", epoch=1, change=5, lease_s=9)
    assert renewed["error"] == "late"
    assert keeper.in_place() == ROUTES
    assert keeper.set(epoch=3, seq=1, routes=FALLBACK)["ok"]
    assert keeper.in_place() == FALLBACK


def test_an_epoch_is_over_for_all_services(keeper):
    """Once a newer control plane spoke of one service, the older is refused for every other."""
    keeper.set(epoch=1)
    other = {"name": "till", "virtual_hosts": []}
    assert keeper.set(service="till", epoch=2, routes=other, fallback=other)["ok"]
    assert keeper.set(epoch=1, seq=2, routes=FALLBACK)["error"] == "late"
    assert keeper.in_place() == ROUTES


def test_a_lease_that_nobody_renews_runs_out(keeper):
    """The fallback is put in place, it is written down, and the change is never exposed again."""
    keeper.set(lease_s=0.3)
    until(lambda: keeper.in_place() == FALLBACK)
    until(keeper.told)
    assert keeper.told() == [(5, "nobody renewed its lease for 0.3 s")]
    assert keeper.shop()["fenced"] == [5]
    again = keeper.set(seq=2)
    assert (again["error"], "given back for good" in again["says"]) == ("late", True)
    assert keeper.order("renew", service="shop", change=5, epoch=1, lease_s=9)["error"] == "late"
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
    assert other["error"] == "late"
    assert keeper.shop()["lease_left"] <= 600


def test_an_order_without_a_lease_leaves_it_alone(keeper):
    """Private routes come and go under an exposed change, and its lease runs on."""
    keeper.set(lease_s=60)
    private = {**ROUTES, "virtual_hosts": [{"name": "half and private"}]}
    before = keeper.shop()["deadline"]
    assert keeper.set(seq=2, routes=private, lease_s=None)["ok"]
    assert keeper.shop()["deadline"] == before
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
    assert keeper.told() == [(5, "said so")]
    assert keeper.set(seq=2)["error"] == "late"
    assert keeper.order("give_back", service="nobody", why="")["error"] == "unknown"


def test_a_restarted_keeper_grants_one_lease(keeper):
    """It knows routes, fences and orders again, and gives back when nobody comes."""
    keeper.set(change=4, lease_s=0.2)
    until(lambda: keeper.in_place() == FALLBACK)
    keeper.set(seq=7, lease_s=60)
    keeper.restart()
    assert keeper.in_place() == ROUTES
    assert keeper.shop()["fenced"] == [4]
    assert keeper.set(seq=7)["error"] == "late"
    keeper.set(seq=8, lease_s=1.5)
    keeper.stop()
    again = time.time()
    keeper.process = keeper._started()
    until(lambda: keeper.in_place() == FALLBACK)
    at = float(keeper.order("state")["journal"][-1].split(" ")[0])
    assert at - again >= 1.499  # written in milliseconds
    keeper.restart()
    assert keeper.in_place() == FALLBACK
    assert keeper.shop()["fenced"] == [4, 5]
    assert [change for change, _ in keeper.told()] == [4, 5]


def test_each_keeper_leaves_one_staging_folder(keeper):
    """However often it is killed, none of an earlier one is left beside its own."""
    for generation in range(2, 4):
        keeper.restart()
        assert [path.name for path in (keeper.home / "envoy" / "rds").glob("stage.*")] == [
            f"stage.{generation}"
        ]


def test_a_torn_state_costs_one_service(keeper):
    """A file of state that cannot be read is put aside; the others are kept."""
    keeper.set()
    other = {"name": "till", "virtual_hosts": []}
    keeper.set(service="till", routes=other, fallback=other)
    till = keeper.home / "envoy" / "rds" / "till" / "rds.json"
    till.write_text('{"version_info": "1')
    keeper.restart()
    assert list(keeper.order("state")["services"]) == ["shop"]
    assert till.with_suffix(".unreadable").exists()
    assert keeper.set(service="till", routes=other, fallback=other)["ok"]
    assert keeper.in_place("till") == other


def test_a_frozen_keeper_is_fenced_by_its_successor(keeper):
    """A keeper that was frozen past its lease changes nothing when it wakes, and ends."""
    keeper.set(lease_s=0.5)
    stale = keeper.process
    stale.send_signal(signal.SIGSTOP)
    keeper.process = keeper._started()
    keeper.set(seq=2, change=6)
    until(lambda: keeper.order("state")["ok"])
    stale.send_signal(signal.SIGCONT)
    assert stale.wait(10) == 0
    assert keeper.in_place() == ROUTES
    assert keeper.shop()["fenced"] == []
    assert keeper.order("state")["journal"] == []


def test_a_stale_rename_fails(home):
    """Every act of a keeper whose staging folder was taken fails, and changes no file."""
    order = {"epoch": 1, "routes": ROUTES, "fallback": FALLBACK, "lease_s": 10.0}

    async def act() -> None:
        stale = Keeper(home)
        await stale.set("shop", seq=1, change=5, **order)
        successor = Keeper(home)
        before = (home / "envoy" / "rds" / "shop" / "rds.json").read_bytes()
        with pytest.raises(Refusal):
            await stale.set("shop", seq=2, change=6, **order)
        with pytest.raises(Refusal):
            await stale.give_back("shop", "late")
        await stale.renew("shop", 5, 1, 0.0)
        await stale.watch()
        assert (home / "envoy" / "rds" / "shop" / "rds.json").read_bytes() == before
        state = await successor.state("shop")
        assert state["services"]["shop"]["routes"] == ROUTES
        assert (await Keeper(home).state("shop"))["journal"] == []

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
    assert [change for change, _ in keeper.told()] == [5]


def test_giving_back_without_what_was_ready(keeper):
    """When somebody removed the file that gives back, the fallback comes all the same."""
    keeper.set()
    for ready in keeper.home.glob("envoy/rds/stage.*/shop.json"):
        ready.unlink()
    assert keeper.order("give_back", service="shop", why="said so")["ok"]
    assert keeper.in_place() == FALLBACK
    assert keeper.shop()["fenced"] == [5]


def test_what_was_half_written_is_removed(keeper):
    """Files that a killed keeper had begun are gone after the next start, and routes are not."""
    keeper.set()
    (stage,) = keeper.home.glob("envoy/rds/stage.*")
    (stage / "shop.1.0").write_text("{")
    keeper.restart()
    (stage,) = keeper.home.glob("envoy/rds/stage.[!0]")
    assert [path.name for path in stage.iterdir()] == ["shop.json"]
    assert keeper.in_place() == ROUTES


@pytest.mark.parametrize(
    "line",
    [
        b"\n",
        b"null\n",
        b"[]\n",
        b"{}\n",
        b'{"op": 1}\n',
        b'{"op": "quit"}\n',
        b'{"op": "state"}\n',
        b'{"op": ["state"]}\n',
        b'{"op": "watch"}\n',
        b'{"op": "state", "service": null, "more": 1}\n',
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


def test_nested_too_deeply_is_no_trap(keeper):
    """However deep routes are nested, the keeper answers, starts again, and keeps the others."""
    keeper.set()
    for depth in (900, *range(950, 1000, 2)):
        deep = "[" * depth + "]" * depth
        fields = '"op": "set", "change": 1, "epoch": 1, "seq": 1, "lease_s": 60'
        routes = f'"routes": {{"name": {deep}}}, "fallback": {{"name": {deep}, "more": 1}}'
        line = f'{{{fields}, "service": "deep{depth}", {routes}}}\n'
        assert b'"ok"' in keeper.send(line.encode())
    keeper.restart()
    assert keeper.shop()["exposed"]
    assert keeper.in_place() == ROUTES


def test_a_line_without_end_is_cut(keeper):
    """More than a megabyte without a newline is not read on; the next order is served."""
    assert keeper.send(b"x" * (4 << 20)) == b""
    assert keeper.set()["ok"]


def test_the_journal_is_a_ring(home):
    """The newest 256 entries are kept, in order and one a line, in a file that never grows."""
    path = home / "keeper" / "journal"
    whys = ["\n" * 500, "ä" * 200, "\ud800", "plain words"]

    async def fill() -> list[str]:
        keeper = Keeper(home)
        for change in range(300):
            keeper._tell("s" * 63, _Order(change=10**12 + change), whys[change % 4])
        return (await keeper.state(None))["journal"]

    told = asyncio.run(fill())
    changes = [int(line.split(" ")[2]) - 10**12 for line in told]
    assert changes == list(range(44, 300))
    assert told[-1].endswith(" plain words")
    assert path.stat().st_size == 256 * 256
    assert asyncio.run(Keeper(home).state(None))["journal"] == told


def test_a_damaged_journal_stops_nobody(home):
    """Whatever is in the journal's file, the keeper starts, and goes on writing there."""
    keeper = RunningKeeper(home)
    try:
        keeper.stop()
        (home / "keeper" / "journal").write_bytes(b"\xff\x00torn" * 9000)
        keeper.process = keeper._started()
        keeper.set()
        keeper.order("give_back", service="shop", why="said so")
        assert keeper.order("state")["journal"][-1].endswith(" shop 5 said so")
    finally:
        keeper.stop()
