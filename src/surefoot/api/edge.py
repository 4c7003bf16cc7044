"""What every request passes before anything is read: who, from where, what, and how much.

A bearer token opens every route, the OpenAPI document included; there is no answer without one. A
request that a browser sent from another site is refused, sibling subdomains included. A write says
that it is JSON, so that no plain form can make one. Nothing is read beyond `LARGEST_BODY`.
"""

import logging

from starlette.datastructures import Headers
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from surefoot.api.problems import http_problem
from surefoot.domain.change import Person
from surefoot.domain.errors import SurefootError
from surefoot.engine.control import Control

__all__ = ["LARGEST_BODY", "Edge", "bearer"]

LARGEST_BODY = 1_000_000  # bytes
LONGEST_PATH = 1_000  # characters; no service, number or query of ours comes near
_READS = ("GET", "HEAD")
logger = logging.getLogger(__name__)


class Edge:
    """The middleware in front of all routes. It puts the token's `Person` into the scope."""

    def __init__(self, app: ASGIApp, control: Control) -> None:
        self._app = app
        self._control = control

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Let a request through, or answer it here."""
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
        elif scope["type"] == "websocket":
            await send({"type": "websocket.close", "code": 1008})
        else:
            await self._let_through(scope, receive, send)

    async def _let_through(self, scope: Scope, receive: Receive, send: Send) -> None:
        headers = Headers(scope=scope)
        try:
            scope["user"] = await self._person(headers)
            _refuse_long(scope)
            _refuse_other_sites(headers)
            _refuse_what_is_no_json(scope["method"], headers)
            _refuse_large(headers)
        except HTTPException as error:
            await http_problem(error)(scope, receive, send)
        else:
            await self._app(scope, _counted(receive), send)

    async def _person(self, headers: Headers) -> Person:
        secret = bearer(headers)
        try:
            person = await self._control.who(secret) if secret else None
        except SurefootError as error:
            # Who asks may be anybody: what is wrong inside is not for them.
            logger.warning("a token could not be looked up: %s", error)
            raise HTTPException(503, "Whose token this is cannot be looked up now.") from error
        if person is None:
            raise HTTPException(
                401,
                "This answers only to a token that is known and not revoked.",
                {"WWW-Authenticate": 'Bearer realm="surefoot"', "Connection": "close"},
            )
        return person


def bearer(headers: Headers) -> str:
    """The secret of the Authorization header, or nothing."""
    scheme, _, secret = headers.get("authorization", "").partition(" ")
    return secret.strip() if scheme.casefold() == "bearer" else ""


def _refuse_long(scope: Scope) -> None:
    """Python reads no number of thousands of digits, and none of ours has so many."""
    if len(scope["path"]) > LONGEST_PATH:
        raise HTTPException(414, "This path is longer than any that leads anywhere.")


def _refuse_other_sites(headers: Headers) -> None:
    """Browsers say where a request comes from; old ones by Origin alone (OWASP, CSRF)."""
    site = headers.get("sec-fetch-site")
    origin = headers.get("origin")
    if site is not None:
        ours = site in {"same-origin", "none"}
    elif origin is not None:
        ours = origin.partition("://")[2] == headers.get("host")
    else:
        ours = True  # not a browser
    if not ours:
        raise HTTPException(403, "A page of another site sent this request.")


def _refuse_what_is_no_json(method: str, headers: Headers) -> None:
    media = headers.get("content-type", "").partition(";")[0].strip().casefold()
    if method not in (*_READS, "DELETE") and media != "application/json":
        raise HTTPException(415, "This request does not say that it is JSON.")


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


def _too_large() -> HTTPException:
    # What was not read must not be taken for the next request on this connection.
    return HTTPException(413, "This request is too large.", {"Connection": "close"})
