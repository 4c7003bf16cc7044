"""The coverage reports that checks left, read where they ran. Nothing in them fails a change."""

import os
import stat
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from surefoot.domain.coverage import Coverage, Hits, Report, added_lines, coverage, read_hits
from surefoot.domain.manifest import Check

__all__ = ["committed_reports", "coverage_of"]

LARGEST_REPORT = 32 << 20


class _Unread(Exception):  # noqa: N818 -- it is told with the change, and fails nothing
    """A report cannot be counted; says why, as it goes on after the report's name."""


def committed_reports(folder: Path, checks: Iterable[Check]) -> frozenset[str]:
    """Reports that are there before any check ran in this folder: their numbers may be old."""
    named = (check.coverage for check in checks if check.coverage)
    return frozenset(path for path in named if os.path.lexists(folder / path))


def coverage_of(
    patch: str, root: Path, folder: Path, checks: Sequence[Check], old: frozenset[str]
) -> Coverage:
    """What the reports of these checks tell of the lines that a diff adds.

    Args:
        patch: the unified diff of the change.
        root: its checkout; no report is read outside of that.
        folder: where the checks ran, in it.
        checks: those that name a report.
        old: reports that no check of this run can answer for.
    """
    added, base, inside = added_lines(patch), folder.resolve(), root.resolve()
    read: list[Hits] = []
    unread: list[str] = []
    for check in checks:
        try:
            hits, why = _hits(check, base, inside, added, old)
        except _Unread as error:
            why = str(error)
        else:
            read.append(hits)
        if why:
            unread.append(f"The coverage report of check {check.name} {why}: {check.coverage}.")
    return coverage(read, unread)


def _hits(
    check: Check, folder: Path, inside: Path, added: Mapping[str, set[int]], old: frozenset[str]
) -> tuple[Hits, str]:
    """What one report tells, and what of it cannot be counted. Raises `_Unread`."""
    if check.coverage is None or check.coverage in old:
        raise _Unread("is kept in the repository, where an old one passes for a new one")
    text = _text(folder / check.coverage, inside)
    hits = read_hits(Report(text, str(inside), str(folder)), added)
    if not hits.is_report:
        raise _Unread("is no LCOV tracefile")
    return hits, f"has {hits.malformed} DA records that cannot be read" if hits.malformed else ""


def _text(file: Path, inside: Path) -> str:
    """All of a regular file that truly lies in a folder, up to a limit. Raises `_Unread`."""
    try:
        real = file.resolve(strict=True)
        if not real.is_relative_to(inside):
            raise _Unread("leads out of the checkout")
        with open(real, "rb", opener=_descriptor) as opened:
            if not stat.S_ISREG(os.fstat(opened.fileno()).st_mode):
                raise _Unread("is no file")
            data = opened.read(LARGEST_REPORT + 1)
    except FileNotFoundError:
        raise _Unread("is not there") from None
    except (OSError, RuntimeError) as error:  # before Python 3.13 a loop of links is no OSError
        said = error.strerror if isinstance(error, OSError) else "its links lead in a circle"
        raise _Unread(f"cannot be read ({said})") from None
    if len(data) > LARGEST_REPORT:
        raise _Unread(f"is larger than {LARGEST_REPORT >> 20} MB")
    return data.decode(errors="replace")


def _descriptor(file: str, flags: int) -> int:
    """Of what is truly there: no link that came meanwhile, and no pipe that keeps us waiting."""
    return os.open(file, flags | os.O_NOFOLLOW | os.O_NONBLOCK)
