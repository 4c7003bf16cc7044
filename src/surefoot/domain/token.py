"""What opens the doors of the control plane to a person."""

from dataclasses import dataclass
from enum import StrEnum

from surefoot.domain.change import Person

__all__ = ["Token", "TokenKind"]


class TokenKind(StrEnum):
    """What a token is held by: a program or a shell, or a browser that was signed in."""

    KEY = "key"
    BROWSER = "browser"
    PHONE = "phone"


@dataclass(frozen=True, slots=True)
class Token:
    """A person's key or sign-in, known by its hash alone. Times are epoch seconds."""

    id: int
    person: Person
    hashed: str
    created_at: float
    revoked_at: float | None = None
    kind: TokenKind = TokenKind.KEY
    expires_at: float | None = None  # None: it has no end of its own
