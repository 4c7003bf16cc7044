"""The courses of changes that somebody looks at, judged again from their files of evidence.

Nobody pays for what nobody looks at: the watch keeps no course. Here one is made at the first
question, in a thread, and at each further one goes on with what was appended meanwhile.
"""

import asyncio
import logging
import zlib
from collections import OrderedDict
from pathlib import Path

from surefoot.analysis.replay import Judged, Replay
from surefoot.domain.errors import BadEvidence
from surefoot.engine.evidence import evidence_part, evidence_size, evidence_text, has_evidence

__all__ = ["KEPT", "Courses"]

log = logging.getLogger(__name__)
KEPT = 8  # courses; who asks for a ninth lets go of the one that was least recently asked for
# Arithmetic and value errors: figures beyond all measure.
UNREADABLE = (BadEvidence, ArithmeticError, ValueError, OSError, EOFError, zlib.error)


class Courses:
    """The courses that were asked for lately, by their files."""

    def __init__(self) -> None:
        """Nobody asked yet."""
        self._kept: OrderedDict[Path, _Followed] = OrderedDict()

    async def of(self, file: Path) -> Judged | None:
        """What the evidence says now, and how it came to that; the same as the live judge says.

        None when there is no evidence, or none that can be read: the log says why. Questions that
        come while the first is being answered get the same answer.
        """
        followed = self._kept.setdefault(file, _Followed(file))
        self._kept.move_to_end(file)
        if len(self._kept) > KEPT:
            self._kept.popitem(last=False)
        return await followed.asked()


class _Followed:
    """One file, and as much of it as was judged."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self._work: asyncio.Task[Judged | None] | None = None
        self._begin_anew()

    def _begin_anew(self) -> None:
        self._replay = Replay()
        self._offset = 0
        self._judged: Judged | None = None
        self._is_over = False  # nothing will be added, or nothing could be read

    async def asked(self) -> Judged | None:
        """Who leaves while he waits does not end the work: a thread cannot be called back."""
        if self._work is None or self._work.done():
            self._work = asyncio.create_task(self._catch_up())
        return await asyncio.shield(self._work)

    async def _catch_up(self) -> Judged | None:
        # Looked up here, not in the thread: the watch writes whole ticks from this loop.
        size = evidence_size(self._file)
        is_there = size is not None or has_evidence(self._file)
        if not is_there or (size is not None and size < self._offset):
            self._begin_anew()
        if is_there and not self._is_over and size != self._offset:
            try:
                await asyncio.to_thread(self._read, size)
            except UNREADABLE as error:
                log.warning("the course of %s is not shown: %s", self._file, error)
                self._judged, self._is_over = None, True
        return self._judged

    def _read(self, size: int | None) -> None:
        """Judge what is there up to `size`; all of it if it is compressed."""
        if size is None:
            self._read_all()
            return
        try:
            self._take(evidence_part(self._file, self._offset, size))
        except FileNotFoundError:  # it was compressed at this very moment
            self._read_all()
        except BadEvidence:
            if not self._offset:
                raise
            self._begin_anew()  # what was read before may have been replaced since
            self._take(evidence_part(self._file, 0, size))

    def _read_all(self) -> None:
        self._begin_anew()
        self._take(evidence_text(self._file).encode())
        self._is_over = True

    def _take(self, part: bytes) -> None:
        whole = part[: part.rfind(b"\n") + 1]  # a torn last line waits for its other half
        if whole:
            self._judged = self._replay.take(whole.decode(errors="replace").split("\n")[:-1])
            self._offset += len(whole)
