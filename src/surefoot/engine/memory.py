"""What the engine holds of a service's changes, and how it gets at the rest.

It holds what can still matter (`retention`); all the others are in the store's archive, so that a
long history costs neither time nor memory.
"""

import logging

from surefoot.config.manifest import parse_manifest
from surefoot.domain.change import Change
from surefoot.domain.errors import SurefootError
from surefoot.domain.lane import live_ones
from surefoot.domain.lifecycle import Phase
from surefoot.domain.retention import BEFORE_LIVE, LED_BACK, that_matter
from surefoot.engine.run import Outside, ServiceRun

__all__ = ["known", "lay_aside", "load_manifests", "recall_last_live"]

log = logging.getLogger(__name__)


async def known(outside: Outside, run: ServiceRun, number: int) -> Change | None:
    """A change of this service as it is now, held or archived; None when there is none."""
    held = run.changes.get(number)
    if held is not None:
        return held
    return next(iter(await outside.store.find(number, run.name)), None)


async def recall_last_live(outside: Outside, run: ServiceRun) -> None:
    """Hold what users may be led back to, now that something was undone.

    All of these are recalled, also those that are held: one may be held without its family. The
    turn is left to orders meanwhile: an undo must not wait for the archive.

    Raises:
        OutsideFailed: the store cannot tell now; what is held is as it was.
    """
    async with run.archiving:
        last = await outside.store.last_live(run.name, LED_BACK)
        for change in await outside.store.recall(run.name, last):
            run.changes.setdefault(change.number, change)  # what is held is newer
    await load_manifests(outside, run)


async def lay_aside(outside: Outside, run: ServiceRun) -> None:
    """Leave to the archive what cannot matter any more, and of which nothing runs.

    What waits to be written down goes first: the archive must not answer with an older state.

    Raises:
        OutsideFailed: the store cannot take it now; all is held as it was.
    """
    running = await outside.target.running(run.name)
    async with run.archiving, run.turn:
        if run.unsaved:
            return
        busy = {number for number, _ in run.jobs}.union(running)
        rest = run.changes.keys() - that_matter(tuple(run.changes.values())) - busy
        if rest:
            await outside.store.archive(run.name, rest)
            run.let_go(rest)


async def load_manifests(outside: Outside, run: ServiceRun) -> None:
    """The manifests of what is on its way, and of what guards or may guard again after undos.

    A placebo has none of its own: it runs, and is guarded, as what is live.
    """
    changes, lane = run.changes.values(), run.lane
    led_back = live_ones(tuple(changes))[: 1 + BEFORE_LIVE]
    applied = (one for one in changes if one.phase is Phase.APPLIED)
    exposed = (lane.exposed,) if lane.exposed else ()
    for change in (*led_back, *exposed, *lane.waiting, *applied):
        if change.number not in run.manifests and not change.placebo:
            await _load_manifest(outside, run, change)


async def _load_manifest(outside: Outside, run: ServiceRun, change: Change) -> None:
    folder = run.record.folder
    path = f"{folder}/surefoot.toml" if folder else "surefoot.toml"
    try:
        text = await outside.scm.read(run.name, change.revision, path)
        if text is not None:
            run.manifests[change.number] = parse_manifest(text, place=path, folder=folder)
            run.texts[change.number] = text
    except SurefootError as error:
        log.warning("%s %s: its manifest cannot be read: %s", run.name, change.number, error)
