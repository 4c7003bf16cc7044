"""Which line of a TOML text a key stands on, so that an error can name it.

The standard library's parser keeps no positions. The text is cut into its statements (a header or
an assignment, over as many lines as it takes) and each is parsed by itself. Cutting needs only what
TOML 1.0 says of strings, comments and brackets: https://toml.io/en/v1.0.0
"""

import re
import tomllib
from collections.abc import Iterator, Mapping

__all__ = ["Path", "lines_of"]

Path = tuple[str, ...]

TOKEN = re.compile(
    r'"""(?:\\.|[^\\])*?"{3,5}'
    r"|'''.*?'{3,5}"
    r'|"(?:\\.|[^"\\\n])*"'
    r"|'[^'\n]*'"
    r"|\#[^\n]*"
    r"|[\[\]{}\n]",
    re.DOTALL,
)
DEEPEST = 4  # no key of a manifest lies deeper; what does belongs to the one above it


def lines_of(text: str) -> Mapping[Path, int]:
    """The first line, from 1, of every key and table of a text that is valid TOML."""
    found: dict[Path, int] = {}
    table: Path = ()
    for line, statement in _statements(text):
        content = tomllib.loads(statement)
        if statement.startswith("["):
            table = next(_inner(content, ()), ())
            paths = [table]
        else:
            paths = list(_inner(content, table))
        for path in paths:
            for depth in range(1, len(path) + 1):
                found.setdefault(path[:depth], line)
    return found


def _statements(text: str) -> Iterator[tuple[int, str]]:
    """Each statement with the line that it begins on; comments and blank lines are none."""
    depth, begin, line, first = 0, 0, 1, 1
    for token in TOKEN.finditer(f"{text}\n"):
        word = token.group()
        depth += {"[": 1, "{": 1, "]": -1, "}": -1}.get(word, 0)
        line += word.count("\n")
        if word == "\n" and depth == 0:
            statement = text[begin : token.start()].strip()
            if statement and not statement.startswith("#"):
                yield first, statement
            begin, first = token.end(), line


def _inner(content: object, above: Path) -> Iterator[Path]:
    """The paths of what has nothing below it."""
    if not isinstance(content, Mapping) or not content or len(above) == DEEPEST:
        yield above
        return
    for key, value in content.items():
        yield from _inner(value, (*above, key))
