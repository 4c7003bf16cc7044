"""Which of the lines that a change added no check has run: its diff beside coverage reports.

Reports are LCOV tracefiles (geninfo(1), "FILES"), of which three records matter: `SF:` names a
file, `DA:` says how often a line of it ran, `end_of_record` ends the file. A line counts when a
report knows that it can run; a file that no report names is not known, and not counted.
"""

import posixpath
import re
from collections.abc import Iterable, Iterator, Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from itertools import groupby

from surefoot.domain.text import fit

__all__ = ["Coverage", "Hits", "Report", "UntestedFile", "added_lines", "coverage", "read_hits"]

MOST_FILES, MOST_RANGES, LONGEST_PATH = 50, 200, 300

_HUNK = re.compile(r"@@ -[0-9]{1,9}(?:,([0-9]{1,9}))? \+([0-9]{1,9})(?:,([0-9]{1,9}))? @@")
_QUOTED = re.compile(rb'\\([0-7]{3}|[abtnvfr"\\])')
_MEANT = dict(zip(b'abtnvfr"\\', b'\a\b\t\n\v\f\r"\\', strict=True))
_FILE = re.compile(r"^SF:(.+)$", re.MULTILINE)
_LINE = re.compile(r"^DA:([0-9]{1,9}),(-?[0-9]+)(?:,.*)?\r?$", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class UntestedFile:
    """Lines of a file that no check ran: ranges of line numbers from 1, both ends included."""

    path: str
    lines: tuple[tuple[int, int], ...]


@dataclass(frozen=True, slots=True)
class Coverage:
    """What reports tell of the lines that a change added, numbered as its revision has them.

    `can_run` of them are known to be executable, and no check ran `untested` of those: the first
    stand in `files`, `left_out` do not. `unread` are sentences on reports, or parts of reports,
    that could not be counted.
    """

    can_run: int = 0
    untested: int = 0
    files: tuple[UntestedFile, ...] = ()
    left_out: int = 0
    unread: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Report:
    """An LCOV tracefile, and the absolute folders of the checkout and of the check that left it."""

    text: str
    root: str
    folder: str

    def place(self, name: str) -> str | None:
        """A file that it names, as the repository does; None where it lies outside of that.

        A relative name counts from the folder of the check.
        """
        path = posixpath.normpath(posixpath.join(self.folder, name))
        inside = path.startswith(f"{self.root}/")
        return path.removeprefix(f"{self.root}/") if inside else None


@dataclass(frozen=True, slots=True)
class Hits:
    """Whether lines that can run did run, by file; so many records could not be read.

    `is_report` is whether it was an LCOV tracefile at all.
    """

    lines: Mapping[str, Mapping[int, bool]]
    malformed: int
    is_report: bool


def added_lines(patch: str) -> dict[str, set[int]]:
    """The lines that a unified diff of git's adds to each file, numbered as they are after it."""
    found: dict[str, set[int]] = {}
    lines = iter(patch.split("\n"))
    name = ""
    for line in lines:
        if line.startswith("+++ "):
            name = _name(line.removeprefix("+++ "))
        elif hunk := _HUNK.match(line):
            found.setdefault(name, set()).update(_added(lines, hunk))
    return {name: added for name, added in found.items() if added}


def _added(lines: Iterator[str], hunk: re.Match[str]) -> Iterator[int]:
    """The added lines of a hunk, whose head counts them: what it adds may look like a head."""
    left, at, after = int(hunk[1] or 1), int(hunk[2]), int(hunk[3] or 1)
    end = at + after
    for line in lines:
        sign = line[:1]
        if sign == "+":
            yield at
        at += sign not in {"-", "\\"}
        left -= sign not in {"+", "\\"}
        if left <= 0 and at >= end:
            return


def _name(told: str) -> str:
    """The path behind `+++`; git quotes odd bytes as C does, and ends one with a space by a tab."""
    told = told.removesuffix("\t")
    if told.startswith('"'):
        told = _QUOTED.sub(_byte, told[1:-1].encode()).decode(errors="replace")
    return told.removeprefix("b/")


def _byte(quoted: re.Match[bytes]) -> bytes:
    told = quoted[1]
    return bytes([_MEANT[told[0]] if told[0] in _MEANT else int(told, 8) & 0xFF])


def read_hits(report: Report, added: Mapping[str, AbstractSet[int]]) -> Hits:
    """What a report tells of these lines; a line that it names twice ran if it ever did."""
    found: dict[str, dict[int, bool]] = {}
    malformed = 0
    _, *parts = _FILE.split(report.text)
    for name, told in zip(parts[::2], parts[1::2], strict=True):
        path = report.place(name.removesuffix("\r"))
        if path is None or path not in added:
            continue
        body, _, _ = told.partition("\nend_of_record")
        malformed += body.count("\nDA:")
        lines = found.setdefault(path, {})
        for record in _LINE.finditer(body):
            malformed -= 1
            line = int(record[1])
            if line in added[path]:
                lines[line] = lines.get(line, False) or _ran(record[2])
    return Hits(found, malformed, is_report=bool(parts))


def _ran(hits: str) -> bool:
    """Whether a count is over zero; of any length, and negative where a counter ran over."""
    return not hits.startswith("-") and hits.strip("0") != ""


def coverage(reports: Iterable[Hits], unread: Iterable[str] = ()) -> Coverage:
    """What the reports of all checks come to: a line is tested when any of them ran it."""
    ran: dict[str, dict[int, bool]] = {}
    for report in reports:
        for path, lines in report.lines.items():
            known = ran.setdefault(path, {})
            for line, hit in lines.items():
                known[line] = known.get(line, False) or hit
    untested = {
        path: [line for line, hit in sorted(lines.items()) if not hit]
        for path, lines in sorted(ran.items())
        if not all(lines.values())
    }
    files = tuple(_shown(untested))
    total = sum(map(len, untested.values()))
    shown = sum(last - first + 1 for file in files for first, last in file.lines)
    return Coverage(
        can_run=sum(map(len, ran.values())),
        untested=total,
        files=files,
        left_out=total - shown,
        unread=tuple(unread),
    )


def _shown(untested: Mapping[str, list[int]]) -> Iterator[UntestedFile]:
    """The first files and ranges: what is kept with a change is bounded."""
    room = MOST_RANGES
    for path in list(untested)[:MOST_FILES]:
        ranges = tuple(_ranges(untested[path]))[:room]
        if ranges:
            yield UntestedFile(fit(path, LONGEST_PATH), ranges)
        room -= len(ranges)


def _ranges(lines: list[int]) -> Iterator[tuple[int, int]]:
    """Rising numbers as ranges: those of one range lie equally far from their index."""
    for _, group in groupby(enumerate(lines), lambda pair: pair[1] - pair[0]):
        numbers = [line for _, line in group]
        yield numbers[0], numbers[-1]
