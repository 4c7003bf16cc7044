"""The files in which the ticks of changes are kept: plain while they grow, compressed afterwards.

A file goes by its plain name, `41.jsonl`, whether or not it is compressed by now.
"""

import gzip
import os
import shutil
import zlib
from pathlib import Path

from surefoot.analysis.plan import JudgePlan
from surefoot.analysis.record import parse_line
from surefoot.analysis.ticks import Row
from surefoot.domain.errors import BadEvidence

__all__ = [
    "compress",
    "cut_torn_line",
    "evidence_part",
    "evidence_size",
    "evidence_text",
    "has_evidence",
    "read_evidence",
]


def has_evidence(file: Path) -> bool:
    """Whether anything was ever written into it."""
    return file.exists() or _compressed(file).exists()


def evidence_text(file: Path) -> str:
    """All of it, as `surefoot judge` reads it. Raises `OSError` when there is none."""
    try:
        return file.read_text(encoding="utf-8", errors="replace")
    except FileNotFoundError:
        with gzip.open(_compressed(file), "rt", encoding="utf-8", errors="replace") as opened:
            return opened.read()


def evidence_size(file: Path) -> int | None:
    """Bytes of it while it grows; None when it does not, as it is compressed or was never begun."""
    try:
        return file.stat().st_size
    except FileNotFoundError:
        return None


def evidence_part(file: Path, start: int, end: int) -> bytes:
    """What stands in it between two places, in bytes.

    Raises:
        OSError: it cannot be read, or is compressed by now.
    """
    with file.open("rb") as opened:
        opened.seek(start)
        return opened.read(end - start)


def read_evidence(file: Path) -> tuple[JudgePlan, list[Row]]:
    """The plan and rows of an evidence file. A torn last line is left out: it was never judged.

    Raises:
        BadEvidence: there is none, or it is not what was once written.
    """
    try:
        lines = evidence_text(file).split("\n")
    except (OSError, EOFError, zlib.error) as error:
        raise BadEvidence(f"{file} cannot be read: {error}.", cure="It is left out.") from error
    parsed = [parse_line(line, number) for number, line in enumerate(lines[:-1], 1) if line]
    plans = [row for row in parsed if isinstance(row, JudgePlan)]
    rows = [row for row in parsed if not isinstance(row, JudgePlan)]
    return (plans[0] if plans else JudgePlan()), rows


def cut_torn_line(file: Path) -> None:
    """Cut off half a line that a kill left at its end: what is appended would spoil all of it.

    Raises:
        BadEvidence: the disk does not take it.
    """
    if not file.exists():
        return
    try:
        with file.open("rb+") as opened:
            opened.truncate(opened.read().rfind(b"\n") + 1)
    except OSError as error:
        raise BadEvidence(f"{file} cannot be mended: {error}.", cure="It begins anew.") from error


def compress(file: Path) -> None:
    """Compress it, whole or not at all: the plain one goes when the other is on the disk.

    Raises:
        OSError: the disk did not take it; the plain one is as it was.
    """
    fresh = file.with_name(f".{file.name}.gz.new")
    try:
        with file.open("rb") as plain, fresh.open("wb") as raw:
            with gzip.open(raw, "wb") as packed:
                shutil.copyfileobj(plain, packed)
            raw.flush()
            os.fsync(raw.fileno())
        fresh.replace(_compressed(file))
    except OSError:
        fresh.unlink(missing_ok=True)
        raise
    file.unlink()


def _compressed(file: Path) -> Path:
    return file.with_name(f"{file.name}.gz")
