"""In and out: one-time links, signing out, and the plain pages for who is not signed in.

These pages need no script, and hold nothing of what Surefoot knows.
"""

import re
import shlex

from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response
from starlette.routing import Route

from surefoot.api.session import SessionCookie
from surefoot.domain.errors import OutsideFailed
from surefoot.engine.control import Control
from surefoot.pages.plain import plain_page

__all__ = ["doorstep", "sign_in_routes"]

_LONGEST_WAY_ON = 1_000  # characters
# What a shell, a terminal and a reader take as it stands; anything else is not repeated to them.
_TYPEABLE = re.compile(r"/[A-Za-z0-9/_.,~=&?%+-]{0,300}")
_WAY_ON = re.compile(r"/(?!/)[^\\\x00-\x20\x7f-\x9f]*")


def sign_in_routes(control: Control, cookie: SessionCookie) -> list[Route]:
    """`GET /sign-in?code=...&to=...` and `POST /sign-out`."""

    async def sign_in(request: Request) -> Response:
        """Take a one-time code, give a cookie, and lead on."""
        if request.method == "HEAD":  # who only looks at a link must not use it up
            return Response(status_code=204)
        onward = RedirectResponse(_way_on(request.query_params.get("to", "/")), 303)
        before = cookie.secret(request.scope)
        try:
            given = await control.redeem(request.query_params.get("code", ""), before)
            if given is None and await control.who(before, in_browser=True) is not None:
                return onward  # the same link again, in the browser that it has signed in
        except OutsideFailed:
            says = "This sign-in cannot be written down now. The link still holds: try it again."
            return plain_page(503, "Not yet", says)
        if given is None:
            return plain_page(
                403,
                "This link opens nothing",
                "It was used, it is too old, or it is not whole.",
                command="surefoot open",
            )
        cookie.give(onward, request.scope, *given)
        return onward

    async def sign_out(request: Request) -> Response:
        """Close the sign-in of this browser."""
        await control.sign_out(cookie.secret(request.scope))
        gone = doorstep(200, "/", "You are signed out")
        cookie.clear(gone, request.scope)
        return gone

    return [
        Route("/sign-in", sign_in, methods=["GET"]),
        Route("/sign-out", sign_out, methods=["POST"]),
    ]


def doorstep(status: int, address: str, title: str = "Sign in") -> HTMLResponse:
    """What somebody who is not signed in sees in place of the page at this address.

    The command that it tells leads back there, so that a link in a chat is not lost.
    """
    there = address != "/" and _TYPEABLE.fullmatch(address)
    command = f"surefoot open {shlex.quote(address)}" if there else "surefoot open"
    says = (
        "Surefoot shows its pages to the team alone, and a sign-in ends or is closed. Where you "
        "have a key to it (for a phone: with --phone):"
    )
    return plain_page(status, title, says, command=command)


def _way_on(asked: str) -> str:
    """Where to after signing in: a place of this very address, else the first page."""
    fits = len(asked) <= _LONGEST_WAY_ON and _WAY_ON.fullmatch(asked) and "//" not in asked
    return asked if fits else "/"
