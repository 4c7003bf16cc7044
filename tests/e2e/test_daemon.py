"""The daemon is killed: users are unaffected, nothing is lost, nobody stays exposed unwatched."""

import http.client
import json
import socket

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


def port_of(world):
    """Where its daemon says that it answers."""
    address = json.loads((world.home / "daemon.json").read_text())["address"]
    return int(address.rpartition(":")[2])


def asked_by_browser(port, cookie):
    """What a browser with this cookie is answered."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    connection.request("GET", "/v1/whoami", headers={"Cookie": cookie})
    answer = connection.getresponse()
    answer.read()
    connection.close()
    return answer.status


def test_a_page_that_stands_open_finds_the_daemon_again(own_world):
    """After a kill, and after an orderly end: the same port, and its reader is still signed in."""
    port = port_of(own_world)
    code = own_world.post("/v1/sign-ins", {})["code"]
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    connection.request("GET", f"/sign-in?code={code}")
    answer = connection.getresponse()
    cookie = answer.getheader("Set-Cookie").partition(";")[0]
    answer.read()  # the connection stays open, as a page's would
    for end in (own_world.kill, lambda: own_world.cli("down")):
        end()
        own_world.daemon.wait()
        own_world.up()
        assert port_of(own_world) == port
        assert asked_by_browser(port, cookie) == 200
    connection.close()
    own_world.kill()
    with socket.create_server(("127.0.0.1", port)):
        own_world.up()
        assert port_of(own_world) != port, "somebody else has it now"
        assert asked_by_browser(port_of(own_world), cookie) == 200


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
