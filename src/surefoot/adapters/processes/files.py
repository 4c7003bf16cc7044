"""Small files that are read while they are written, and must be whole at any moment."""

import os
import shutil
from pathlib import Path

__all__ = ["read_text", "tail", "trim", "write_text"]


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
    try:
        with path.open("rb") as file:
            start = max(0, file.seek(0, os.SEEK_END) - size)
            file.seek(start)
            lines = file.read(size).decode(errors="replace").splitlines()
    except FileNotFoundError:
        return []
    return lines[1:] if start else lines


def trim(log: Path, size: int) -> None:
    """Set a log that outgrew `size` bytes aside as `.1`, by copy: its writers keep it open."""
    if log.exists() and log.stat().st_size > size:
        shutil.copyfile(log, log.with_name(f"{log.name}.1"))
        os.truncate(log, 0)
