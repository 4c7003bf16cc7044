"""The path of a change: every phase with its seconds, and where it waits."""

from collections.abc import Iterator
from dataclasses import dataclass

from surefoot.analysis.replay import Judged
from surefoot.drawing.figures import percent
from surefoot.engine.status import ChangeStatus

__all__ = ["Stop", "path"]

_OUT = {"rolling_out", "verifying"}
_LIVE = {"verified", "accepted", "adopted"}
_BACK = {"restoring", "not_restored", "restored"}


@dataclass(frozen=True, slots=True)
class Stop:
    """One stop: `state` is done, now, open, failed or back; `seconds` is None until known."""

    name: str
    state: str
    seconds: float | None = None


def path(change: ChangeStatus, judged: Judged | None) -> tuple[Stop, ...]:
    """All stops, in order; those never reached are left out once it is over."""
    stops = [*_ready(change), *_shares(change, judged), *_end(change)]
    over = change.final or change.phase in _LIVE
    return tuple(stop for stop in stops if not (over and stop.state == "open"))


def _ready(change: ChangeStatus) -> Iterator[Stop]:
    running = change.phase == "getting_ready"
    before = all(part.state == "done" for part in change.parts if part.name != "rehearsal")
    for part in change.parts:
        begun = running and (before or part.name != "rehearsal")  # which comes after all others
        state = "now" if part.state == "open" and begun else part.state
        yield Stop(part.name, state, part.seconds)
    queued = change.times.queued_s
    if change.phase == "queued" or queued is not None:
        yield Stop("its turn", "now" if queued is None else "done", queued)


def _shares(change: ChangeStatus, judged: Judged | None) -> Iterator[Stop]:
    """Each share that users were given, and for how long."""
    if not change.steps:
        return
    lasted = _lasted(judged)
    met = [share for share in change.steps if percent(share) in lasted]
    latest = met[-1] if met else None
    for share in change.steps:
        name = percent(share)
        if change.phase in _OUT and abs(change.share - share) < 1e-6:  # noqa: PLR2004 -- shares have six decimals
            yield Stop(name, "now", lasted.get(name))
        elif name in lasted or change.phase in _LIVE:
            undone = change.phase in _BACK and share == latest
            yield Stop(name, "back" if undone else "done", lasted.get(name))
        elif change.phase not in _BACK:
            yield Stop(name, "open")


def _lasted(judged: Judged | None) -> dict[str, float]:
    """Seconds at each share, by how it is written."""
    if judged is None or not judged.course.moves:
        return {}
    moves = [move for move in judged.course.moves if move.what.endswith("%")]
    last = judged.course.last
    end = last.at if last and last.at is not None else moves[-1].at if moves else 0.0
    found: dict[str, float] = {}
    for move, until in zip(moves, [*(one.at for one in moves[1:]), end], strict=True):
        found[move.what] = found.get(move.what, 0.0) + max(0.0, until - move.at)
    return found


def _end(change: ChangeStatus) -> Iterator[Stop]:
    times = change.times
    if change.phase in _BACK:
        yield Stop("undone", "done" if times.undo_s is not None else "now", times.undo_s)
        there = "now" if times.undo_s is not None else "open"
        well = "done" if change.phase == "restored" else there
        yield Stop("users well", well, times.restoring_s)
    elif change.phase in _LIVE:
        yield Stop(change.phase, "done", times.exposed_to_verdict_s)
    elif change.final:
        yield Stop(change.phase, "failed")
    else:
        yield Stop("verified", "open")
