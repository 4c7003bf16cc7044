"""Who asks: a program by its key, or a browser by the cookie of its sign-in."""

import hashlib
from dataclasses import dataclass

from starlette.datastructures import Headers
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Scope

from surefoot.domain.change import Person
from surefoot.domain.token import Token
from surefoot.engine.control import Control

__all__ = ["Credential", "SessionCookie"]


@dataclass(frozen=True, slots=True)
class Credential:
    """What a request brings to be known by; an empty secret is nobody's."""

    secret: str
    in_browser: bool = False

    async def person(self, control: Control) -> Person | None:
        """Whose it is, now: a stream asks again and again, for it may be closed meanwhile."""
        if not self.secret:
            return None
        return await control.who(self.secret, in_browser=self.in_browser)


@dataclass(frozen=True, slots=True)
class SessionCookie:
    """The cookie of one installation, which is told by its home and its host.

    Cookies know no ports: two installations behind one host name have two names, so that neither
    signs the other's people out.
    """

    home: str
    host: str

    def name(self, scheme: str) -> str:
        """Over https a name that no other host and no plain connection can set (RFC 6265bis)."""
        place = hashlib.sha256(f"{self.host}\0{self.home}".encode()).hexdigest()[:8]
        return f"__Host-surefoot-{place}" if scheme == "https" else f"surefoot-{place}"

    def credential(self, scope: Scope) -> Credential:
        """What this request is known by. Where there is a bearer token, it alone counts."""
        scheme, _, secret = Headers(scope=scope).get("authorization", "").partition(" ")
        if scheme.casefold() == "bearer":
            return Credential(secret.strip())
        return Credential(self.secret(scope), in_browser=True)

    def secret(self, scope: Scope) -> str:
        """The secret of this browser's sign-in, or nothing."""
        return Request(scope).cookies.get(self.name(scope["scheme"]), "")

    def give(self, response: Response, scope: Scope, token: Token, secret: str) -> None:
        """Let this browser keep a sign-in until it ends."""
        lasts_s = (token.expires_at or token.created_at) - token.created_at
        self._set(response, scope, secret, int(lasts_s))

    def clear(self, response: Response, scope: Scope) -> None:
        """Let this browser forget its sign-in."""
        self._set(response, scope, "", 0)

    def _set(self, response: Response, scope: Scope, secret: str, lasts_s: int) -> None:
        # uvicorn takes a proxy's X-Forwarded-Proto into the scheme, from loopback alone.
        https = scope["scheme"] == "https"
        response.set_cookie(
            self.name(scope["scheme"]),
            secret,
            max_age=lasts_s,
            path="/",
            secure=https,
            httponly=True,
            samesite="lax",
        )
