"""The daemon is killed: users are unaffected, nothing is lost, nobody stays exposed unwatched."""

import http.client
import random
import time

import pytest
from world import wait_for

pytestmark = pytest.mark.timeout(900)

FINAL = {"verified", "restored", "withdrawn", "rejected", "accepted"}


def releases_met(shop, asked=60):
    """Which releases answer now, asked through the front door."""
    met = set()
    connection = http.client.HTTPConnection("127.0.0.1", shop.port, timeout=5)
    for _ in range(asked):
        connection.request("GET", "/release")
        met.add(connection.getresponse().read().decode())
    connection.close()
    return met


def test_a_daemon_that_does_not_return_loses_its_users_to_the_old_release(own_world, load):
    """All traffic is back within the lease; at the next start it is restored as unwatched."""
    shop = own_world.service("orphan")
    shop.adopt()
    users = load(shop.port)
    shop.history()
    shop.commit("one", seconds=0.004)
    number = shop.ship()
    shop.until(number, "rolling_out")
    assert releases_met(shop, 200) == {"0", str(number)}
    own_world.kill()
    wait_for(lambda: releases_met(shop) == {"0"}, "all users are back on the old release", 15)
    assert set(users.counts()) == {"200"}
    own_world.up()
    status = shop.until(number, "restored", 60)
    assert status["cause"] == "unwatched"
    assert set(users.end()) == {"200"}


def test_kill_at_ten_random_moments(own_world, load):
    """kill -9 and start again: the order of phases holds, nothing is lost, users are unaffected."""
    dice = random.Random(20261122)
    shop = own_world.service("hunted", rollout='soak = "20s"')
    shop.adopt()
    users = load(shop.port, 60)
    shop.history()
    shop.commit("one", seconds=0.004)
    numbers = [shop.ship()]
    for _ in range(10):
        time.sleep(dice.uniform(0.0, 7.0))
        own_world.kill()
        time.sleep(dice.uniform(0.0, 2.0))
        own_world.up()
        status = shop.change(numbers[-1])
        if status["phase"] in FINAL:
            shop.git("commit", "--quiet", "--allow-empty", "-m", f"after {numbers[-1]}")
            numbers.append(shop.ship())
    last = shop.until(numbers[-1], FINAL)
    assert last["phase"] in {"verified", "restored"}
    entries = own_world.get("/v1/ledger?after=0&limit=1000")["entries"]
    assert [one["seq"] for one in entries] == sorted({one["seq"] for one in entries})
    legal(entries, numbers)
    counts = users.end()
    assert set(counts) == {"200"}


def legal(entries, numbers):
    """Each change's moves follow each other, and the lane is never held twice."""
    holder = None
    phases = dict.fromkeys(numbers, "proposed")
    for entry in entries:
        data = entry.get("data") or {}
        if "to" not in data or entry["change"] not in phases:
            continue
        assert data["from"] == phases[entry["change"]]
        phases[entry["change"]] = data["to"]
        if data["to"] == "rolling_out":
            assert holder is None
            holder = entry["change"]
        elif data["to"] in {"verified", "accepted", "restored"}:
            holder = None
