"""What every page is: a title, a mood, and parts that are replaced one by one while it is open."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

from surefoot.domain.change import Person
from surefoot.pages.mood import Mood
from surefoot.pages.rendering import render
from surefoot.pages.words import Line, plain

__all__ = ["Page", "full"]

DIGEST_BYTES = 4  # it tells a part from itself a moment ago, nothing more


@dataclass(frozen=True)  # without slots: the digests are kept once they were asked for
class Page:
    """A page as of one moment, the same for all who look at it.

    `parts` are HTML by the id of the element that they are, in their order. `address` is where it
    is. It is worth a look after `pause_s`, and whenever the ledger grows.
    """

    address: str
    name: str
    title: Line
    mood: Mood
    parts: Mapping[str, str]
    pause_s: float

    @cached_property
    def digests(self) -> Mapping[str, str]:
        """What tells each part from what it was; the title and the mood are one more."""
        head = f"{self.mood} {plain(self.title)} {' '.join(self.parts)}"
        return {name: _digest(text) for name, text in {"head": head, **self.parts}.items()}


def _digest(text: str) -> str:
    return hashlib.blake2s(text.encode(), digest_size=DIGEST_BYTES).hexdigest()


def full(page: Page, reader: Person, now: float, *, still: bool = False) -> str:
    """The whole document for one reader; without a script it loads itself anew unless `still`."""
    has = ",".join(f"{name}:{digest}" for name, digest in page.digests.items())
    title = plain(page.title, now)
    return render("page.html", page=page, title=title, reader=reader, now=now, has=has, still=still)
