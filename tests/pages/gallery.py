"""A change in every state, and services to hold them: what the pages must be able to show.

`Gallery` serves them as a control plane does; hostile strings can stand in every field that a
user, a commit or a service fills.
"""

import asyncio
import gzip
from collections.abc import AsyncIterator
from dataclasses import dataclass, field, replace
from functools import cache
from pathlib import Path
from time import time

from recorded import ANN, BO, FIRST, Recorded, _service

from surefoot.analysis.replay import Judged, Replay
from surefoot.domain.change import Person
from surefoot.domain.errors import NotFound
from surefoot.domain.verdict import Level
from surefoot.engine.status import (
    ChangeStatus,
    CoverageStatus,
    Harmed,
    MetricStatus,
    PartStatus,
    PromiseStatus,
    ServiceStatus,
    Times,
    UndoStatus,
    UntestedFileStatus,
    VerdictStatus,
    WaitStatus,
)
from surefoot.ports import Entry, LogQuery

CORPUS = Path(__file__).parents[1] / "corpus"
NOW = time()
BEGAN = NOW - 60.0


PROMISES = (
    PromiseStatus(
        expects="export_p95 falls by 10%",
        metric="export_p95",
        kind="latency",
        met=False,
        says="not seen yet: export_p95 falls by 10%: 810 ms to 740 ms, evidence 3.2 of 20",
        canary=0.74,
        baseline=0.81,
        evidence=3.2,
        needed=20.0,
    ),
    PromiseStatus(
        expects="export used",
        metric="export",
        kind="counter",
        met=True,
        says="as designed: export used: 214 times",
        canary=214.0,
        baseline=None,
        evidence=None,
        needed=None,
    ),
)


def metric(name: str, word: str, canary: tuple[int, int], baseline: tuple[int, int]):
    """A ratio, new beside old."""
    harm = 140.0 if word == "worse" else 1.0
    ok = 24.0 if word == "verified" else 3.0
    counts = (*canary, *baseline)
    return MetricStatus(name, word, "at most +1 point or x2", harm, ok, True, *counts, None)


def verdict(word: str, evidence: float, *metrics: MetricStatus) -> VerdictStatus:
    """A verdict on these metrics."""
    worst = next((one.name for one in metrics if one.word == word), None)
    because = f"{word}: {worst or 'errors'} decided it"
    return VerdictStatus(
        word=word,
        because=because,
        at_s=40.0,
        metric=worst,
        evidence=evidence,
        ratio=None,
        metrics=metrics,
        warnings=(),
        promises=PROMISES,
    )


WELL = metric("errors", "watching", (9, 900), (81, 8100))
PROVEN = metric("errors", "verified", (9, 900), (81, 8100))
HARMFUL = metric("errors", "worse", (39, 210), (19, 1900))
MEMORY = MetricStatus(
    "memory", "watching", None, 2.0, 1.0, False, 0, 0, 0, 0, Level(1.2e8, 1.1e8, 9, 2.0, 0.1)
)
SLOW = replace(
    metric("latency", "watching", (31, 900), (243, 8100)),
    margin="at most +5 points or x1.25",
    slower_than=(0.25, 0.2),
)
CHECKOUT = metric("checkout_errors", "watching", (21, 1549), (34, 4477))
READY = tuple(PartStatus(name, "done", 4.2, "fine") for name in ("checks", "review", "build"))
UNDO = UndoStatus(possible=True, seconds=0.4, says="Undo 41 (0.400 s)", number=41, back_to=40)
NO_UNDO = UndoStatus(possible=False, seconds=None, says="Nothing to undo: all users are on 40")
HARMLESS = Harmed(900, 9, 9.0)
UNTESTED = CoverageStatus(
    says="6 of 38 added lines that can run were run by no check with a coverage report: "
    "who can test them?",
    can_run=38,
    untested=6,
    files=(
        UntestedFileStatus("export/csv.py", "12-14"),
        UntestedFileStatus("<script>.py", "20"),
    ),
    left_out=2,
    unread=("The coverage report of check slow is not there: cov/lcov.info.",),
)

