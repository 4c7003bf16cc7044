"""Orders on the host itself: giving back without a daemon, and stopping with and without users."""

import contextlib
import http.client
import signal
import socket
import time

from world import wait_for


def release(shop):
    """Which release answers users, or None when nobody does."""
    connection = http.client.HTTPConnection("127.0.0.1", shop.port, timeout=5)
    with contextlib.suppress(OSError), contextlib.closing(connection):
        connection.request("GET", "/release")
        return connection.getresponse().read().decode()
    return None


def test_give_back_works_while_the_daemon_is_frozen(own_world, load):
    """Users are back at once; a daemon that wakes up finds the change fenced and restores it."""
    shop = own_world.service("frozen")
    another = own_world.service("another")
    users, number = shop.roll_out(load)
    own_world.daemon.send_signal(signal.SIGSTOP)
    try:
        began = time.monotonic()
        said = own_world.cli("give-back", "frozen", "--because", "it is frozen")
        assert time.monotonic() - began < 5
        assert said.returncode == 0, said.stderr
        assert f"no user meets {number} any more, and all users are on release 0." in said.stdout
        assert {release(shop) for _ in range(100)} == {"0"}
        again = own_world.cli("give-back", "frozen")
        assert "Nothing of frozen is exposed" in again.stdout
        # Where nothing is exposed: a frozen daemon reads the order, too late, when it wakes up.
        hint = own_world.cli("undo", folder=another.folder)
        assert hint.returncode == 50
        assert "surefoot give-back another" in hint.stderr
    finally:
        own_world.daemon.send_signal(signal.SIGCONT)
    status = shop.until(number, "restored", 60)
    assert status["cause"] == "unwatched"
    assert set(users.end()) == {"200"}


def test_down_leaves_users_served_and_down_all_does_not(own_world):
    """Plain `down` ends the daemon alone; `--all` ends all, and `up` brings the service back."""
    shop = own_world.service("stopped")
    shop.adopt()
    said = own_world.cli("down")
    assert said.returncode == 0, said.stderr
    assert "stopped stays served by release 0." in said.stdout
    own_world.daemon.wait()
    assert release(shop) == "0"
    own_world.up()
    refused = own_world.cli("down", "--all")
    assert refused.returncode == 30
    assert f"requests/s on 127.0.0.1:{shop.port}" in refused.stderr
    assert release(shop) == "0"
    said = own_world.cli("down", "--all", "--yes")
    assert said.returncode == 0, said.stderr
    assert "stopped is taken off the air" in said.stdout
    own_world.daemon.wait()
    marker = str(own_world.home).encode()
    assert [pid for pid in own_world.pids() if marker in own_world._facts(pid)] == []
    with contextlib.closing(socket.socket()) as users:
        assert users.connect_ex(("127.0.0.1", shop.port)) != 0
    own_world.up()
    wait_for(lambda: release(shop) == "0", "it is served again", 60)
