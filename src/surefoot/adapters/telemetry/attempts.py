"""Latency from the proxy's attempt log: one JSON row for each attempt, binned here.

An endpoint's counters have no histogram, and the proxy charges a failed-over answer to the arm
that was asked; a row names the host that answered.
"""

import math
import os
from bisect import bisect_left
from collections.abc import Iterable, Mapping
from io import BufferedReader
from pathlib import Path

import msgspec

__all__ = ["BOUNDS_S", "AttemptLog", "Bins", "cumulative"]

_E24 = (  # IEC 60063
    10, 11, 12, 13, 15, 16, 18, 20, 22, 24, 27, 30,
    33, 36, 39, 43, 47, 51, 56, 62, 68, 75, 82, 91,
)  # fmt: skip
_LONGEST_S = 60.0

BOUNDS_S: tuple[float, ...] = tuple(
    bound
    for exponent in range(-4, 1)
    for step in _E24
    if (bound := float(f"{step}e{exponent}")) <= _LONGEST_S
)
"""Upper bounds in seconds: the E24 series from 1 ms to 60 s (`judge.md`)."""

Bins = list[int]
"""Counts by bound, not cumulative; the last one is for what took longer than any bound."""

_READ_BYTES = 16_000_000  # in one go; the rest comes with the next look


class _Row(msgspec.Struct):
    host: str | None = None
    code: int = 0
    ms: float | None = None


class AttemptLog:
    """Reads what is new in the log, across its rotation by rename or by truncation."""

    def __init__(self, path: Path) -> None:
        """Take the log's path. Rows that it has at the first `read` are the past and skipped."""
        self._path = path
        self._file: BufferedReader | None = None
        self._began = False
        self._rest = b""
        self._rows = msgspec.json.Decoder(_Row, strict=False)
        self._bins: dict[str, Bins] = {}

    @property
    def found(self) -> bool:
        """Whether there is a log at all; without one, latency is unknown and not zero."""
        return self._file is not None

    def read(self) -> None:
        """Bin every row that was written since the last time."""
        if self._file is None:
            self._file = self._opened(skip=not self._began)
            self._began = True
        if self._file is None:
            return
        self._take(self._file)
        if self._replaced(self._file):
            self._take(self._file)  # what was written between the two looks
            self._file.close()
            self._rest = b""
            self._file = self._opened(skip=False)
            if self._file is not None:
                self._take(self._file)

    def taken(self, hosts: Iterable[str]) -> Bins:
        """The answers of these hosts since they were last taken, summed."""
        found = [self._bins.pop(host) for host in hosts if host in self._bins]
        return [sum(counts) for counts in zip(*found, strict=True)] if found else _empty()

    def close(self) -> None:
        """Let the file go."""
        if self._file is not None:
            self._file.close()
            self._file = None

    def _opened(self, *, skip: bool) -> BufferedReader | None:
        try:
            file = self._path.open("rb")
        except FileNotFoundError:
            return None
        if skip:
            file.seek(0, os.SEEK_END)
        return file

    def _replaced(self, file: BufferedReader) -> bool:
        try:
            return not os.path.samestat(os.fstat(file.fileno()), self._path.stat())
        except FileNotFoundError:  # renamed away, and the new one is not there yet
            return False

    def _take(self, file: BufferedReader) -> None:
        if os.fstat(file.fileno()).st_size < file.tell():  # truncated
            file.seek(0)
            self._rest = b""
        text = self._rest + file.read(_READ_BYTES)
        whole, newline, self._rest = text.rpartition(b"\n")
        if newline:
            for row in self._decoded(whole):
                self._count(row)

    def _decoded(self, lines: bytes) -> Iterable[_Row]:
        try:
            return self._rows.decode_lines(lines)
        except msgspec.DecodeError:  # one torn line must not cost its neighbours
            return self._each_decoded(lines)

    def _each_decoded(self, lines: bytes) -> Iterable[_Row]:
        for line in lines.split(b"\n"):
            try:
                yield self._rows.decode(line)
            except msgspec.DecodeError:
                continue

    def _count(self, row: _Row) -> None:
        # Code 0 is an attempt without an answer: refused, reset, or given up by the user.
        if row.host is None or row.ms is None or not row.code:
            return
        bins = self._bins.setdefault(row.host, _empty())
        bins[bisect_left(BOUNDS_S, row.ms / 1000)] += 1


def cumulative(bins: Bins) -> Mapping[float, float]:
    """Counts by upper bound as a histogram has them: each bound counts all below it too."""
    counted, below = {}, 0
    for bound, count in zip((*BOUNDS_S, math.inf), bins, strict=True):
        below += count
        counted[bound] = float(below)
    return counted


def _empty() -> Bins:
    return [0] * (len(BOUNDS_S) + 1)
