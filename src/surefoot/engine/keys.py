"""People's keys and sign-ins: who is behind one, who gives and who closes them."""

import hashlib
import secrets
from collections.abc import Awaitable, Callable

from surefoot.domain.change import Person
from surefoot.domain.errors import OutsideFailed
from surefoot.domain.token import Token, TokenKind
from surefoot.engine.codes import CODE_S, Codes, Waiting
from surefoot.engine.control import SignIn
from surefoot.engine.run import Outside
from surefoot.ports import NewEntry, Saved

__all__ = ["SIGNED_IN_S", "Keys", "hashed"]

TOKEN_PREFIX = "sf_"  # noqa: S105 -- a mark by which a leaked one is recognised
SIGNED_IN_S = {TokenKind.BROWSER: 7 * 86_400.0, TokenKind.PHONE: 30 * 86_400.0}


class Keys:
    """The part of `Control` that is about tokens."""

    def __init__(self, outside: Outside, save: Callable[[Saved], Awaitable[None]]) -> None:
        """Take the ports, and who writes down."""
        self.outside = outside
        self._save = save
        self._tokens: tuple[Token, ...] | None = None  # as the store has them, once it was asked
        self._codes = Codes()

    async def who(self, secret: str, *, in_browser: bool = False) -> Person | None:
        """The person behind a key, or behind a browser's sign-in; neither passes for the other.

        A store that is locked shuts nobody out.
        """
        found = await self._open_one(secret)
        if found is None or (found.kind is not TokenKind.KEY) is not in_browser:
            return None
        return found.person

    async def tokens(self) -> tuple[Token, ...]:
        """Every token that has not expired, without its secret."""
        if self._tokens is None:
            self._tokens = await self.outside.store.tokens()
        now = self.outside.clock.now()
        return tuple(one for one in self._tokens if one.expires_at is None or now < one.expires_at)

    async def new_token(self, person: Person, by: Person) -> tuple[Token, str]:
        """A key for a person, and its secret: shown once, stored hashed."""
        made = await self._make(person, TokenKind.KEY, None)
        await self._note(f"{by.name} gives {person.name} a token.", by)
        return made

    async def revoke_token(self, token: int, by: Person) -> None:
        """Close a token."""
        await self._close(token)
        await self._note(f"{by.name} revokes token {token}.", by)

    async def sign_in(self, by: Person, kind: TokenKind) -> SignIn:
        """A code that signs a browser in as this person: for one use, soon."""
        code, now = secrets.token_urlsafe(32), self.outside.clock.now()
        waiting = Waiting(by, kind, now + CODE_S[kind])
        self._codes.add(hashed(code), waiting, now)
        return SignIn(code, waiting.expires_at)

    async def redeem(self, code: str, instead_of: str = "") -> tuple[Token, str] | None:
        """The sign-in that a code stands for, and its secret; None for one that is wrong or old.

        Args:
            code: as `sign_in` gave it. It is used up, unless the store does not do its part.
            instead_of: the secret of the sign-in that this browser had before; it is closed.
        """
        now = self.outside.clock.now()
        waiting = self._codes.take(hashed(code), now)
        if waiting is None:
            return None
        try:
            made = await self._make(waiting.person, waiting.kind, now + SIGNED_IN_S[waiting.kind])
        except OutsideFailed:
            self._codes.add(hashed(code), waiting, now)
            raise
        await self._close_sign_in(instead_of)
        says = f"{waiting.person.name} signs in with a {waiting.kind} (token {made[0].id})."
        await self._note(says, waiting.person)
        return made

    async def sign_out(self, secret: str) -> None:
        """Close a browser's sign-in; one that is closed stays so."""
        closed = await self._close_sign_in(secret)
        if closed is not None:
            says = f"{closed.person.name} signs out (token {closed.id})."
            await self._note(says, closed.person)

    async def _close_sign_in(self, secret: str) -> Token | None:
        found = await self._open_one(secret)
        if found is None or found.kind is TokenKind.KEY:
            return None
        await self._close(found.id)
        return found

    async def _open_one(self, secret: str) -> Token | None:
        """The token with this secret that is neither closed nor over."""
        wanted = hashed(secret)
        for token in await self.tokens():
            if token.revoked_at is None and secrets.compare_digest(token.hashed, wanted):
                return token
        return None

    async def _make(
        self, person: Person, kind: TokenKind, expires_at: float | None
    ) -> tuple[Token, str]:
        secret = TOKEN_PREFIX + secrets.token_urlsafe(32)
        now = self.outside.clock.now()
        token = await self.outside.store.add_token(person, hashed(secret), now, kind, expires_at)
        self._tokens = None
        return token, secret

    async def _close(self, token: int) -> None:
        await self.outside.store.revoke_token(token, self.outside.clock.now())
        self._tokens = None

    async def _note(self, says: str, by: Person) -> None:
        entry = NewEntry(self.outside.clock.now(), None, None, "token", says, by=str(by))
        await self._save(Saved(entries=(entry,)))


def hashed(secret: str) -> str:
    """What is kept of a token or a code: the SHA-256 of its 256 random bits needs no salt."""
    return hashlib.sha256(secret.encode()).hexdigest()
