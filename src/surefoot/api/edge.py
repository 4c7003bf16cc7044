"""What every request passes before anything is read: who, from where, what, and how much.

A program brings its key as a bearer token, a browser the cookie of its sign-in; there is no answer
without one, the OpenAPI document included. Open are only what holds no data (`/static/`, the
favicon) and `/sign-in`, where a one-time code is given for the cookie.

What a browser sent from another site is refused, sibling subdomains and other ports included, but
for a plain link: a GET that opens a page. A cookie alone writes nothing: the browser must say that
our own page sent the request. The API takes JSON and the pages take plain forms, so that neither
can be written to by what the other takes. Nothing is read beyond `LARGEST_BODY`.
"""

import logging
from enum import Enum, auto

from starlette.datastructures import Headers, MutableHeaders
from starlette.exceptions import HTTPException
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from surefoot.api.problems import UNKNOWN, is_api, refusal
from surefoot.api.session import Credential, SessionCookie
from surefoot.api.signin import doorstep
from surefoot.domain.change import Person
from surefoot.domain.errors import SurefootError
from surefoot.engine.control import Control

__all__ = ["LARGEST_BODY", "Edge"]

LARGEST_BODY = 1_000_000  # bytes
LONGEST_PATH = 1_000  # characters; no service, number or query of ours comes near
_READS = ("GET", "HEAD")
_FAVICONS = ("/favicon.ico", "/favicon.svg")
_HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "Cross-Origin-Resource-Policy": "same-origin",
}
_HTML_HEADERS = {
    "Content-Security-Policy": "default-src 'none'; style-src 'self'; script-src 'self'; "
    "img-src 'self'; connect-src 'self'; form-action 'self'; base-uri 'none'; "
    "frame-ancestors 'none'",
    "Cross-Origin-Opener-Policy": "same-origin",
    # Not no-referrer: a form would then say `Origin: null` even to its own site (Fetch Standard).
    "Referrer-Policy": "same-origin",
    "X-Frame-Options": "DENY",
}
logger = logging.getLogger(__name__)


class Sender(Enum):
    """Where a request comes from, as far as the browser says."""

    OURS = auto()  # a page of this very address
    TYPED = auto()  # the address bar, a bookmark, a program that opened a link
    ELSEWHERE = auto()  # a page of another site, or of another port of this one
    UNSAID = auto()  # not a browser, or an old one that reads


