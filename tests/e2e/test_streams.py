"""Long answers, streams, sockets and uploads: what survives a rollout and an undo, what is cut.

On the old release nothing is ever cut. What an undone release still has after `undo_drain` (5 s)
ends with it; a request that is safe to repeat and had no answer yet is answered by the old one.
"""

import http.client
import itertools
import json
import socket
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass

import pytest
from world import BO, Site, wait_for

pytestmark = pytest.mark.timeout(600)

DRAIN_S = 5.0
STOP_S = 2.0
MEGABYTE = bytes(1 << 20)
NEW = {"/events?60", "/slow?15", "/upload"}


@pytest.fixture(scope="module")
def site():
    """A service without other users, and one whose change climbs to its end meanwhile."""
    made = Site()
    try:
        made.world.up()
        made.add("streams", extra_check='[traffic]\nsticky = "header:X-User"')
        made.add("climbing", per_s=60)
        made.open(60)
        yield made
    finally:
        made.end()


@pytest.fixture(scope="module")
def climbing(site):
    """A socket and a stream on the old release of `climbing`, whose change is on its way.

    Began here, so that it climbs while the other test has its own time.
    """
    shop = site["climbing"]
    with open_socket(shop, "any") as old, Events(shop) as events:
        wait_for(lambda: events.last_at, "the stream flows", 10)
        shop.commit("harmless", seconds=0.004)
        yield shop, shop.ship(), old, events


class Events:
    """A stream of 200 s, and when its last event came; nobody listens after the `with`."""

    def __init__(self, shop):
        self.last_at = None
        self._connection = http.client.HTTPConnection("127.0.0.1", shop.port, timeout=20)
        self._enough = threading.Event()
        self._thread = threading.Thread(target=self._listen)

    def _listen(self):
        self._connection.request("GET", "/events?200")
        answer = self._connection.getresponse()
        while not self._enough.is_set() and answer.readline():
            self.last_at = time.monotonic()
        self._connection.close()

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *_):
        self._enough.set()
        self._thread.join()


def open_socket(shop, user):
    """A WebSocket, after its handshake."""
    client = socket.create_connection(("127.0.0.1", shop.port), timeout=20)
    client.sendall(
        b"GET /socket HTTP/1.1\r\nHost: shop.example\r\nConnection: Upgrade\r\n"
        b"Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
        b"Sec-WebSocket-Key: c3VyZWZvb3QtLXN1cmVmb28=\r\n" + f"X-User: {user}\r\n\r\n".encode()
    )
    assert client.recv(1000).startswith(b"HTTP/1.1 101 ")
    return client


def said_by(client):
    """The release at the other end of a WebSocket; None when it was cut."""
    try:
        client.sendall(b"who is there\n")
        return client.recv(1000).decode().partition(":")[0] or None
    except OSError:
        return None


@dataclass
class Got:
    """What a user got in the end: None is a connection that was cut."""

    status: int | None
    text: str
    ended_at: float


def get(shop, user, path):
    """A request to its end, whatever that is."""
    try:
        answer = shop.ask(path, {"X-User": user})
        return Got(answer.status, answer.text, time.monotonic())
    except http.client.IncompleteRead as error:
        return Got(None, error.partial.decode(), time.monotonic())
    except OSError:
        return Got(None, "", time.monotonic())


def upload(shop, user, megabytes, pause_s):
    """Send a large body at an even pace; what is answered, also when the sending is cut."""
    connection = http.client.HTTPConnection("127.0.0.1", shop.port, timeout=30)
    connection.putrequest("POST", "/upload")
    connection.putheader("X-User", user)
    connection.putheader("Content-Length", str(megabytes * len(MEGABYTE)))
    connection.endheaders()
    try:
        for _ in range(megabytes):
            connection.send(MEGABYTE)
            time.sleep(pause_s)
        answer = connection.getresponse()
        return Got(answer.status, answer.read().decode(), time.monotonic())
    except (OSError, http.client.HTTPException):
        return Got(None, "", time.monotonic())
    finally:
        connection.close()


def begun(shop, release):
    """The requests that a release was asked, also those without an answer yet."""
    (port,) = shop.ports(release)
    return set(json.loads(shop.ask("/begun", port=port).text))


def open_all(pool, shop, user, slow_s):
    """An event stream of 60 s, an answer that takes its time, and an upload of 200 MB over 30 s."""
    return {
        "events": pool.submit(get, shop, user, "/events?60"),
        "slow": pool.submit(get, shop, user, f"/slow?{slow_s}"),
        "upload": pool.submit(upload, shop, user, 200, 0.15),
    }


def user_of(shop, release):
    """A user whose requests meet this release."""
    users = (f"user {n}" for n in itertools.count())
    return next(one for one in users if shop.ask("/release", {"X-User": one}).text == str(release))


@pytest.mark.usefixtures("climbing")
def test_an_undo_cuts_nothing_on_the_old_release_and_drains_the_undone_one(site):
    """Event streams, sockets, long answers and large uploads of both, through one undo."""
    shop = site["streams"]
    with ThreadPoolExecutor(8) as pool, ExitStack() as sockets:
        old_socket = sockets.enter_context(open_socket(shop, "user 0"))
        old = open_all(pool, shop, "user 0", 40)
        shop.commit("one", seconds=0.004)
        number = shop.ship()
        shop.until(number, "rolling_out", 60)
        user = user_of(shop, number)
        new_socket = sockets.enter_context(open_socket(shop, user))
        new = open_all(pool, shop, user, 15)
        assert said_by(new_socket) == str(number)
        wait_for(lambda: begun(shop, number) >= NEW, "the new release has all three", 10)
        ordered_at = time.monotonic()
        site.world.post(f"/v1/changes/{number}/undo", {"because": "seen"}, BO)
        assert shop.ask("/release", {"X-User": user}).text == "0"
        time.sleep(DRAIN_S - 2)
        assert said_by(new_socket) == str(number)
        status = shop.until(number, "restored", 60)
        assert status["times"]["undo_s"] < 1
        cut = {name: one.result() for name, one in new.items()}
        assert said_by(new_socket) is None
        assert (cut["slow"].status, cut["slow"].text) == (200, "yes")
        assert "data: end" not in cut["events"].text
        assert cut["upload"].status in {None, 503}
        for name in ("events", "upload"):
            assert DRAIN_S - 1 < cut[name].ended_at - ordered_at < DRAIN_S + STOP_S + 4, name
        whole = {name: one.result() for name, one in old.items()}
        assert said_by(old_socket) == "0"
    assert whole["events"].text.endswith("data: end\n\n")
    assert (whole["slow"].status, whole["slow"].text) == (200, "yes")
    assert (whole["upload"].status, whole["upload"].text) == (200, str(200 * len(MEGABYTE)))


def test_what_is_open_on_the_old_release_lives_through_a_whole_rollout(climbing):
    """Through each share and after *verified* the old release is warm, and nothing is cut."""
    shop, number, old, events = climbing
    shop.until(number, "verified")
    wait_for(lambda: shop.ask("/release").text == str(number), "it takes all users", 10)
    after = time.monotonic() + 2
    wait_for(lambda: events.last_at > after, "the stream flows on", 5)
    assert said_by(old) == "0"
