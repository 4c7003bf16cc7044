"""Space set aside while there was room, for what must be kept when there is none.

Two slots, written in turn, so that a write which is cut off leaves the one before it whole.
"""

import os
import struct
import zlib
from pathlib import Path

__all__ = ["Journal"]

SLOT_BYTES = 1 << 20
SLOTS = 2
OWNER_ONLY = 0o600
_HEAD = struct.Struct(">QII")  # which write it was, length, CRC-32 of both and what follows


class Journal:
    """One piece of text that survives a full disk and the end of the process."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def prepare(self) -> None:
        """Take the space. Raises `OSError` where there is none."""
        descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, OWNER_ONLY)
        try:
            os.posix_fallocate(descriptor, 0, SLOTS * SLOT_BYTES)
        finally:
            os.close(descriptor)

    def write(self, data: bytes) -> None:
        """Keep this instead of what was kept before.

        Raises:
            OSError: it is too large for the space, or the disk does not take it.
        """
        if len(data) > SLOT_BYTES - _HEAD.size:
            raise OSError(f"{len(data)} bytes do not fit into {self._path}")
        turn = max((turn for turn, _ in self._slots()), default=0) + 1
        head = _HEAD.pack(turn, len(data), _crc(turn, data))
        descriptor = os.open(self._path, os.O_WRONLY | os.O_CLOEXEC)
        try:
            os.pwrite(descriptor, head + data, turn % SLOTS * SLOT_BYTES)
            os.fdatasync(descriptor)
        finally:
            os.close(descriptor)

    def read(self) -> bytes:
        """What was kept last; nothing where nothing was, or nothing whole is left."""
        return max(self._slots(), default=(0, b""))[1]

    def _slots(self) -> list[tuple[int, bytes]]:
        """Every slot that is whole: which write it was, and what it holds."""
        try:
            text = self._path.read_bytes()
        except FileNotFoundError:
            return []
        found = []
        for start in range(0, len(text) - _HEAD.size + 1, SLOT_BYTES):
            turn, length, crc = _HEAD.unpack_from(text, start)
            data = text[start + _HEAD.size : start + _HEAD.size + length]
            if turn and len(data) == length and _crc(turn, data) == crc:
                found.append((turn, data))
        return found


def _crc(turn: int, data: bytes) -> int:
    return zlib.crc32(data, zlib.crc32(f"{turn} {len(data)}".encode()))
