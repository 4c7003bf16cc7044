"""Secrets by value, kept out of what is shown."""

import re
from collections.abc import Iterable, Iterator

__all__ = ["SHORTEST", "hidden"]

SHORTEST = 4  # characters; hiding each "1" would hide the output
_BREAK = r"(?:\r?\n)?"


def hidden(text: str, secrets: Iterable[str]) -> str:
    r"""The text with *** for each secret, also where lines were broken within one.

    A value with \n in it (a key in one line) is hidden line by line, as programs print it.
    """
    parts = {part for secret in secrets for part in _parts(secret) if len(part) >= SHORTEST}
    if not parts:
        return text
    longest_first = sorted(parts, key=len, reverse=True)
    pattern = "|".join(_BREAK.join(map(re.escape, part)) for part in longest_first)
    return re.sub(pattern, "***", text)


def _parts(secret: str) -> Iterator[str]:
    yield secret
    yield from secret.split("\\n")
