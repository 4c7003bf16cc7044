"""The ledger as server-sent events, read from a real socket."""

import json
from collections.abc import Iterator
from http.client import HTTPConnection, HTTPResponse
from typing import Protocol

import pytest
from recorded import Recorded, Served, served

from surefoot.api import stream


@pytest.fixture
def api() -> Iterator[Served]:
    with served(Recorded()) as address:
        manifest = '[service]\nname = "{}"\n'
        for name in ("shop", "till"):
            body = {"source": "/src", "manifest": manifest.format(name)}
            address.send("POST", "/v1/services", body)
        yield address


class Reader:
    """One reader of the stream."""

    def __init__(self, api: Served, path: str, token: str, headers: dict[str, str]) -> None:
        self.connection = HTTPConnection(*api.address, timeout=20)
        sent = {"Authorization": f"Bearer {token}", **headers} if token else headers
        self.connection.request("GET", path, headers=sent)
        self.response: HTTPResponse = self.connection.getresponse()

    def leave(self) -> None:
        self.response.close()
        self.connection.close()

    def line(self) -> str:
        return self.response.readline().decode().rstrip("\n")

    def entry(self) -> tuple[str, dict[str, object]]:
        """The next event: its id and its data."""
        number = ""
        while line := self.response.readline().decode():
            if line.startswith("id: "):
                number = line[4:].strip()
            elif line.startswith("data: "):
                return number, json.loads(line[6:])
        raise AssertionError("the stream ended")


class Read(Protocol):
    """Begins to read the stream."""

    def __call__(
        self, path: str, token: str = ..., headers: dict[str, str] | None = ...
    ) -> Reader: ...


@pytest.fixture
def read(api: Served) -> Iterator[Read]:
    """Readers that leave when the test ends."""
    readers: list[Reader] = []

    def begin(
        path: str, token: str = "secret-of-ann", headers: dict[str, str] | None = None
    ) -> Reader:
        readers.append(Reader(api, path, token, headers or {}))
        return readers[-1]

    yield begin
    for reader in readers:
        reader.leave()


def order(api: Served, service: str, because: str) -> None:
    api.send("POST", f"/v1/services/{service}/hold", {"because": because})


def test_the_ledger_is_streamed_from_its_start_and_as_it_grows(api: Served, read: Read) -> None:
    """First what there is, then each entry when it is written, numbered as in the ledger."""
    reader = read("/v1/events")
    assert reader.response.getheader("Content-Type", "").startswith("text/event-stream")
    assert [reader.entry()[0] for _ in range(2)] == ["1", "2"]
    order(api, "shop", "market day")
    number, entry = reader.entry()
    assert number == "3"
    assert (entry["seq"], entry["kind"], entry["service"]) == (3, "hold", "shop")


@pytest.mark.parametrize(
    ("path", "headers"),
    [
        ("/v1/events?after=1", {}),
        ("/v1/events", {"Last-Event-ID": "1"}),
        ("/v1/events?after=0", {"Last-Event-ID": "1"}),
    ],
)
def test_a_reader_goes_on_where_it_left(read: Read, path: str, headers: dict[str, str]) -> None:
    """`after` and `Last-Event-ID` skip what was seen; what a browser sends by itself wins."""
    assert read(path, headers=headers).entry()[0] == "2"


def test_a_reader_may_want_one_service_or_one_change(api: Served, read: Read) -> None:
    """Filtered entries keep the numbers of the whole ledger."""
    api.send("POST", "/v1/services/till/changes", {"revision": "a" * 40})
    assert read("/v1/events?service=till").entry()[0] == "2"
    assert read("/v1/events?change=1").entry()[0] == "3"


@pytest.mark.parametrize("value", ["x", "-1", str(2**60)])
def test_a_last_event_that_is_no_number_is_refused(api: Served, value: str) -> None:
    """It is answered with a problem, not with a stream."""
    status, _, _ = api.send("GET", "/v1/events", headers={"Last-Event-ID": value})
    assert status == 422


def test_a_quiet_stream_shows_that_it_lives(read: Read, monkeypatch: pytest.MonkeyPatch) -> None:
    """Comments come in between, so that nobody takes silence for an end."""
    monkeypatch.setattr(stream, "TOKEN_LOOK_S", 0.05)
    monkeypatch.setattr(stream, "HEARTBEAT_S", 0.1)
    reader = read("/v1/events?after=2")
    lines = [reader.line() for _ in range(5)]
    assert lines == [": the ledger follows", "", ": still here", "", ": still here"]


def test_a_closed_token_ends_its_streams(
    api: Served, read: Read, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nobody goes on reading with a token that was revoked: the stream comes to its end."""
    monkeypatch.setattr(stream, "TOKEN_LOOK_S", 0.05)
    reader = read("/v1/events?after=2", token="secret-of-bo")
    assert reader.line() == ": the ledger follows"
    api.send("DELETE", "/v1/tokens/2")
    reader.response.read()  # returns when the other side has ended the stream, or times out
    assert reader.response.isclosed()


def test_a_closed_sign_in_ends_its_streams(
    api: Served, read: Read, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A browser that was signed in reads with its cookie, and no longer than it is signed in."""
    monkeypatch.setattr(stream, "TOKEN_LOOK_S", 0.05)
    code = api.send("POST", "/v1/sign-ins", {})[1]["code"]
    _, _, answer = api.send("GET", f"/sign-in?code={code}", token=None)
    cookie = (answer.getheader("Set-Cookie") or "").partition(";")[0]
    reader = read("/v1/events?after=3", token="", headers={"Cookie": cookie})
    assert reader.line() == ": the ledger follows"
    api.send("DELETE", "/v1/tokens/100")
    reader.response.read()  # returns when the other side has ended the stream, or times out
    assert reader.response.isclosed()


def test_a_reader_that_leaves_holds_nothing_up(api: Served, read: Read) -> None:
    """When a reader is gone in the middle, the next one is served as ever."""
    reader = read("/v1/events")
    reader.entry()
    reader.leave()
    order(api, "shop", "market day")
    assert read("/v1/events?after=2").entry()[0] == "3"