AT_WORK = replace(
    FIRST,
    number=41,
    why="faster export",
    base_number=40,
    parts=(*READY, PartStatus("rehearsal", "done", 0.48, "")),
    undo=UNDO,
    coverage=UNTESTED,
    proposed_at=BEGAN - 30.0,
    forecast="",
    harmed=Harmed(0, 0, 0.0),
    times=Times(3.0),
)
WATCHED = replace(
    AT_WORK,
    phase="rolling_out",
    share=0.1,
    exposed_at=BEGAN,
    because="Watching: about 40 s more for errors",
    forecast="If it is harmless, verified in about 40 s more (nine in ten within 70 s).",
    verdict=verdict("watching", 0.8, WELL, SLOW, CHECKOUT, MEMORY),
    harmed=HARMLESS,
)
HARMED = replace(WATCHED, verdict=verdict("worse", 140.0, HARMFUL, MEMORY), forecast="")
RESTORED = replace(
    HARMED,
    phase="restored",
    share=0.0,
    final=True,
    cause="harm",
    worse="errors",
    because="Errors: canary 39 of 210 bad, baseline 19 of 1900; WORSE",
    verdict=None,
    undo=NO_UNDO,
    harmed=Harmed(210, 39, 2.1),
    verdict_at=BEGAN + 4.0,
    given_back_at=BEGAN + 4.1,
    ended_at=BEGAN + 14.0,
    times=Times(3.0, undo_s=0.05, restoring_s=10.0, exposed_to_verdict_s=4.0),
    next=("git revert abc1234 && surefoot ship",),
)
ASKED = WaitStatus("a person", BEGAN, NOW + 1800.0, "it is restored")

STATES: dict[str, ChangeStatus] = {
    "getting_ready": replace(
        AT_WORK,
        phase="getting_ready",
        because="It waits for somebody's review.",
        parts=(READY[0], PartStatus("review", "open", None, "")),
        wait=WaitStatus("a person", BEGAN, NOW + 80_000.0, "it is rejected"),
        position=2,
        expected_start_s=180.0,
        forecast="At 200 requests/s it is verified in about 100 s.",
    ),
    "queued": replace(AT_WORK, phase="queued", because="It waits for 40 ahead of it.", position=1),
    "held": replace(
        AT_WORK,
        phase="queued",
        because="Held by Bo: market day",
        wait=WaitStatus("a hold", BEGAN, None, ""),
        next=('surefoot resume shop --because "..."',),
    ),
    "rolling_out": WATCHED,
    "looks_worse": replace(
        WATCHED, verdict=verdict("watching", 34.0, replace(WELL, canary_bad=20), MEMORY)
    ),
    "undecided": replace(WATCHED, phase="verifying", share=0.5, wait=ASKED),
    "restoring": replace(
        HARMED, phase="restoring", share=0.0, cause="harm", worse="errors", because="Errors; WORSE"
    ),
    "not_restored": replace(
        HARMED, phase="not_restored", share=0.0, cause="harm", because="Release 40 is not well."
    ),
    "restored": RESTORED,
    "undone": replace(RESTORED, cause="person", because="Bo ordered it: looks odd."),
    "verified": replace(
        WATCHED,
        phase="verified",
        share=1.0,
        verdict=None,
        because="Verified.",
        forecast="",
        verdict_at=NOW - 1.0,
        live_at=NOW - 1.0,
        times=Times(3.0, exposed_to_verdict_s=59.0),
    ),
    "accepted": replace(WATCHED, phase="accepted", share=1.0, verdict=None, live_at=NOW - 1.0),
    "adopted": replace(AT_WORK, phase="adopted", share=1.0, live_at=NOW - 1.0, undo=NO_UNDO),
    "applied": replace(AT_WORK, phase="applied", final=True, ended_at=NOW, undo=NO_UNDO),
    "rejected": replace(
        AT_WORK,
        phase="rejected",
        final=True,
        ended_at=NOW,
        undo=NO_UNDO,
        because="check 'unit': it failed with code 1.",
        parts=(PartStatus("checks", "failed", 4.0, "1 failed\nexpected 2, got 3"),),
    ),
    "withdrawn": replace(
        AT_WORK,
        phase="withdrawn",
        final=True,
        ended_at=NOW,
        undo=NO_UNDO,
        because="Ann withdrew it.",
    ),
}


