"""Who opens connections and says nothing keeps nobody out, and no place for long."""

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import uvicorn
from recorded import Recorded, Served

from surefoot.adapters import door
from surefoot.adapters.door import Door
from surefoot.api.app import create_app


@contextmanager
def behind_the_door(control: Recorded) -> Iterator[Served]:
    """The API as the daemon serves it, by its own door."""
    listening = socket.create_server(("127.0.0.1", 0), backlog=2_048)
    config = uvicorn.Config(create_app(control), http=Door, log_level="critical", lifespan="off")
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]}, daemon=True)
    thread.start()
    try:
        yield Served(listening.getsockname())
    finally:
        server.should_exit = True
        thread.join(timeout=20)
        listening.close()


def ended(line: socket.socket) -> bool:
    """Whether the other side has closed a connection."""
    line.setblocking(False)
    try:
        return line.recv(1) == b""
    except BlockingIOError:
        return False
    except ConnectionResetError:
        return True


def test_the_silent_make_room_and_never_keep_anybody_out() -> None:
    """Beside 300 connections that dribble, every order is answered; the oldest are shown out."""
    with behind_the_door(Recorded()) as api:
        dribbling = []
        for _ in range(door.MOST_SILENT + 100):
            dribbling.append(socket.create_connection(api.address, timeout=20))
            dribbling[-1].sendall(b"GET /v1/health HTTP/1.1\r\nHost: x\r\nX-Slow: ")
        took = []
        for _ in range(20):
            began = time.monotonic()
            assert api.send("GET", "/v1/health")[0] == 200
            took.append(time.monotonic() - began)
        deadline = time.monotonic() + 20
        while sum(map(ended, dribbling)) < 100 and time.monotonic() < deadline:
            time.sleep(0.05)
        out = [ended(line) for line in dribbling]
        assert sum(out) >= 100
        assert not out[-1], "the newest may still have something to say"
        assert sorted(took)[10] < 2.0
        for line in dribbling:
            line.close()


def test_who_says_nothing_is_shown_out_in_time() -> None:
    """A connection without a whole request's head ends after ten seconds, dribbling or not."""
    with behind_the_door(Recorded()) as api:
        line = socket.create_connection(api.address, timeout=20)
        began = time.monotonic()
        out = False
        while not out and time.monotonic() - began < door.SILENT_S + 15:
            try:
                line.setblocking(True)
                line.sendall(b"x")
            except OSError:
                out = True
            out = out or ended(line)
            time.sleep(0.2)
        assert out
        assert time.monotonic() - began > door.SILENT_S - 1
        line.close()
