"""What changes and releases do to users, on real parts: each is found, or honestly passed."""

import os
import signal

import pytest
from world import Site, wait_for

pytestmark = pytest.mark.timeout(600)

MEETING = {"rolling_out", "verifying"}


@pytest.fixture
def site(world):
    """Services side by side; their users leave with the test."""
    made = Site(world)
    yield made
    made.leave()


def ship(shop, **behaviour):
    """A change that behaves so, on its way; returns its number."""
    shop.commit("a change", **behaviour)
    return shop.ship()


def failed(site):
    """How many requests of each service had no good answer so far."""
    counts = {name: users.counts() for name, users in site.users.items()}
    return {name: sum(found.values()) - found["200"] for name, found in counts.items()}


def counted(shop, number):
    """How many answers of a change its evidence holds so far."""
    verdict = shop.change(number)["verdict"]
    return sum(one["canary_all"] for one in verdict["metrics"]) if verdict else 0


def kinds(shop):
    """The kinds of the entries of a service's ledger."""
    return [one["kind"] for one in shop.ledger()]


def kill(shop, release):
    """kill -9 of every instance of a release; the supervisor brings them back."""
    for port in shop.ports(release):
        os.kill(int(shop.ask("/pid", port=port).text.split()[1]), signal.SIGKILL)


def test_what_hangs_or_is_killed_is_restored_and_safe_requests_are_answered(site):
    """A hang is a fact after two seconds of it, also while the health path answers."""
    for name in ("stuck", "lame", "leaking"):
        site.add(name, per_s=40)
    site.open(60)
    numbers = {
        "stuck": ship(site["stuck"], hangs="all"),
        "lame": ship(site["lame"], hangs="users"),
        "leaking": ship(site["leaking"], leak_mb=20),
    }
    seen = {name: site[name].until(number, "restored", 120) for name, number in numbers.items()}
    assert {one["cause"] for one in seen.values()} == {"harm"}
    assert seen["stuck"]["worse"] == seen["lame"]["worse"] == "hanging"
    assert seen["leaking"]["worse"] in {"dead", "crash_loop", "latency"}  # memory takes its time
    # Its first ten requests are answered: at four a second they take 2.5 s.
    assert seen["stuck"]["times"]["exposed_to_verdict_s"] < 12
    assert seen["lame"]["times"]["exposed_to_verdict_s"] < 15
    assert all(one["times"]["undo_s"] < 1 for one in seen.values())
    assert failed(site) == dict.fromkeys(numbers, 0)


def test_a_page_that_lacks_a_metric_or_falls_silent_is_no_pass(site):
    """The one is rejected before any user, by name; the other held, and given back in time."""
    site.add("pageless", per_s=30)
    site.add("deaf", per_s=30)
    site.open(60)
    pageless, deaf = site["pageless"], site["deaf"]
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
    assert failed(site) == {"pageless": 0, "deaf": 0}


def test_harm_that_is_not_the_changes_is_not_blamed_on_it(site):
    """The old release dies, or both do, or what both need is away: held, given back, and said."""
    down = site.world.home / "database-is-down"
    site.add("covered", per_s=30)
    site.add("both", per_s=30)
    site.add("shared", per_s=30, database=str(down))
    site.open(60)
    covered, both, shared = shops = [site[name] for name in ("covered", "both", "shared")]
    numbers = [ship(covered), ship(both), ship(shared, database=str(down))]
    for shop, number in zip(shops, numbers, strict=True):
        wait_for(lambda s=shop, n=number: counted(s, n), f"users of {number} are counted", 60)
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
    assert failed(site)["covered"] <= 2
    assert both.until(numbers[1], "restored", 120)["cause"] == "harm"
    assert {"ended", "restoring", "restored"} <= set(kinds(both))
    users = site.users["both"]
    before = users.counts()
    assert set(before) <= {"200", "503"}  # by the proxy: never a closed door
    wait_for(lambda: users.counts() - before, "its users are answered", 10)
    assert set(users.counts() - before) == {"200"}
    assert both.ask("/release").text == "0"


def test_what_shows_late_or_seldom_is_found_or_its_margin_said(site):
    """A slow start and cold caches are forgiven; growing errors are not; one user's are said."""
    site.add("cold", per_s=30, warm_up="10s")
    site.add("creeping", per_s=30)
    site.add("fiftieth", per_s=30)
    site.open(60)
    cold, creeping, fiftieth = site["cold"], site["creeping"], site["fiftieth"]
    chilled = ship(cold, start_s=8, cold_s=5)
    creeps = ship(creeping, errors_grow=0.01)
    seldom = ship(fiftieth, errors_of_customer="7")
    settled = {"verified", "restored"}
    status = cold.until(chilled, settled)
    assert status["phase"] == "verified", status["sentence"]
    status = fiftieth.until(seldom, settled)
    if status["phase"] == "verified":
        assert "errors at most +5 points" in status["because"]
    else:
        assert (status["cause"], status["worse"]) == ("harm", "errors")
    status = wait_for(
        lambda: (s := creeping.change(creeps))["phase"] == "restored" and s,
        "what was verified before its errors came is taken back",
        300,
    )
    assert (status["cause"], status["worse"]) == ("harm", "errors")