class Edge:
    """The middleware in front of all routes.

    It puts the `Person` into the scope as `user`, and what they are known by as `credential`.
    """

    def __init__(self, app: ASGIApp, control: Control, cookie: SessionCookie) -> None:
        self._app = app
        self._control = control
        self._cookie = cookie

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Let a request through, or answer it here."""
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
        elif scope["type"] == "websocket":
            await send({"type": "websocket.close", "code": 1008})
        else:
            await self._let_through(scope, receive, _hardened(scope, send))

    async def _let_through(self, scope: Scope, receive: Receive, send: Send) -> None:
        headers = Headers(scope=scope)
        try:
            if not _is_open(scope):
                credential = self._cookie.credential(scope)
                scope["user"] = await self._person(credential)
                scope["credential"] = credential
                _refuse_other_sites(scope["method"], headers, credential)
            _refuse_long(scope)
            _refuse_other_media(scope, headers)
            _refuse_large(headers)
        except HTTPException as error:
            await _refused(scope, error)(scope, receive, send)
        else:
            await self._app(scope, _counted(receive), send)

    async def _person(self, credential: Credential) -> Person:
        try:
            person = await credential.person(self._control)
        except SurefootError as error:
            # Who asks may be anybody: what is wrong inside is not for them.
            logger.warning("a token could not be looked up: %s", error)
            raise HTTPException(503, "Whose token this is cannot be looked up now.") from error
        if person is None:
            raise HTTPException(
                UNKNOWN,
                "This answers only to a token that is known and not revoked.",
                {"WWW-Authenticate": 'Bearer realm="surefoot"', "Connection": "close"},
            )
        return person


def _is_open(scope: Scope) -> bool:
    """What anybody may read: it holds no data, or is where a code is given for a sign-in."""
    path = scope["path"]
    static = path.startswith("/static/") and ".." not in path
    return scope["method"] in _READS and (static or path in {"/sign-in", *_FAVICONS})


def _refused(scope: Scope, error: HTTPException) -> Response:
    """A problem document for a program; for a person a page, and to a stranger the doorstep."""
    if is_api(scope) or error.status_code != UNKNOWN:
        return refusal(scope, error)
    query = scope["query_string"].decode("latin-1")
    address = scope["path"] + (f"?{query}" if query else "")
    page = doorstep(UNKNOWN, address if scope["method"] in _READS else "/")
    page.headers.update(error.headers or {})
    return page


def _sender(headers: Headers) -> Sender:
    """Browsers say where a request comes from; old ones by Origin alone (OWASP, CSRF)."""
    site = headers.get("sec-fetch-site")
    origin = headers.get("origin")
    if site is not None:
        return {"same-origin": Sender.OURS, "none": Sender.TYPED}.get(site, Sender.ELSEWHERE)
    if origin is not None:
        ours = origin.partition("://")[2] == headers.get("host")
        return Sender.OURS if ours else Sender.ELSEWHERE
    return Sender.UNSAID


def _refuse_other_sites(method: str, headers: Headers, credential: Credential) -> None:
    """A browser adds its cookie to whatever any page asks for: for one, our own page must ask."""
    sender = _sender(headers)
    reads = method in _READS
    if not credential.in_browser:
        ours = sender is not Sender.ELSEWHERE
    elif not reads:
        ours = sender is Sender.OURS
    else:
        ours = sender is not Sender.ELSEWHERE or _opens_a_page(headers)
    if not ours:
        raise HTTPException(403, "A page of another site sent this request.")


def _opens_a_page(headers: Headers) -> bool:
    """Whether somebody follows a link: the answer is shown to them, and to no page."""
    mode, dest = headers.get("sec-fetch-mode"), headers.get("sec-fetch-dest")
    return mode == "navigate" and dest == "document"


def _refuse_long(scope: Scope) -> None:
    """Python reads no number of thousands of digits, and none of ours has so many."""
    if len(scope["path"]) > LONGEST_PATH:
        raise HTTPException(414, "This path is longer than any that leads anywhere.")


def _refuse_other_media(scope: Scope, headers: Headers) -> None:
    if scope["method"] in (*_READS, "DELETE"):
        return
    media = headers.get("content-type", "").partition(";")[0].strip().casefold()
    if is_api(scope) and media != "application/json":
        raise HTTPException(415, "This request does not say that it is JSON.")
    if not is_api(scope) and media != "application/x-www-form-urlencoded":
        raise HTTPException(415, "This request does not say that it is a form of a page.")


def _refuse_large(headers: Headers) -> None:
    length = headers.get("content-length", "0")
    if not length.isdecimal() or int(length) > LARGEST_BODY:
        raise _too_large()


def _counted(receive: Receive) -> Receive:
    """A body in pieces has no length to go by: it is counted as it comes."""
    seen = 0

    async def counted() -> Message:
        nonlocal seen
        message = await receive()
        seen += len(message.get("body", b""))
        if seen > LARGEST_BODY:
            raise _too_large()
        return message

    return counted


def _hardened(scope: Scope, send: Send) -> Send:
    """What a browser is told of every answer, and of every page more."""

    async def hardened(message: Message) -> None:
        if message["type"] == "http.response.start":
            message.setdefault("headers", [])
            headers = MutableHeaders(scope=message)
            headers.update(_HEADERS)
            is_page = headers.get("content-type", "").startswith("text/html")
            if is_page:
                headers.update(_HTML_HEADERS)
            if is_page or not scope["path"].startswith("/static/"):
                headers.setdefault("Cache-Control", "no-store")
        await send(message)

    return hardened


def _too_large() -> HTTPException:
    # What was not read must not be taken for the next request on this connection.
    return HTTPException(413, "This request is too large.", {"Connection": "close"})
