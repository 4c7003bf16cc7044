"""What every page is: a title, a mood, and parts that are replaced one by one while it is open."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass

from surefoot.domain.change import Person
from surefoot.pages.mood import Mood
from surefoot.pages.rendering import render
from surefoot.pages.words import Line, plain

__all__ = ["Page", "digests", "full"]

DIGEST = 8  # hexadecimal digits: it tells a part from itself a moment ago, nothing more


@dataclass(frozen=True, slots=True)
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


def digests(page: Page) -> dict[str, str]:
    """What tells each part from what it was; the title and the mood are one more."""
    head = f"{page.mood} {plain(page.title)} {' '.join(page.parts)}"
    known = {"head": head, **page.parts}
    return {
        name: hashlib.blake2s(text.encode(), digest_size=DIGEST // 2).hexdigest()
        for name, text in known.items()
    }


def full(page: Page, reader: Person, now: float, *, still: bool = False) -> str:
    """The whole document for one reader; without a script it loads itself anew unless `still`."""
    has = ",".join(f"{name}:{digest}" for name, digest in digests(page).items())
    title = plain(page.title, now)
    return render("page.html", page=page, title=title, reader=reader, now=now, has=has, still=still)
