"""The demo's shop: real processes of its real revisions, asked over HTTP."""

import asyncio
import contextlib
import http.client
import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from surefoot.demo.repository import DISCOUNT_CODES, GIFT_WRAP, Repository
from surefoot.demo.shop.app import BackendError, Shop
from surefoot.demo.shop.server import Request

PLAIN = {"items": ["tea", "mug"]}
WITH_CODE = {"items": ["mug"], "code": "SPRING"}


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        return int(listening.getsockname()[1])


@contextlib.contextmanager
def serving(folder: Path) -> Iterator[http.client.HTTPConnection]:
    port = free_port()
    shop = subprocess.Popen(
        [sys.executable, "-m", "shop"], cwd=folder, env={**os.environ, "PORT": str(port)}
    )
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    try:
        deadline = time.monotonic() + 20
        while True:
            try:
                connection.connect()
                break
            except ConnectionRefusedError:
                assert time.monotonic() < deadline, "the shop never listened"
                time.sleep(0.02)
        yield connection
    finally:
        connection.close()
        shop.send_signal(signal.SIGTERM)
        assert shop.wait(10) == 0


def ask(connection: http.client.HTTPConnection, path: str, order: object = None) -> tuple[int, str]:
    body = None if order is None else json.dumps(order)
    connection.request("GET" if body is None else "POST", path, body)
    answer = connection.getresponse()
    return answer.status, answer.read().decode()


def counted(connection: http.client.HTTPConnection, series: str) -> int:
    page = ask(connection, "/metrics")[1]
    found = re.search(rf"^{re.escape(series)} (\d+)$", page, re.MULTILINE)
    assert found, page
    return int(found[1])


@pytest.fixture
def repository(tmp_path: Path) -> Repository:
    made = Repository(tmp_path / "shop")
    made.begin(port=8080)
    return made


def test_it_serves_and_counts_what_it_served(repository: Repository) -> None:
    """Every page answers on one kept connection, and each checkout is counted once by its end."""
    with serving(repository.folder) as connection:
        assert ask(connection, "/healthz") == (200, "well")
        assert ask(connection, "/nowhere")[0] == 404
        statuses = [ask(connection, "/checkout", PLAIN)[0] for _ in range(60)]
        assert set(statuses) <= {200, 500}
        assert counted(connection, 'checkout_total{outcome="ok"}') == statuses.count(200)
        assert counted(connection, 'checkout_total{outcome="error"}') == statuses.count(500)
        assert counted(connection, "checkout_seconds_count") == statuses.count(200)


async def test_about_one_request_in_a_hundred_fails() -> None:
    """The shop has errors of its own, as real services do, and they are few."""
    shop = Shop()
    asked = (shop.answer(Request("GET", "/", b"")) for _ in range(1000))
    failed = [
        end
        for end in await asyncio.gather(*asked, return_exceptions=True)
        if isinstance(end, BackendError)
    ]
    assert 3 <= len(failed) <= 25


def test_requests_sent_together_are_answered_in_order(repository: Repository) -> None:
    """A client may send the next request before the answer to the last."""
    with serving(repository.folder) as connection:
        connection.sock.sendall(
            b"GET /healthz HTTP/1.1\r\nhost: s\r\n\r\nGET /nowhere HTTP/1.1\r\nhost: s\r\n\r\n"
        )
        said = b""
        while said.count(b"HTTP/1.1") < 2 or not said.endswith(b"}"):
            said += connection.sock.recv(4096)
        assert said.index(b"200 OK") < said.index(b"404 Not Found")


def test_gift_wrap_is_counted_from_its_change_on(repository: Repository) -> None:
    """The first change brings the counter that its expectation looks at, at zero."""
    repository.add(GIFT_WRAP)
    with serving(repository.folder) as connection:
        assert counted(connection, 'gift_wrap_total{outcome="ok"}') == 0
        answers = [ask(connection, "/checkout", {**PLAIN, "gift_wrap": True}) for _ in range(20)]
        wrapped = sum(status == 200 for status, _ in answers)
        assert counted(connection, 'gift_wrap_total{outcome="ok"}') == wrapped > 0


def test_the_harmful_change_breaks_checkouts_with_a_code_and_no_others(
    repository: Repository,
) -> None:
    """Whoever pays with a code gets 500, counted as an error; everybody else is served."""
    repository.add(GIFT_WRAP)
    repository.add(DISCOUNT_CODES)
    with serving(repository.folder) as connection:
        assert {ask(connection, "/checkout", WITH_CODE)[0] for _ in range(20)} == {500}
        assert counted(connection, 'checkout_total{outcome="error"}') == 20
        statuses = [ask(connection, "/checkout", PLAIN)[0] for _ in range(40)]
        assert statuses.count(200) > 30