@cache
def recorded_course(name: str) -> Judged | None:
    """The course of a real rollout's evidence."""
    with gzip.open(CORPUS / f"{name}.jsonl.gz", "rt") as lines:
        return Replay().take(lines)


def service_of(change: ChangeStatus) -> ServiceStatus:
    """The service of a change, as it stands while the change does."""
    exposed = change.phase in {"rolling_out", "verifying", "restoring", "not_restored"}
    lives = change.phase in {"verified", "accepted", "adopted"}
    return replace(
        _service(change.service),
        live=change.number if lives else 40,
        live_phase=change.phase if lives else "verified",
        live_since_at=NOW - 1320.0,
        exposed=change.number if exposed else None,
        share=change.share if exposed else 0.0,
        waiting=(change.number,) if change.phase in {"getting_ready", "queued"} else (),
        held_because="market day" if change.wait and change.wait.cause == "a hold" else None,
        awaits_fix=(change.number,) if change.cause == "harm" and change.final else (),
        error_rate=0.01,
    )


@dataclass
class Gallery(Recorded):
    """A control plane with these changes, each in a service of its own."""

    shown: dict[int, ChangeStatus] = field(default_factory=dict)
    loop: asyncio.AbstractEventLoop | None = None  # in which it is followed

    def show(self, change: ChangeStatus, service: ServiceStatus | None = None) -> None:
        """Let this be so from now on, from any thread; whoever follows the ledger hears of it."""
        self.shown[change.number] = change
        self.known[change.service] = service or service_of(change)
        if self.loop is None or self.loop.is_closed():
            self._record(change.phase, change.why, BO, change.service, change.number)
        else:
            told = (change.phase, change.why, BO, change.service, change.number)
            self.loop.call_soon_threadsafe(self._record, *told)

    def follow(self, after: int | None) -> AsyncIterator[Entry]:
        self.loop = asyncio.get_running_loop()
        return super().follow(after)

    def now(self) -> float:
        return time()

    async def change(self, number: int, service: str | None = None) -> ChangeStatus:
        if number == 0 and service is None:
            raise NotFound("Several services have a 0.", cure="Name one with --service.")
        if number >= 2**63:
            raise OverflowError("Python int too large to convert to SQLite INTEGER")
        if number not in self.shown:
            if number == 40:
                return replace(AT_WORK, number=40, phase="verified", live_at=NOW - 1320.0)
            raise NotFound(f"There is no change {number}.", cure="`surefoot log` lists them.")
        return self.shown[number]

    async def course(self, number: int, service: str | None = None) -> Judged | None:
        change = await self.change(number, service)
        if change.exposed_at is None:
            return None
        return recorded_course("all-fail" if change.cause == "harm" else "harmless")

    async def log(self, query: LogQuery) -> tuple[ChangeStatus, ...]:
        newest = sorted(self.shown.values(), key=lambda one: one.proposed_at, reverse=True)
        asked = [one for one in newest if query.until is None or one.proposed_at <= query.until]
        return tuple(asked[: query.limit])

    async def undo(
        self, number: int, by: Person, because: str, service: str | None = None
    ) -> ChangeStatus:
        change = await self.change(number, service)
        self._record("undo", because, by, change.service, number)
        if change.phase in {"rolling_out", "verifying"}:
            over = {"number": number, "service": change.service, "why": change.why}
            self.show(replace(STATES["undone"], **over))
        return await self.change(number, service)


def gallery() -> Gallery:
    """Every state, each in a service of its own: 100, 101, ..."""
    made = Gallery()
    for number, (name, change) in enumerate(STATES.items(), start=100):
        service = name.replace("_", "-")
        made.show(replace(change, number=number, service=service, why=f"the state {name}"))
    return made


__all__ = ["ANN", "BO", "NOW", "STATES", "Gallery", "gallery", "service_of"]
