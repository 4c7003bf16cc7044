"""What the keeper gave back, in a text file of fixed size: a full disk cannot stop an entry."""

import os
import re
from pathlib import Path
from typing import NamedTuple

__all__ = ["Entry", "Journal"]

_LINES = 256
_LINE_BYTES = 256
_ENTRY = re.compile(rb"^(\d+) (\d+\.\d+) (\S+) (\d+) (.*?) *$", re.MULTILINE)


class Entry(NamedTuple):
    """One giving back: `n` counts from 1, `at` is in epoch seconds."""

    n: int
    at: float
    service: str
    change: int
    why: str


class Journal:
    """A ring of lines; the oldest makes room for the newest."""

    def __init__(self, path: Path) -> None:
        self._file = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
        if not os.fstat(self._file).st_size:
            os.write(self._file, b"\n".rjust(_LINE_BYTES) * _LINES)

    def append(self, at: float, service: str, change: int, why: str) -> None:
        """Write an entry down in place, as far as it fits, and see it on the disk."""
        n = max((entry.n for entry in self.entries()), default=0) + 1
        text = f"{n} {at:.3f} {service} {change} {' '.join(why.split())}".encode(errors="replace")
        line = text[: _LINE_BYTES - 1].ljust(_LINE_BYTES - 1) + b"\n"
        os.pwrite(self._file, line, n % _LINES * _LINE_BYTES)
        os.fdatasync(self._file)

    def entries(self) -> list[Entry]:
        """The oldest first. A line that is no entry was never written, or torn by a power cut."""
        found = _ENTRY.findall(os.pread(self._file, _LINES * _LINE_BYTES, 0))
        return sorted(
            Entry(int(n), float(at), service.decode(), int(change), why.decode(errors="replace"))
            for n, at, service, change, why in found
        )
