"""What others wrote, made fit to be shown: commits, checks, reasons, addresses."""

import re

__all__ = ["clean", "without_password"]

# C0 and C1 controls but tab and line feed, Unicode's line breaks, the marks that turn the order of
# reading around (Unicode Standard Annex 9, table 1), and halves of characters.
_STEERS = re.compile(
    r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069\ud800-\udfff]"
)
_PASSWORD = re.compile(r"://[^/\s]*@")


def clean(text: str) -> str:
    """The text without what would steer a terminal, its further lines marked as such.

    The mark keeps a line break in a reason or in a check's output from passing for a line of ours.
    """
    return _STEERS.sub("\N{REPLACEMENT CHARACTER}", text).replace("\n", "\n  | ")


def without_password(text: str) -> str:
    """The text without the name and the password that an address in it may carry."""
    return _PASSWORD.sub("://...@", text)
