"""What is shown: times as people say them, and what others wrote, made fit for it."""

import re

__all__ = ["clean", "span", "without_password"]

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


def clean(text: str) -> str:
    """The text without what would steer a terminal, its further lines marked as such.

    The mark keeps a line break in a reason or in a check's output from passing for a line of ours.
    """
    return _STEERS.sub("\N{REPLACEMENT CHARACTER}", text).replace("\n", "\n  | ")


def without_password(text: str) -> str:
    """The text without the name and the password that an address in it may carry."""
    return _PASSWORD.sub("://...@", text)
