"""What changes and releases do to users, on real parts: each is found, or honestly passed."""

import os
import signal
import time

import pytest
from world import wait_for

pytestmark = pytest.mark.timeout(600)

MEETING = {"rolling_out", "verifying"}


def open_all(world, load, per_s, described):
    """Services side by side, each watched for a minute: services and users by name."""
    shops = {
        name: world.service(name, ready="60s", **{"warm_up": "2s", **how})
        for name, how in described.items()
    }
    for shop in shops.values():
        shop.adopt(wait=False)
    for shop in shops.values():
        shop.until(0, "adopted", 120)
    users = {name: load(shop.port, per_s) for name, shop in shops.items()}
    for shop in shops.values():
        shop.history()
    return shops, users


def ship(shop, **behaviour):
    """A change that behaves so, on its way; returns its number."""
    shop.commit("a change", **behaviour)
    return shop.ship()


def failed(users):
    """How many requests had no good answer so far."""
    counts = users.counts()
    return sum(counts.values()) - counts["200"]


def kinds(shop):
    """The kinds of the entries of a service's ledger."""
    return [one["kind"] for one in shop.ledger()]


def kill(shop, release):
    """kill -9 of every instance of a release; the supervisor brings them back."""
    for port in shop.ports(release):
        os.kill(int(shop.ask("/pid", port=port).text.split()[1]), signal.SIGKILL)


def test_what_hangs_or_is_killed_is_restored_and_safe_requests_are_answered(world, load):
    """A hang is a fact after two seconds of it, also while the health path answers."""
    shops, users = open_all(world, load, 40, {"stuck": {}, "lame": {}, "leaking": {}})
    numbers = {
        "stuck": ship(shops["stuck"], hangs="all"),
        "lame": ship(shops["lame"], hangs="users"),
        "leaking": ship(shops["leaking"], leak_mb=20),
    }
    seen = {name: shops[name].until(number, "restored", 120) for name, number in numbers.items()}
    assert {one["cause"] for one in seen.values()} == {"harm"}
    assert seen["stuck"]["worse"] == seen["lame"]["worse"] == "hanging"
    assert seen["leaking"]["worse"] in {"dead", "crash_loop", "latency"}  # memory takes its time
    # Its first ten requests are answered: at four a second they take 2.5 s.
    assert seen["stuck"]["times"]["exposed_to_verdict_s"] < 12
    assert seen["lame"]["times"]["exposed_to_verdict_s"] < 15
    assert all(one["times"]["undo_s"] < 1 for one in seen.values())
    assert {name: failed(one) for name, one in users.items()} == dict.fromkeys(users, 0)


def test_a_page_that_lacks_a_metric_or_falls_silent_is_no_pass(world, load):
    """The one is rejected before any user, by name; the other held, and given back in time."""
    shops, users = open_all(world, load, 30, {"pageless": {}, "deaf": {}})
    pageless, deaf = shops.values()
    rejected = pageless.until(ship(pageless, no_page=True), "rejected", 60)
    assert 'checkout_total{outcome="error"}' in rejected["because"]
    assert "from its start" in rejected["because"]
    assert rejected["exposed_at"] is None
    number = ship(deaf, deaf_page=True)
    held = wait_for(
        lambda: (s := deaf.change(number))["wait"] and s["wait"]["cause"] == "telemetry" and s,
        "it waits for telemetry",
        60,
    )
    assert held["share"] == 0.1
    status = deaf.until(number, "restored", 120)
    assert status["cause"] == "unwatched"
    assert "step" not in kinds(deaf)
    assert {failed(one) for one in users.values()} == {0}


def test_harm_that_is_not_the_changes_is_not_blamed_on_it(world, load):
    """The old release dies, or both do, or what both need is away: held, given back, and said."""
    down = world.home / "database-is-down"
    described = {"covered": {}, "both": {}, "shared": {"database": str(down)}}
    shops, users = open_all(world, load, 30, described)
    covered, both, shared = shops.values()
    numbers = [ship(covered), ship(both), ship(shared, database=str(down))]
    for shop, number in zip(shops.values(), numbers, strict=True):
        shop.until(number, "rolling_out", 60)
    time.sleep(3)
    kill(covered, 0)
    kill(both, 0)
    kill(both, numbers[1])
    down.touch()
    wait_for(
        lambda: "old release" in ((covered.change(numbers[0])["wait"] or {}).get("then") or ""),
        "it is held until the old release is well",
        20,
        0.1,
    )
    status = shared.until(numbers[2], {"restoring", "restored", "not_restored"}, 90)
    assert status["cause"] == "host"
    assert "nobody can tell" in status["because"]
    down.unlink()
    status = shared.until(numbers[2], "restored", 60)
    assert not any("git revert" in line for line in status["next"])
    # For 20 s by now: gross harm of the old one so long would be taken for the host's.
    assert covered.change(numbers[0])["phase"] in MEETING | {"verified"}
    assert "ended" in kinds(covered)
    assert failed(users["covered"]) <= 2
    assert both.until(numbers[1], "restored", 120)["cause"] == "harm"
    assert {"ended", "restoring", "restored"} <= set(kinds(both))
    before = users["both"].counts()
    assert set(before) <= {"200", "503"}  # by the proxy: never a closed door
    wait_for(lambda: users["both"].counts() - before, "its users are answered", 10)
    assert set(users["both"].counts() - before) == {"200"}
    assert both.ask("/release").text == "0"


def test_what_shows_late_or_seldom_is_found_or_its_margin_said(world, load):
    """A slow start and cold caches are forgiven; growing errors are not; one user's are said."""
    described = {"cold": {"warm_up": "10s"}, "creeping": {}, "fiftieth": {}}
    shops, _ = open_all(world, load, 30, described)
    cold, creeping, fiftieth = shops.values()
    chilled = ship(cold, start_s=8, cold_s=5)
    creeps = ship(creeping, errors_grow=0.01)
    seldom = ship(fiftieth, errors_of_customer="7")
    settled = {"verified", "restored"}
    status = cold.until(chilled, settled)
    assert status["phase"] == "verified", status["sentence"]
    status = fiftieth.until(seldom, settled)
    if status["phase"] == "verified":
        assert "errors at most +5 points" in status["because"]
    status = wait_for(
        lambda: (s := creeping.change(creeps))["phase"] == "restored" and s,
        "what was verified before its errors came is taken back",
        300,
    )
    assert (status["cause"], status["worse"]) == ("harm", "errors")
