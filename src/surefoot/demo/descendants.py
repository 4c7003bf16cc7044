"""All that runs below this process, children of children included, and the end of it."""

import contextlib
import ctypes
import os
import signal
import time
from collections.abc import Iterable, Iterator
from pathlib import Path

__all__ = ["LOOK_EVERY_S", "POLITE_S", "adopt_orphans", "end_descendants"]

PR_SET_CHILD_SUBREAPER = 36  # prctl(2)
POLITE_S = 4.0  # between SIGTERM and SIGKILL
END_LIMIT_S = 20.0
LOOK_EVERY_S = 0.05


def adopt_orphans() -> None:
    """From now on whoever below this process loses its parent gets this one (a *subreaper*)."""
    ctypes.CDLL(None, use_errno=True).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


def end_descendants() -> None:
    """SIGTERM once, SIGKILL after a while, until nothing below this process runs."""
    started = time.monotonic()
    told: set[int] = set()
    while time.monotonic() - started < END_LIMIT_S:
        _reap()
        left = list(_descendants())
        if not left:
            return
        if time.monotonic() - started > POLITE_S:
            _signal(left, signal.SIGKILL)
        else:
            _signal([pid for pid in left if pid not in told], signal.SIGTERM)
            told.update(left)
        time.sleep(LOOK_EVERY_S)


def _signal(processes: Iterable[int], what: signal.Signals) -> None:
    for pid in processes:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, what)


def _reap() -> None:
    with contextlib.suppress(ChildProcessError):
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass


def _descendants() -> Iterator[int]:
    """Every process below this one, parents before children."""
    children: dict[int, list[int]] = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            with contextlib.suppress(OSError):  # it ended while we looked
                behind_name = (entry / "stat").read_text().rpartition(")")[2].split()
                children.setdefault(int(behind_name[1]), []).append(int(entry.name))
    generation = children.get(os.getpid(), [])
    while generation:
        yield from generation
        generation = [child for parent in generation for child in children.get(parent, [])]
