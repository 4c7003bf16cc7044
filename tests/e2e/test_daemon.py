"""The daemon is killed: users are unaffected, nothing is lost, nobody stays exposed unwatched."""

import http.client

import pytest
from world import wait_for

pytestmark = pytest.mark.timeout(900)


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
    users, number = shop.roll_out(load)
    assert releases_met(shop, 200) == {"0", str(number)}
    own_world.kill()
    wait_for(lambda: releases_met(shop) == {"0"}, "all users are back on the old release", 15)
    assert set(users.counts()) == {"200"}
    own_world.up()
    status = shop.until(number, "restored", 60)
    assert status["cause"] == "unwatched"
    assert set(users.end()) == {"200"}
