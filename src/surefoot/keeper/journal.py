"""What the keeper did by itself, in a file of fixed size: a full disk cannot stop an entry."""

import json
import os
from pathlib import Path
from typing import NamedTuple

__all__ = ["Entry", "Journal"]

_SLOTS = 256
_SLOT_BYTES = 512
_WHY_CHARACTERS = 50  # six bytes each at worst, as JSON escapes them, so that a slot is enough


class Entry(NamedTuple):
    """One giving back: `n` counts from 1, `at` is in epoch seconds, `change` None had no lease."""

    n: int
    at: float
    service: str
    change: int | None
    why: str


class Journal:
    """A ring of entries; the oldest makes room for the newest."""

    def __init__(self, path: Path) -> None:
        self._file = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
        if not os.fstat(self._file).st_size:
            os.write(self._file, bytes(_SLOTS * _SLOT_BYTES))
        self.entries = self._load()

    def append(self, at: float, service: str, change: int | None, why: str) -> None:
        """Write an entry down in place, and see it on the disk."""
        n = self.entries[-1].n + 1 if self.entries else 1
        entry = Entry(n, at, service, change, why[:_WHY_CHARACTERS])
        self.entries = [*self.entries, entry][-_SLOTS:]
        os.pwrite(self._file, json.dumps(entry._asdict()).encode().ljust(_SLOT_BYTES), _offset(n))
        os.fdatasync(self._file)

    def _load(self) -> list[Entry]:
        whole = os.pread(self._file, _SLOTS * _SLOT_BYTES, 0)
        found: list[Entry] = []
        for at in range(0, len(whole), _SLOT_BYTES):
            try:
                found.append(Entry(**json.loads(whole[at : at + _SLOT_BYTES].strip(b"\0 "))))
            except (ValueError, TypeError):
                continue  # never written, or torn by a power cut: there is nothing to learn from it
        return sorted(found, key=lambda entry: entry.n)


def _offset(n: int) -> int:
    return n % _SLOTS * _SLOT_BYTES
