"""The API's door: nobody without a token, nothing that is too large or too long."""

import http.client
import socket
from collections.abc import Iterator

import pytest
from hostile import WORDS, steering
from hypothesis import given, settings
from hypothesis import strategies as st
from recorded import Recorded, Served, served

from surefoot.api.edge import LARGEST_BODY
from surefoot.api.routes import ROUTES
from surefoot.domain.errors import OutsideFailed

ORDER = (
    b"POST /v1/services/shop/hold HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
    b"Authorization: Bearer %s\r\n"
)
ANN = b"secret-of-ann"
PATHS = sorted(
    {route.path.replace("{name}", "shop").replace("{number:int}", "1") for route in ROUTES}
)


@pytest.fixture
def control() -> Recorded:
    return Recorded()


@pytest.fixture
def api(control: Recorded) -> Iterator[Served]:
    with served(control) as address:
        yield address


def say(api: Served, sent: bytes, patience_s: float = 20.0) -> bytes:
    """Speak HTTP by hand; returns all that is answered until the other side is done."""
    with socket.create_connection(api.address, timeout=patience_s) as line:
        line.sendall(sent)
        heard = b""
        try:
            while piece := line.recv(65_536):
                heard += piece
                if heard.endswith(b"}"):
                    break
        except TimeoutError:
            pass
        return heard


# --- nobody without a token --------------------------------------------------------------------


@pytest.mark.parametrize("method", ["GET", "HEAD", "OPTIONS", "TRACE", "PUT", "PATCH", "PROPFIND"])
@pytest.mark.parametrize("path", PATHS)
def test_no_method_gets_by_without_a_token(
    control: Recorded, api: Served, method: str, path: str
) -> None:
    """Whatever the method, a route of the table says 401 and nothing of what it is."""
    line = http.client.HTTPConnection(*api.address, timeout=20)
    line.request(method, path)
    answer = line.getresponse()
    assert answer.status == 401
    assert answer.getheader("Allow") is None
    line.close()
    assert control.orders == []


@pytest.mark.parametrize(
    "path",
    [
        *("//v1/health", "/v1//health", "/v1/./health", "/v1/x/../health", "/v1/health/"),
        *("/v1/health;x", "/v1/health%00", "/V1/HEALTH", "/%76%31/health", "/v1/health?token=x"),
        *("/v1/services/..%2f..%2ftokens", "/v1/openapi.json/..", "*", "http://x/v1/health"),
    ],
)
def test_no_way_of_writing_a_path_gets_by_without_a_token(api: Served, path: str) -> None:
    """Dot segments, doubled slashes, escapes and other spellings are refused like any place."""
    heard = say(api, b"GET %s HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n" % path.encode())
    assert heard.startswith(b"HTTP/1.1 401 ")


@pytest.mark.parametrize(
    "value",
    [
        b"Bearer",
        b"Bearer \t ",
        b"Bearer nothing",
        b"bearer: secret-of-ann",
        b"Bearersecret-of-ann",
        b"Bearer secret-of-ann2",
        b"Bearer secret-of-an",
        b"Bearer SECRET-OF-ANN",
        b"Bearer secret-of-ann, Bearer secret-of-bo",
        b"Basic c2VjcmV0LW9mLWFubjo=",
        b"Token secret-of-ann",
        b"Bearer %00",
        b"Bearer \xff\xfe\xe2\x80\xae",
        b"Bearer " + b"x" * 60_000,
    ],
)
def test_a_malformed_authorization_opens_nothing(api: Served, value: bytes) -> None:
    """Only a whole token behind the word Bearer is one; all else is 401, and nothing is echoed."""
    heard = say(api, b"GET /v1/whoami HTTP/1.1\r\nHost: x\r\nAuthorization: %s\r\n\r\n" % value)
    assert heard.startswith(b"HTTP/1.1 401 ")
    assert b"ann" not in heard.lower()


def test_a_token_in_any_other_place_is_none(api: Served) -> None:
    """Neither a query, a cookie, nor a header of a proxy stands for a person."""
    heads = (b"Cookie: token=secret-of-ann", b"X-Forwarded-User: Ann", b"Proxy-Authorization: x")
    for head in heads:
        asked = b"GET /v1/whoami?token=secret-of-ann HTTP/1.1\r\nHost: x\r\n%s\r\n\r\n" % head
        assert say(api, asked).startswith(b"HTTP/1.1 401 ")


def test_a_key_that_cannot_be_looked_up_opens_nothing_and_tells_nothing() -> None:
    """When the store does not answer, a stranger learns neither its place nor its trouble."""

    class Locked(Recorded):
        async def who(self, _secret: str, **_how: bool) -> None:
            raise OutsideFailed("The store /home/mallory/ledger.db is locked.")

    with served(Locked()) as api:
        status, problem, _ = api.send("GET", "/v1/whoami", token="anything")
    assert status == 503
    assert "mallory" not in str(problem)
    assert "store" not in str(problem)


