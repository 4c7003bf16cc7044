"""What releases print: lines told apart by what they say, not by the numbers in them."""

import re
from collections.abc import Iterable
from dataclasses import dataclass

__all__ = ["MASK", "LineKind", "masked", "novel"]

MASK = "#"
LONGEST_READ = 2_000  # characters of a line; what follows tells kinds apart no better
LONGEST_MASK = 300

# Each alternative takes at least one digit, or a whole UUID, and all digits are taken: what is
# masked holds nothing that could be masked again.
_VARIES = re.compile(
    r"(?=[0-9a-fA-F:])(?:"  # most characters are none of these: half of the time is saved
    r"[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}"  # a UUID
    r"|(?<![\w:])(?=[a-fA-F:]*[0-9])(?:[0-9a-fA-F]*+:){2,}[0-9a-fA-F]*+(?![\w:])"  # IPv6; a time
    r"|(?:[0-9]++(?:[.,][0-9]++)? ?(?:ns|us|µs|ms|min|s|m|h)(?![a-zA-Z]))++"  # durations: 1m2.5s
    r"|(?<![0-9A-Za-z])(?=[a-fA-F]*[0-9])(?:0[xX])?+[0-9a-fA-F]++(?![0-9A-Za-z])"  # hex, decimal
    r"|[0-9]++"  # within a word: worker7
    r")"
)
_SIGN = re.compile(rf"[+-](?={MASK})(?<![\w{MASK}+-][+-])")
_JOINED = re.compile(rf"{MASK}(?:[.,:-]{MASK})+")


@dataclass(frozen=True, slots=True)
class LineKind:
    """Lines that differ only in what `masked` hides: the newest of them, and how many."""

    newest: str
    count: int


def masked(line: str) -> str:
    """The line with one sign for each number and each id, so that it names its kind.

    Numbers (with sign, fraction and exponent), durations, dates and times, addresses, UUIDs and
    hexadecimal words with a digit in them are ids; one of letters alone passes for a word. Kinds
    are told apart by the first 300 characters.
    """
    varied = _VARIES.sub(MASK, line[:LONGEST_READ].strip())
    return _JOINED.sub(MASK, _SIGN.sub("", varied))[:LONGEST_MASK].rstrip()


def novel(canary: Iterable[str], baseline: Iterable[str]) -> tuple[LineKind, ...]:
    """The kinds of lines that the canary prints and the baseline does not, most frequent first.

    Lines are given oldest first. Of two kinds that are as frequent the one seen last is first;
    empty lines are of no kind.
    """
    usual = {masked(line) for line in baseline}
    newest: dict[str, str] = {}
    counts: dict[str, int] = {}
    for line in canary:
        kind = masked(line)
        if kind and kind not in usual:
            newest.pop(kind, None)  # so that the order is that of the newest ones
            newest[kind] = line
            counts[kind] = counts.get(kind, 0) + 1
    found = [LineKind(line, counts[kind]) for kind, line in newest.items()]
    found.sort(key=lambda kind: kind.count)
    return tuple(reversed(found))
