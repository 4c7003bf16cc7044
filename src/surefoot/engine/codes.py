"""One-time codes that sign a browser in: few, short-lived, in memory alone.

A code has 256 random bits, so guessing needs no lock; one that is wrong leaves nothing behind. Only
hashes are kept, and a restart forgets them all: `surefoot open` makes another.
"""

from dataclasses import dataclass

from surefoot.domain.change import Person
from surefoot.domain.token import TokenKind

__all__ = ["CODE_S", "MOST_CODES", "Codes", "Waiting"]

CODE_S = {TokenKind.BROWSER: 120.0, TokenKind.PHONE: 300.0}  # a phone must be fetched first
MOST_CODES = 5  # for each person; one more, and their oldest opens nothing any more


@dataclass(frozen=True, slots=True)
class Waiting:
    """A code that nobody used yet: for whom, for what, and until when (epoch seconds)."""

    person: Person
    kind: TokenKind
    expires_at: float


class Codes:
    """The codes that wait to be used, known by their hashes."""

    def __init__(self) -> None:
        """Begin with none."""
        self._waiting: dict[str, Waiting] = {}

    def __len__(self) -> int:
        """How many are remembered."""
        return len(self._waiting)

    def add(self, hashed: str, waiting: Waiting, now: float) -> None:
        """Remember one more; what is too old or too many is forgotten."""
        for old in [key for key, one in self._waiting.items() if one.expires_at <= now]:
            del self._waiting[old]
        theirs = [key for key, one in self._waiting.items() if one.person == waiting.person]
        for surplus in theirs[: max(0, len(theirs) - MOST_CODES + 1)]:
            del self._waiting[surplus]
        self._waiting[hashed] = waiting

    def take(self, hashed: str, now: float) -> Waiting | None:
        """Use one up; None when there is no such code, or its time is over."""
        waiting = self._waiting.pop(hashed, None)
        return waiting if waiting is not None and now < waiting.expires_at else None
