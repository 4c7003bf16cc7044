"""What is shown: times as people say them, and what others wrote, made fit for it."""

import re

__all__ = ["beginning", "capital", "clean", "fit", "span", "without_password"]

MINUTE_S, HOUR_S = 60, 3600

# C0 and C1 controls but tab and line feed, Unicode's line breaks, the marks that turn the order of
# reading around (Unicode Standard Annex 9, table 1), and halves of characters.
_STEERS = re.compile(
    r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069\ud800-\udfff]"
)
_PASSWORD = re.compile(r"://[^/\s]*@")


def span(seconds: float) -> str:
    """A time as people say it: "40 s", "60 min", "24 h". Twice a unit is said in that unit."""
    if seconds >= 2 * HOUR_S:
        return f"{seconds / HOUR_S:.3g} h"
    return f"{seconds / MINUTE_S:.0f} min" if seconds >= 2 * MINUTE_S else f"{seconds:.0f} s"


def capital(said: str) -> str:
    """A clause as the beginning of a sentence; the name of a metric stays as it is written."""
    name = said.split(":", 1)[0]
    return said if "_" in name and " " not in name else said[:1].upper() + said[1:]


def clean(text: str) -> str:
    """The text without what would steer a terminal, its further lines marked as such.

    The mark keeps a line break in a reason or in a check's output from passing for a line of ours.
    """
    return _STEERS.sub("\N{REPLACEMENT CHARACTER}", text).replace("\n", "\n  | ")


def fit(line: str, longest: int) -> str:
    """One line without what would steer a terminal, cut to so many characters; tabs stay."""
    shown = clean(line[: longest + 1])
    return shown if len(shown) <= longest else f"{shown[: longest - 1]}…"


def beginning(text: str, most: int, size: int, longest: int) -> tuple[tuple[str, ...], int]:
    """The first lines of a text, each made fit to show, and how many were left out.

    Args:
        text: of any length, with line feeds.
        most: so many lines at most.
        size: so many bytes at most, in UTF-8 with a line feed behind each line.
        longest: so many characters of each line.
    """
    every = text.count("\n") + bool(text and not text.endswith("\n"))
    shown: list[str] = []
    for line in text.split("\n", most)[: min(most, every)]:
        fitting = fit(line, longest)
        size -= len(fitting.encode()) + 1
        if size < 0:
            break
        shown.append(fitting)
    return tuple(shown), every - len(shown)


def without_password(text: str) -> str:
    """The text without the name and the password that an address in it may carry."""
    return _PASSWORD.sub("://...@", text)
