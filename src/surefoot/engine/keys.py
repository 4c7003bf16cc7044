"""People's keys: who is behind one, who gives and who closes them."""

import hashlib
import secrets
from collections.abc import Awaitable, Callable

from surefoot.domain.change import Person
from surefoot.engine.run import Outside
from surefoot.ports import NewEntry, Saved, Token

__all__ = ["Keys", "hashed"]

TOKEN_PREFIX = "sf_"  # noqa: S105 -- a mark by which a leaked one is recognised


class Keys:
    """The part of `Control` that is about tokens."""

    def __init__(self, outside: Outside, save: Callable[[Saved], Awaitable[None]]) -> None:
        """Take the ports, and who writes down."""
        self.outside = outside
        self._save = save
        self._tokens: tuple[Token, ...] | None = None  # as the store has them, once it was asked

    async def who(self, secret: str) -> Person | None:
        """The person behind a token, or None. A store that is locked shuts nobody out."""
        wanted = hashed(secret)
        for token in await self.tokens():
            if token.revoked_at is None and secrets.compare_digest(token.hashed, wanted):
                return token.person
        return None

    async def tokens(self) -> tuple[Token, ...]:
        """Every token, without its secret."""
        if self._tokens is None:
            self._tokens = await self.outside.store.tokens()
        return self._tokens

    async def new_token(self, person: Person, by: Person) -> tuple[Token, str]:
        """A token for a person, and its secret: shown once, stored hashed."""
        secret = TOKEN_PREFIX + secrets.token_urlsafe(32)
        now = self.outside.clock.now()
        token = await self.outside.store.add_token(person, hashed(secret), now)
        self._tokens = None
        await self._note(f"{by.name} gives {person.name} a token.", by)
        return token, secret

    async def revoke_token(self, token: int, by: Person) -> None:
        """Close a token."""
        await self.outside.store.revoke_token(token, self.outside.clock.now())
        self._tokens = None
        await self._note(f"{by.name} revokes token {token}.", by)

    async def _note(self, says: str, by: Person) -> None:
        entry = NewEntry(self.outside.clock.now(), None, None, "token", says, by=str(by))
        await self._save(Saved(entries=(entry,)))


def hashed(secret: str) -> str:
    """What is kept of a token: the SHA-256 of its 256 random bits needs no salt."""
    return hashlib.sha256(secret.encode()).hexdigest()
