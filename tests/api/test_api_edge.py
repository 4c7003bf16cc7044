"""What the edge refuses before anything is read: size, type, other sites, what does not fit."""

import socket
from collections.abc import Iterable

import pytest
from recorded import Recorded, Served

from surefoot.api.edge import LARGEST_BODY


def raw(api: Served, sent: bytes, pieces: Iterable[bytes] = ()) -> tuple[bytes, int]:
    """Speak HTTP by hand; returns the answer and how many bytes of the pieces went out before."""
    with socket.create_connection(api.address, timeout=20) as line:
        line.sendall(sent)
        line.setblocking(False)
        out = 0
        for piece in pieces:
            line.setblocking(True)
            try:
                line.sendall(piece)
            except OSError:  # the other side has answered and closed
                break
            out += len(piece)
            line.setblocking(False)
            try:
                if line.recv(1, socket.MSG_PEEK):
                    break
            except BlockingIOError:
                continue
        line.settimeout(20)
        answer = b""
        while not answer.endswith(b"}"):
            answer += line.recv(65_536)
        return answer, out


HEAD = (
    b"POST /v1/services HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer secret-of-ann\r\n"
    b"Content-Type: application/json\r\n"
)


def test_a_large_body_is_refused_before_it_is_sent(control: Recorded, api: Served) -> None:
    """The length alone is enough: the answer comes while no byte of the body has been sent."""
    answer, _ = raw(api, HEAD + b"Content-Length: %d\r\n\r\n" % (LARGEST_BODY + 1))
    assert answer.startswith(b"HTTP/1.1 413 ")
    assert b"connection: close" in answer.lower()
    assert control.orders == []


def test_a_body_in_pieces_is_refused_where_it_gets_too_large(
    control: Recorded, api: Served
) -> None:
    """A body without a length ends soon behind the limit, not at its own end of 64 MB."""
    chunk = b"10000\r\n" + b" " * 0x10000 + b"\r\n"
    answer, out = raw(api, HEAD + b"Transfer-Encoding: chunked\r\n\r\n", [chunk] * 1_000)
    assert answer.startswith(b"HTTP/1.1 413 ")
    assert out < 32 * LARGEST_BODY
    assert control.orders == []


def test_without_a_token_no_body_is_waited_for(api: Served) -> None:
    """A stranger is refused by the head of the request, however much is announced."""
    head = HEAD.replace(b"secret-of-ann", b"nothing")
    answer, _ = raw(api, head + b"Content-Length: 900000\r\n\r\n")
    assert answer.startswith(b"HTTP/1.1 401 ")


@pytest.mark.parametrize("method", ["POST", "DELETE", "GET"])
@pytest.mark.parametrize("site", ["cross-site", "same-site", "anything"])
def test_a_page_of_another_site_is_refused(
    control: Recorded, api: Served, method: str, site: str
) -> None:
    """A browser's word on where a request comes from is heeded, sibling subdomains included."""
    path = "/v1/tokens/2" if method == "DELETE" else "/v1/services"
    status, problem, _ = api.send(method, path, {}, headers={"Sec-Fetch-Site": site})
    assert (status, problem["status"]) == (403, 403)
    assert 2 in control.keys


@pytest.mark.parametrize("origin", ["http://evil.example", "null", "http://127.0.0.1"])
def test_an_old_browser_is_known_by_its_origin(api: Served, origin: str) -> None:
    """Without the newer header the Origin must be this very address, port included."""
    assert api.send("GET", "/v1/services", headers={"Origin": origin})[0] == 403


def test_our_own_pages_are_let_through(api: Served) -> None:
    """The same origin passes by either header, and so does an address typed by hand."""
    host, port = api.address
    for headers in (
        {"Sec-Fetch-Site": "same-origin", "Origin": f"http://{host}:{port}"},
        {"Sec-Fetch-Site": "none"},
        {"Origin": f"http://{host}:{port}"},
    ):
        assert api.send("GET", "/v1/services", headers=headers)[0] == 200


@pytest.mark.parametrize(
    "media", ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data", ""]
)
def test_a_plain_form_cannot_write(control: Recorded, api: Served, media: str) -> None:
    """A write says that it is JSON; what any page can send without asking is refused."""
    status, _, _ = api.send("POST", "/v1/down", b"{}", headers={"Content-Type": media})
    assert status == 415
    assert control.orders == []


@pytest.mark.parametrize(
    ("body", "status", "told"),
    [
        (b'{"source": ', 400, "not JSON"),
        (b'{"source": "\xff"}', 400, "not JSON"),
        (b"[]", 422, "object"),
        ({"source": 7, "manifest": ""}, 422, "$.source"),
        ({"source": "x"}, 422, "manifest"),
        ({"source": "x", "manifest": "", "hook": "rm"}, 422, "hook"),
        ({"source": " ", "manifest": ""}, 422, "$.source"),
    ],
)
def test_what_does_not_fit_is_refused_with_its_place(
    control: Recorded, api: Served, body: object, status: int, told: str
) -> None:
    """Malformed JSON, wrong types, missing and unknown keys never reach the control plane."""
    given, problem, _ = api.send("POST", "/v1/services", body)
    assert (given, problem["status"]) == (status, status)
    assert told in problem["detail"]
    assert control.orders == []


@pytest.mark.parametrize("query", ["limit=0", "limit=many", "limit=100000", "sinse=3", "since=x"])
def test_a_query_that_does_not_fit_is_refused(api: Served, query: str) -> None:
    """Query parameters are validated like bodies."""
    assert api.send("GET", f"/v1/changes?{query}")[0] == 422


def test_a_number_beyond_all_numbers_is_not_there(api: Served) -> None:
    """A change number that no store could hold is simply not found."""
    assert api.send("GET", f"/v1/changes/{10**30}")[0] == 404


@pytest.mark.parametrize("because", ["", "  "])
def test_a_reason_is_a_reason(api: Served, because: str) -> None:
    """An order that wants a reason does not take a blank one."""
    assert api.send("POST", "/v1/changes/1/accept", {"because": because})[0] == 422
