"""Small files that are read while they are written, and must be whole at any moment."""

import os
import shutil
from pathlib import Path

__all__ = ["BEGINNING", "ends", "read_text", "tail", "trim", "write_text"]

BEGINNING = 64_000  # bytes of a log that stay, however long it gets


def read_text(path: Path) -> str | None:
    """The text of a file, or None when there is none."""
    try:
        return path.read_text(encoding="utf-8")
    except FileNotFoundError:
        return None


def write_text(path: Path, text: str) -> None:
    """Replace a file in one step, readable by this user alone."""
    staged = path.with_name(f".{path.name}.new")
    handle = os.open(staged, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(handle, "w", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        os.fsync(handle)  # an empty file after a power cut could not be read at the next start
    staged.replace(path)


def tail(path: Path, size: int) -> list[str]:
    """The whole lines within the last `size` bytes of a file, whatever its encoding."""
    start = max(0, _size(path) - size)
    content = _read(path, start, size)
    return _lines(_after_a_cut(content) if start else content)


def ends(log: Path, last: int) -> tuple[list[str], list[str]]:
    """The whole lines with which a log began, and those within its last so many bytes.

    What `trim` set aside belongs to it. No line is told twice: a log that is no longer than
    `last` has only last lines.
    """
    began, before = _aside(log, 0), _aside(log, 1)
    size = _size(log)
    if not began.exists() and size <= last:
        return [], _lines(_read(log, 0, last))
    if began.exists():
        head = _read(began, 0, BEGINNING)
    else:
        head = _read(log, 0, min(BEGINNING, size - last))
    end = _read(log, max(0, size - last), last)
    missing = last - len(end)
    end = _read(before, max(0, _size(before) - missing), missing) + end
    return _lines(head[: head.rfind(b"\n") + 1]), _lines(_after_a_cut(end))


def trim(log: Path, size: int) -> None:
    """Set a log that outgrew `size` bytes aside as `.1`, by copy: its writers keep it open.

    How the first one began is kept as `.0`: a release says there what it never says again.
    """
    if _size(log) > size:
        began = _aside(log, 0)
        if not began.exists():
            began.write_bytes(_read(log, 0, BEGINNING))
        shutil.copyfile(log, _aside(log, 1))
        os.truncate(log, 0)


def _aside(log: Path, number: int) -> Path:
    return log.with_name(f"{log.name}.{number}")


def _size(file: Path) -> int:
    try:
        return file.stat().st_size
    except FileNotFoundError:
        return 0


def _read(file: Path, start: int, size: int) -> bytes:
    try:
        with file.open("rb") as opened:
            opened.seek(start)
            return opened.read(size)
    except FileNotFoundError:
        return b""


def _after_a_cut(content: bytes) -> bytes:
    """Without the rest of the line in which it begins."""
    return content.partition(b"\n")[2]


def _lines(content: bytes) -> list[str]:
    return content.decode(errors="replace").splitlines()
