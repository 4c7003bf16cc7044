"""In and out by a browser: links, cookies, and what the pages of the doorstep hold."""

import re
from http.cookies import Morsel, SimpleCookie

import pytest
from recorded import Recorded, Served

from surefoot.api.app import create_app
from surefoot.api.session import SessionCookie

POLICY = (
    "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self'; "
    "connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)


def code(api: Served, kind: str = "browser") -> str:
    status, told, _ = api.send("POST", "/v1/sign-ins", {"kind": kind})
    assert status == 201
    return str(told["code"])


def cookie_of(api: Served, query: str, headers: dict[str, str] | None = None) -> Morsel[str]:
    """Follow a link; returns the cookie that it gives."""
    status, _, answer = api.send("GET", f"/sign-in?{query}", token=None, headers=headers)
    assert status == 303
    (cookie,) = SimpleCookie(answer.getheader("Set-Cookie")).values()
    return cookie


def signed_in(api: Served) -> dict[str, str]:
    """The headers of a browser that is signed in, on our own page."""
    cookie = cookie_of(api, f"code={code(api)}")
    return {"Cookie": f"{cookie.key}={cookie.value}", "Sec-Fetch-Site": "same-origin"}


FORM = {"Content-Type": "application/x-www-form-urlencoded"}


def test_a_link_gives_a_cookie_that_opens(api: Served) -> None:
    """It is for HTTP alone, for this site, for seven days; the next link is another cookie."""
    cookie = cookie_of(api, f"code={code(api)}")
    assert (cookie["path"], cookie["max-age"], cookie["domain"]) == ("/", str(7 * 86_400), "")
    assert cookie["httponly"]
    assert cookie["samesite"] == "lax"
    assert not cookie["secure"]
    headers = {"Cookie": f"{cookie.key}={cookie.value}"}
    status, person, _ = api.send("GET", "/v1/whoami", token=None, headers=headers)
    assert (status, person["name"]) == (200, "Ann Example")
    assert cookie_of(api, f"code={code(api)}").value != cookie.value


def test_behind_a_proxy_with_tls_the_cookie_keeps_to_it(api: Served) -> None:
    """A proxy on loopback says that the request came by https: the cookie never goes without."""
    https = {"X-Forwarded-Proto": "https"}
    cookie = cookie_of(api, f"code={code(api)}", https)
    assert cookie["secure"]
    assert cookie.key.startswith("__Host-surefoot-")
    headers = {"Cookie": f"{cookie.key}={cookie.value}"}
    assert api.send("GET", "/v1/whoami", token=None, headers=headers | https)[0] == 200
    assert api.send("GET", "/v1/whoami", token=None, headers=headers)[0] == 401


def test_each_installation_has_a_cookie_of_its_own() -> None:
    """Another home, or another host behind the same name, signs nobody out of this one."""
    places = (("/a", "x"), ("/b", "x"), ("/a", "y"), ("/a", "x"))
    assert len({SessionCookie(*place).name("http") for place in places}) == 3


@pytest.mark.parametrize("query", ["", "code=", "code=wrong", "code=code-1&code=wrong"])
def test_a_link_that_is_wrong_opens_nothing(control: Recorded, api: Served, query: str) -> None:
    """It is answered with a page that says what to type, and with no cookie."""
    code(api)
    status, page, answer = api.send("GET", f"/sign-in?{query}", token=None)
    assert status == 403
    assert answer.getheader("Set-Cookie") is None
    assert "<code>surefoot open</code>" in page
    assert list(control.codes) == ["code-1"]


def test_a_link_is_for_one_use_and_leads_its_own_browser_in_again(api: Served) -> None:
    """A second browser is refused; the one that it signed in is only led on."""
    link = f"/sign-in?code={code(api)}&to=/changes/1"
    cookie = cookie_of(api, link.partition("?")[2])
    assert api.send("GET", link, token=None)[0] == 403
    headers = {"Cookie": f"{cookie.key}={cookie.value}"}
    status, _, answer = api.send("GET", link, token=None, headers=headers)
    assert (status, answer.getheader("Location")) == (303, "/changes/1")
    assert answer.getheader("Set-Cookie") is None


def test_who_only_looks_at_a_link_does_not_use_it_up(control: Recorded, api: Served) -> None:
    """A chat that previews a link by its head leaves it whole."""
    assert api.send("HEAD", f"/sign-in?code={code(api)}", token=None)[0] == 204
    assert list(control.codes) == ["code-1"]


def test_signing_in_again_closes_what_this_browser_had(control: Recorded, api: Served) -> None:
    """A browser has one sign-in at a time."""
    before = signed_in(api)
    cookie_of(api, f"code={code(api)}", before)
    assert len(control.sign_ins) == 1
    assert api.send("GET", "/v1/whoami", token=None, headers=before)[0] == 401


@pytest.mark.parametrize(
    ("to", "leads"),
    [
        ("/changes/41", "/changes/41"),
        ("/log?outcome=restored%26x=1", "/log?outcome=restored&x=1"),
        ("/services/caf%C3%A9", "/services/caf%C3%A9"),
        ("//evil.example", "/"),
        ("/%2Fevil.example", "/"),
        ("/x//evil.example", "/"),
        ("/%5Cevil.example", "/"),
        ("%5C%5Cevil.example", "/"),
        ("https://evil.example", "/"),
        ("javascript:alert(1)", "/"),
        ("/%0d%0aSet-Cookie:%20a=b", "/"),
        ("/%09/evil.example", "/"),
        ("/%C2%85x", "/"),
        ("changes/41", "/"),
        ("", "/"),
        ("/" + "x" * 5_000, "/"),
    ],
)
def test_a_link_leads_to_a_place_of_this_address_alone(api: Served, to: str, leads: str) -> None:
    """Whatever stands in it, nobody is led to another site or given another header."""
    status, _, answer = api.send("GET", f"/sign-in?code={code(api)}&to={to}", token=None)
    assert (status, answer.getheader("Location")) == (303, leads)
    assert len(answer.headers.get_all("Set-Cookie", [])) == 1


def test_who_signs_out_is_out(control: Recorded, api: Served) -> None:
    """The sign-in is closed, the cookie forgotten, and the page says how to come back."""
    headers = signed_in(api)
    status, page, answer = api.send("POST", "/sign-out", token=None, headers=headers | FORM)
    assert status == 200
    assert "surefoot open" in page
    (cookie,) = SimpleCookie(answer.getheader("Set-Cookie")).values()
    assert (cookie.value, cookie["max-age"]) == ("", "0")
    assert control.sign_ins == {}
    assert api.send("GET", "/v1/whoami", token=None, headers=headers)[0] == 401


def test_what_outlives_a_sign_in_is_not_given_to_one(control: Recorded, api: Served) -> None:
    """A browser makes neither keys nor links, whatever page of ours it is on."""
    headers = signed_in(api)
    who = {"name": "Cy", "email": "cy@example.org"}
    for path, body in (("/v1/tokens", who), ("/v1/sign-ins", {})):
        status, problem, _ = api.send("POST", path, body, token=None, headers=headers)
        assert (status, problem["status"]) == (403, 403)
        assert "key" in problem["detail"]
    assert len(control.keys) == 2
    assert control.codes == {}


def test_closing_a_key_tells_of_what_its_person_still_has(api: Served) -> None:
    """Whoever left the team is out only when all of theirs is closed."""
    api.send("POST", "/v1/tokens", {"name": "Bo Example", "email": "bo@example.org"})
    _, told, _ = api.send("DELETE", "/v1/tokens/2")
    assert told["says"] == ["Token 2 is closed.", "Bo Example still has 3 (key)."]


# --- the doorstep ------------------------------------------------------------------------------


@pytest.mark.parametrize("path", ["/", "/changes/41", "/no/such/page", "/log?outcome=restored"])
def test_a_page_address_says_how_to_sign_in(api: Served, path: str) -> None:
    """Without a sign-in it is a small whole page; what it says to type leads back there."""
    status, page, answer = api.send("GET", path, token=None)
    assert status == 401
    assert answer.getheader("WWW-Authenticate") == 'Bearer realm="surefoot"'
    typed = re.search(r"<code>(.*?)</code>", page)
    assert typed
    expected = {
        "/": "surefoot open",
        "/log?outcome=restored": "surefoot open &#39;/log?outcome=restored&#39;",
    }
    assert typed[1] == expected.get(path, f"surefoot open {path}")
    assert len(page) < 2_000
    assert "<script" not in page


@pytest.mark.parametrize(
    "path", ["/$(id)", "/%60id%60", "/a;id", "/%27%0aid", "/%E2%80%AEx", "/<b>", "/" + "x" * 400]
)
def test_the_doorstep_says_nothing_to_type_that_a_stranger_wrote(api: Served, path: str) -> None:
    """A link that somebody made to be pasted into a shell is not repeated."""
    status, page, _ = api.send("GET", path, token=None)
    assert status == 401
    assert "<code>surefoot open</code>" in page


@pytest.mark.parametrize(
    ("method", "path", "headers"),
    [
        ("GET", "/changes/1", {}),
        ("GET", "/sign-in?code=wrong", {}),
        ("POST", "/sign-out", {"Content-Type": "text/plain"}),
    ],
)
def test_every_page_is_told_to_do_nothing_but_ours(
    api: Served, method: str, path: str, headers: dict[str, str]
) -> None:
    """No other origin's script, frame or form, nothing kept, and a form still names its origin."""
    _, _, answer = api.send(method, path, token=None, headers=headers)
    assert answer.getheader("Content-Type") == "text/html; charset=utf-8"
    assert answer.getheader("Content-Security-Policy") == POLICY
    assert answer.getheader("X-Content-Type-Options") == "nosniff"
    assert answer.getheader("Referrer-Policy") == "same-origin"
    assert answer.getheader("Cross-Origin-Opener-Policy") == "same-origin"
    assert answer.getheader("Cross-Origin-Resource-Policy") == "same-origin"
    assert answer.getheader("X-Frame-Options") == "DENY"
    assert answer.getheader("Cache-Control") == "no-store"


def test_what_is_no_page_is_kept_by_nobody_and_taken_for_nothing_else(api: Served) -> None:
    """Answers of the API stay what they say they are, and in no cache."""
    for path, token in (("/v1/health", "secret-of-ann"), ("/v1/health", None)):
        _, _, answer = api.send("GET", path, token=token)
        assert answer.getheader("X-Content-Type-Options") == "nosniff"
        assert answer.getheader("Cache-Control") == "no-store"


# --- who may ask what, from where --------------------------------------------------------------

OURS = "the origin of this address"
LINK = {"Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "document"}
FRAME = {"Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "iframe"}
FETCH = {"Sec-Fetch-Mode": "cors", "Sec-Fetch-Dest": "empty"}
IMAGE = {"Sec-Fetch-Mode": "no-cors", "Sec-Fetch-Dest": "image"}

# What the browser says, and then: whether a key reads, a cookie reads, a key writes, a cookie does.
SAYS = [
    ({"Sec-Fetch-Site": "same-origin"} | FETCH, True, True, True, True),
    ({"Sec-Fetch-Site": "same-origin"} | LINK, True, True, True, True),
    ({"Sec-Fetch-Site": "none"} | LINK, True, True, True, False),
    ({"Sec-Fetch-Site": "same-site"} | LINK, False, True, False, False),
    ({"Sec-Fetch-Site": "cross-site"} | LINK, False, True, False, False),
    ({"Sec-Fetch-Site": "cross-site"} | FRAME, False, False, False, False),
    ({"Sec-Fetch-Site": "same-site"} | FETCH, False, False, False, False),
    ({"Sec-Fetch-Site": "cross-site"} | FETCH, False, False, False, False),
    ({"Sec-Fetch-Site": "cross-site"} | IMAGE, False, False, False, False),
    ({"Sec-Fetch-Site": "cross-site"}, False, False, False, False),
    ({"Sec-Fetch-Site": "cross-site", "Origin": OURS}, False, False, False, False),
    ({"Sec-Fetch-Site": "new-word"}, False, False, False, False),
    ({}, True, True, True, False),
    (LINK, True, True, True, False),
    ({"Origin": OURS}, True, True, True, True),
    ({"Origin": "http://evil.example"}, False, False, False, False),
    ({"Origin": "null"}, False, False, False, False),
    ({"Origin": "http://127.0.0.1"}, False, False, False, False),
]
MEDIA = ["application/json", "application/x-www-form-urlencoded", "text/plain", ""]


@pytest.mark.parametrize(("says", "key_reads", "cookie_reads", "key_writes", "cookie_writes"), SAYS)
def test_who_may_ask_what_from_where(
    api: Served,
    says: dict[str, str],
    key_reads: bool,
    cookie_reads: bool,
    key_writes: bool,
    cookie_writes: bool,
) -> None:
    """A key or a cookie, reading or writing, the API or a page, in every media type.

    The API takes JSON alone and a page a plain form alone; the rest is the table above.
    """
    host, port = api.address
    said = {key: f"http://{host}:{port}" if value is OURS else value for key, value in says.items()}
    cookie = {"Cookie": signed_in(api)["Cookie"]}
    for path in ("/v1/services", "/no/such/page"):
        for token, brings, may in (("secret-of-ann", {}, key_reads), (None, cookie, cookie_reads)):
            status = api.send("GET", path, token=token, headers=said | brings)[0]
            assert (status != 403) is may, (path, brings)
    writes = (("secret-of-ann", {}, key_writes), (None, cookie, cookie_writes))
    for path, takes in (("/v1/down", MEDIA[0]), ("/no/such/page", MEDIA[1])):
        for token, brings, may in writes:
            for media in MEDIA:
                headers = said | brings | {"Content-Type": media}
                status = api.send("POST", path, b"x", token=token, headers=headers)[0]
                expected = {400, 404} if may and media == takes else {415} if may else {403}
                assert status in expected, (path, brings, media)


def test_no_place_answers_who_is_not_signed_in(control: Recorded, api: Served) -> None:
    """Whatever the application has a route for: 401, but for the way in and what holds no data."""
    open_places = {("GET", "/sign-in")}
    places = [
        (method, re.sub(r"\{[^}]*\}", "1", str(route.path)))
        for route in create_app(control).routes
        for method in getattr(route, "methods", None) or ("GET", "POST")
        if method != "HEAD"  # it is answered as a GET, without a body to look at
    ]
    assert len(places) > 30
    for method, path in places:
        if (method, path) in open_places or path.startswith(("/static", "/favicon")):
            continue
        stranger = {"Cookie": "surefoot-1=secret-of-ann; token=secret-of-ann"}
        status, _, answer = api.send(method, path, token=None, headers=stranger)
        assert status == 401, (method, path)
        assert answer.getheader("Set-Cookie") is None
    assert control.orders == []


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("POST", "/static/x.css"),
        ("GET", "/static/../v1/health"),
        ("GET", "/static/%2e%2e/v1/health"),
        ("GET", "/static"),
        ("GET", "/favicon.ico/x"),
        ("POST", "/sign-in?code=code-1"),
        ("GET", "/sign-in/"),
    ],
)
def test_what_is_open_opens_nothing_beside_it(api: Served, method: str, path: str) -> None:
    """Neither another method nor another spelling of an open place gets by."""
    assert api.send(method, path, token=None)[0] == 401
