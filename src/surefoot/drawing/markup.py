"""What others wrote, made fit to stand in markup."""

import re
from html import escape  # that of `xml` loads an HTTP client

from surefoot.domain.text import clean

__all__ = ["plain", "text"]

LONGEST = 90  # letters of a line
_NO_XML = re.compile(r"[\x00-\x08\x0b-\x1f\ufffe\uffff]")  # XML 1.0, section 2.2


def text(words: str, longest: int = LONGEST) -> str:
    """What others wrote, as the text of an element: no markup, no control, not too long."""
    return escape(plain(words, longest), quote=False)


def plain(words: str, longest: int = LONGEST) -> str:
    """The same before it is markup, for whoever escapes it himself."""
    line = _NO_XML.sub("\N{REPLACEMENT CHARACTER}", clean(words).replace("\n", " "))
    return line if len(line) <= longest else line[: longest - 1] + "…"
