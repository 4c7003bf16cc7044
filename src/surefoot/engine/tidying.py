"""What settled changes leave behind is put away, so that many changes need little more than few."""

import asyncio
import logging
import re
from pathlib import Path

from surefoot.domain.errors import OutsideFailed
from surefoot.domain.lifecycle import FINAL, LIVE
from surefoot.domain.retention import to_keep_built
from surefoot.engine.evidence import compress
from surefoot.engine.run import Outside, ServiceRun

__all__ = ["put_away"]

A_RELEASE = re.compile(r"\.?(\d+)(?:\.gone)?")  # or what is left of one
log = logging.getLogger(__name__)


async def put_away(outside: Outside, run: ServiceRun, releases: Path) -> None:
    """Remove builds that nobody goes back to, and compress evidence to which nothing is added.

    A change that this version cannot read is left as it is, with all that it has.
    """
    running = set(await outside.target.running(run.name))
    settled = {one.number for one in run.changes.values() if one.phase in FINAL | LIVE}
    kept = to_keep_built(tuple(run.changes.values())) | running
    try:
        for number in sorted((settled & _built(releases)) - kept):
            await outside.scm.discard(releases / str(number))
    except OutsideFailed as failed:
        log.warning("%s: %s", run.name, failed)
    for number in sorted(settled - _watched(run)):
        file = run.watch.evidence(number)
        if file.exists():
            await asyncio.to_thread(compress, file)


def _built(releases: Path) -> set[int]:
    """The numbers of all releases of which there is anything."""
    if not releases.is_dir():
        return set()
    found = (A_RELEASE.fullmatch(path.name) for path in releases.iterdir())
    return {int(name[1]) for name in found if name}


def _watched(run: ServiceRun) -> set[int]:
    exposure = run.watch.exposure
    return {exposure.change} if exposure else set()