# --- nothing too large, nothing too long -------------------------------------------------------


def test_a_stranger_is_never_told_to_go_on(api: Served) -> None:
    """`Expect: 100-continue` is answered by the refusal itself: no byte of a body is asked for."""
    for key, length, status in ((b"no", 10, b"401"), (ANN, LARGEST_BODY + 1, b"413")):
        expects = b"Expect: 100-continue\r\nContent-Length: %d\r\n\r\n" % length
        heard = say(api, ORDER % key + expects)
        assert heard.startswith(b"HTTP/1.1 %s " % status)
        assert b"100 Continue" not in heard


def test_two_lengths_or_a_nonsensical_one_are_refused(control: Recorded, api: Served) -> None:
    """A request that two programs could read as two different ones is read as none."""
    for lengths in (
        b"Content-Length: 4\r\nContent-Length: 5\r\n",
        b"Content-Length: -1\r\n",
        b"Content-Length: 1e3\r\n",
        b"Content-Length: 4\r\nTransfer-Encoding: chunked, identity\r\n",
    ):
        heard = say(api, ORDER % ANN + lengths + b"\r\nabcd")
        assert heard.split(b" ")[1] in {b"400", b"413", b"501"}
    assert control.orders == []


def test_what_follows_a_refused_body_is_no_request(control: Recorded, api: Served) -> None:
    """The connection ends with the refusal: a hidden second request is never carried out."""
    inner = ORDER % ANN + b"Content-Length: 17\r\n\r\n" + b'{"because": "me"}'
    heard = say(api, ORDER % ANN + b"Content-Length: %d\r\n\r\n" % (LARGEST_BODY + 1) + inner)
    assert heard.count(b"HTTP/1.1 ") == 1
    assert control.orders == []


@pytest.mark.parametrize(
    ("path", "headers"),
    [
        (f"/v1/changes/{'9' * 5_000}", {}),
        (f"/v1/tokens/{'9' * 5_000}", {}),
        (f"/v1/services/{'x' * 20_000}", {}),
        ("/v1/events", {"Last-Event-ID": "9" * 5_000}),
        (f"/v1/ledger?after={'9' * 5_000}", {}),
        (f"/v1/changes?limit={'9' * 5_000}", {}),
    ],
)
def test_no_length_is_a_mistake_of_ours(api: Served, path: str, headers: dict[str, str]) -> None:
    """A number of thousands of digits, which Python itself does not read, is refused as such."""
    assert 400 <= api.send("GET", path, headers=headers)[0] < 500


@given(st.sampled_from(WORDS), st.sampled_from(["because", "why", "question", "source", "name"]))
@settings(max_examples=40, deadline=None)
def test_hostile_words_come_back_escaped_or_are_refused(word: str, key: str) -> None:
    """An answer is JSON with each control character escaped, whatever was sent and whoever asks."""
    path, body = {
        "because": ("/v1/services/shop/hold", {"because": word}),
        "why": ("/v1/services/shop/changes", {"revision": word[:200], "why": word}),
        "question": ("/v1/changes/1/ask", {"question": word}),
        "source": ("/v1/services", {"source": word, "manifest": f'name = "{word}"'}),
        "name": ("/v1/tokens", {"name": word, "email": "a@example.org"}),
    }[key]
    status, answer, response = SHARED.send("POST", path, body)
    assert status < 500
    assert "json" in (response.getheader("Content-Type") or "")
    assert all(steering(value) == [] for value in response.headers.values())
    if key == "name" and status < 300:
        assert steering(answer["token"]["person"]["name"]) == []


@pytest.mark.parametrize(
    ("name", "email"),
    [
        ("Ann\n", "a@example.org"),
        ("Ann", "a@example.org\n"),
        ("\u202ennA", "a@example.org"),
        ("Ann\x9b", "a@example.org"),
        ("Ann", "a\u2066@example.org"),
    ],
)
def test_a_name_beside_an_approval_reads_as_it_is(api: Served, name: str, email: str) -> None:
    """A person's name and address hold no line break and nothing that turns reading around."""
    assert api.send("POST", "/v1/tokens", {"name": name, "email": email})[0] == 422


@pytest.fixture(scope="module", autouse=True)
def _shared() -> Iterator[None]:
    global SHARED  # noqa: PLW0603 -- one server for all examples of a property
    with served(Recorded()) as address:
        address.send("POST", "/v1/services", {"source": "x", "manifest": 'name = "shop"'})
        address.send("POST", "/v1/services/shop/changes", {"revision": "a" * 40})
        SHARED = address
        yield


SHARED: Served
