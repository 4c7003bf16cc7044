"""The lines of a recorded file, as often as one wants them and in a small memory."""

import gzip
import io
import shutil
import tempfile
import zlib
from collections.abc import Iterator
from functools import partial
from typing import IO

from surefoot.domain.errors import BadEvidence, OutsideFailed

__all__ = ["Recorded"]

_GZIP = b"\x1f\x8b"
_LONGEST_LINE = 1_000_000  # bytes; a tick of 1,000 bounds has 30,000
_BYTE_ORDER_MARK = "\N{ZERO WIDTH NO-BREAK SPACE}"


class Recorded:
    """JSON Lines of a file, plain or compressed by gzip; each `iter` begins anew.

    What can be read only once, such as a pipe, is first copied to a temporary file.
    """

    def __init__(self, file: IO[bytes], name: str) -> None:
        """Take an open file.

        Args:
            file: at its first line.
            name: what it is called in messages.

        Raises:
            OutsideFailed: there is no room for the copy.
        """
        self._name = name
        self._file = file if file.seekable() else _copied(file)
        self._start = self._file.tell()
        self._is_compressed = self._file.read(len(_GZIP)) == _GZIP

    def __iter__(self) -> Iterator[str]:
        """All lines, in order.

        Raises:
            BadEvidence: the file is not whole, or a line is not text or too long.
        """
        self._file.seek(self._start)
        plain = gzip.GzipFile(fileobj=self._file) if self._is_compressed else self._file
        try:
            raw_lines = iter(partial(plain.readline, _LONGEST_LINE + 1), b"")
            for number, raw in enumerate(raw_lines, 1):
                line = _text(raw, number)
                yield line.removeprefix(_BYTE_ORDER_MARK) if number == 1 else line
        except (gzip.BadGzipFile, EOFError, zlib.error) as error:
            raise BadEvidence(
                f"{self._name} is not whole: {error}.", cure="Take another copy of it."
            ) from error


def _text(raw: bytes, number: int) -> str:
    if len(raw) > _LONGEST_LINE:
        raise BadEvidence(
            f"Line {number} is longer than {_LONGEST_LINE:,} bytes.",
            cure="Write one row a line, ended by a line feed.",
        )
    try:
        return raw.decode()
    except UnicodeDecodeError as error:
        raise BadEvidence(
            f"Line {number} is not UTF-8: {error}.", cure="Write it anew, as UTF-8."
        ) from error


def _copied(file: IO[bytes]) -> IO[bytes]:
    """All of it in a nameless file that goes with the process."""
    copy = tempfile.TemporaryFile()  # noqa: SIM115 -- it stays open as long as its lines are wanted
    try:
        shutil.copyfileobj(file, copy, io.DEFAULT_BUFFER_SIZE * 16)
        copy.seek(0)
    except OSError as error:
        copy.close()
        raise OutsideFailed(
            f"What comes in cannot be copied to {tempfile.gettempdir()}: {error}.",
            cure="Set TMPDIR to a folder with room, or give the file by its name.",
        ) from error
    return copy
