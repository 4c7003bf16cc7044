"""What is told: ledger entries of a move, and the status of a change or a service in sentences.

Translates what is known; decides nothing. No sentence names a person next to harm.
"""

from dataclasses import asdict
from itertools import pairwise

from surefoot.analysis.beforeafter import in_words as before_after_in_words
from surefoot.analysis.forecast import forecast, left_in_words, remaining
from surefoot.analysis.forecast import in_words as words_of
from surefoot.analysis.plan import JudgePlan
from surefoot.analysis.words import promise_in_words
from surefoot.domain.change import Cause, Change, PartOf, PartState, WaitCause
from surefoot.domain.coverage import Coverage
from surefoot.domain.lane import Hold, Lane
from surefoot.domain.lifecycle import EXPOSED, FINAL, LIVE, TABLE, UNEXPOSED, Phase, way
from surefoot.domain.risk import ONE_WAY
from surefoot.domain.text import span
from surefoot.domain.verdict import MetricReading, Reading, Word
from surefoot.engine.drill import RAN
from surefoot.engine.drill import in_words as drill_in_words
from surefoot.engine.planning import plan_for
from surefoot.engine.run import ServiceRun
from surefoot.engine.status import (
    ChangeStatus,
    CoverageStatus,
    Harmed,
    MetricStatus,
    PartStatus,
    PromiseStatus,
    ServiceStatus,
    Size,
    Times,
    UndoStatus,
    UntestedFileStatus,
    VerdictStatus,
    WaitStatus,
)
from surefoot.ports import NewEntry

__all__ = [
    "change_status",
    "entries_of",
    "next_lines",
    "service_status",
    "slot",
    "undo_status",
    "waits",
]

EXIT = {
    Phase.VERIFIED: 0,
    Phase.ADOPTED: 0,
    Phase.APPLIED: 0,
    Phase.RESTORED: 10,
    Phase.NOT_RESTORED: 20,
    Phase.REJECTED: 30,
    Phase.ACCEPTED: 40,
    Phase.WITHDRAWN: 40,
}
UNDECIDED = 40
EXIT_PLACEBO = {Word.VERIFIED: 0, Word.WORSE: 10}
ASKS_A_PERSON = {WaitCause.HOLD, WaitCause.FIX, WaitCause.REBASE}


# --- the ledger --------------------------------------------------------------------------------


def entries_of(before: Change, after: Change, now: float) -> tuple[NewEntry, ...]:
    """What happened between two states of a change, as ledger entries."""
    entries = [
        _entry(after, now, "part", f"{name}: {part.state}", {"part": name, "said": part.said})
        for name, part in _parts(after)
        if part.state is not dict(_parts(before))[name].state
    ]
    if before.phase is not after.phase:
        *between, last = _walked(before.phase, after.phase)
        entries += [
            _entry(after, now, to.value, after.because, {"from": start, "to": to})
            for start, to in between
        ]
        data: dict[str, object] = {
            "from": last[0],
            "to": last[1],
            "cause": after.cause,
            "worse": after.worse,
            "verdict": after.verdict,
            "requests": after.harm.requests,
            "harmed": after.harm.harmed,
        }
        entries.append(_entry(after, now, after.phase.value, after.because, data))
    elif after.wait is not None and (before.wait is None or before.wait.cause != after.wait.cause):
        told: dict[str, object] = {"for": after.wait.cause, "phase": after.phase}
        entries.append(_entry(after, now, "waits", after.because, told))
    elif before.step != after.step:
        entries.append(_entry(after, now, "step", after.because, {"step": after.step}))
    ended = after.phase in FINAL and before.phase not in FINAL
    if after.placebo and ended and not after.made_room:
        entries.append(_entry(after, now, RAN, after.because, _taught(after)))
    return tuple(entries)


def _taught(placebo: Change) -> dict[str, object]:
    """What is kept of a run for ever; of one without a word, nothing."""
    return asdict(placebo.taught) if placebo.taught else {}


def _walked(start: Phase, end: Phase) -> list[tuple[Phase, Phase]]:
    """Each arrow of the table that lies between: what happened at once is written down singly."""
    phases = [start]
    for event in way(start, end):
        phases.append(TABLE[phases[-1]][event])
    return list(pairwise(phases))


def _entry(change: Change, now: float, kind: str, says: str, data: dict[str, object]) -> NewEntry:
    return NewEntry(now, change.service, change.number, kind, says, data=data)


def _parts(change: Change) -> tuple[tuple[str, PartOf], ...]:
    parts = change.parts
    return (
        ("checks", parts.checks),
        ("review", parts.review),
        ("build", parts.build),
        ("rehearsal", parts.prepare),
    )


# --- a change ----------------------------------------------------------------------------------


def change_status(
    run: ServiceRun,
    change: Change,
    share: float,
    live_until: float | None,
    slot_s: float,
    now: float,
) -> ChangeStatus:
    """Everything a person may ask of a change; users left it at `live_until`, if they did.

    `slot_s` is as `slot` has it, for one that waits.
    """
    lane, exposure = run.lane, run.watch.exposure
    watched = exposure is not None and exposure.change == change.number
    reading = exposure.reading if exposure else None
    harm = exposure.harm if exposure and watched else change.harm
    waiting = waits(run, change)
    plan = run.plans.get(change.number)
    return ChangeStatus(
        service=change.service,
        number=change.number,
        phase=change.phase.value,
        sentence=_sentence(change),
        because=change.because,
        final=change.phase in FINAL,
        exit_code=_exit_code(change),
        revision=change.revision,
        base=change.base,
        base_number=change.base_number,
        why=change.intent.why,
        watch=change.intent.watch,
        expect=change.intent.expect,
        fixes=change.intent.fixes,
        forward_only=change.intent.forward_only,
        authors=tuple(str(person) for person in change.authors),
        shipper=str(change.shipper),
        approved_by=tuple(str(approval.by) for approval in change.approvals),
        asked=change.asked,
        size=size_of(change),
        files=change.diff.files,
        commits=commits_of(change),
        parts=tuple(_part_status(name, part) for name, part in _parts(change)),
        wait=_wait_status(change),
        position=lane.position(change) if waiting else None,
        expected_start_s=_expected_start(run, change, slot_s, now) if waiting else None,
        share=share,
        steps=change.steps,
        rehearsed_s=change.rehearsed_s,
        undo=undo_status(lane, change, now),
        verdict=verdict_status(reading) if reading and watched else None,
        forecast=in_words(plan) if plan and waiting else _left(run, change, share),
        harmed=Harmed(harm.requests, harm.harmed, harm.expected),
        cause=change.cause.value if change.cause else None,
        worse=change.worse,
        times=times_of(change, now),
        proposed_at=change.stamps.proposed_at,
        exposed_at=change.stamps.exposed_at,
        verdict_at=change.stamps.verdict_at,
        given_back_at=change.stamps.given_back_at,
        live_at=change.stamps.live_at,
        live_until_at=live_until,
        ended_at=change.stamps.ended_at,
        soak_until_at=change.stamps.soak_until,
        before_after=_before_after(run, change),
        next=next_lines(lane, change),
        placebo=change.placebo,
        carried_by=change.carried_by,
        unproven=change.unproven,
        coverage=_coverage_status(change.coverage) if change.coverage else None,
    )


def waits(run: ServiceRun, change: Change) -> bool:
    """Whether it has a place among those that no user has met yet."""
    return change.phase in UNEXPOSED and change in run.lane.waiting


def slot(run: ServiceRun, change: Change) -> float:
    """How many seconds a change will probably be exposed before it is verified. Dear to tell."""
    plan = run.plans.get(change.number) or plan_for(run, change)
    return min(forecast(plan).verified.half, plan.time_limit)


def _before_after(run: ServiceRun, change: Change) -> str:
    if run.lane.live is None or run.lane.live.number != change.number:
        return ""
    return before_after_in_words(run.watch.before_after(run.manifest.metrics))


def size_of(change: Change) -> Size:
    """Lines, files and commits."""
    diff = change.diff
    return Size(diff.added, diff.removed, len(diff.files), len(change.commits))


def in_short(change: Change) -> str:
    """Its revision, whether it only goes forward, and what it is for."""
    forward = ", forward only" if change.intent.forward_only else ""
    return f'{change.revision[:7]}{forward}: "{change.intent.why}"'


def commits_of(change: Change) -> tuple[str, ...]:
    """Its commits, oldest first, with who wrote them."""
    return tuple(
        f"{one.id[:7]} {one.subject} ({', '.join(person.name for person in one.authors)})"
        for one in change.commits
    )


def in_words(plan: JudgePlan) -> str:
    """How long an answer will take, in words."""
    return words_of(forecast(plan))


def _left(run: ServiceRun, change: Change, share: float) -> str:
    """How long an answer will still take, in words; empty for a change that is not watched."""
    exposure = run.watch.exposure
    if exposure is None or exposure.change != change.number or share <= 0:
        return ""
    reading = exposure.reading
    if reading is None or reading.word is not Word.WATCHING:
        return ""
    return left_in_words(remaining(exposure.judge.plan, reading, share))


def _sentence(change: Change) -> str:
    word = change.phase.value.replace("_", " ").upper()
    return f"{change.number} {word}. {change.because}"


def _exit_code(change: Change) -> int | None:
    """What a follower leaves with, once there is nothing more to follow for now."""
    if change.wait and change.wait.cause in ASKS_A_PERSON:
        return UNDECIDED
    if change.phase is Phase.GETTING_READY and change.wait and change.wait.cause is WaitCause.STUCK:
        return UNDECIDED
    if change.phase in EXPOSED and change.wait and change.wait.cause is WaitCause.PERSON:
        return UNDECIDED
    if change.phase is Phase.RESTORED and change.placebo:
        word = change.taught.word if change.taught else None
        return EXIT_PLACEBO.get(word, UNDECIDED) if word else UNDECIDED
    return EXIT.get(change.phase)


def _part_status(name: str, part: PartOf) -> PartStatus:
    seconds = None
    if part.started_at is not None and part.ended_at is not None:
        seconds = round(part.ended_at - part.started_at, 3)
    state = "open" if part.state is PartState.OPEN else part.state.value
    return PartStatus(name, state, seconds, part.said)


def _coverage_status(coverage: Coverage) -> CoverageStatus:
    files = (
        UntestedFileStatus(file.path, ", ".join(map(_range, file.lines))) for file in coverage.files
    )
    return CoverageStatus(
        says=_covered(coverage),
        can_run=coverage.can_run,
        untested=coverage.untested,
        files=tuple(files),
        left_out=coverage.left_out,
        unread=coverage.unread,
    )


def _range(lines: tuple[int, int]) -> str:
    first, last = lines
    return f"{first}" if first == last else f"{first}-{last}"


def _covered(coverage: Coverage) -> str:
    """A check without a report may have run them, so that this is said of those with one alone."""
    if coverage.untested:
        were, them = ("was", "it") if coverage.untested == 1 else ("were", "them")
        return (
            f"{coverage.untested} of {coverage.can_run} added lines that can run {were} run by no "
            f"check with a coverage report: who can test {them}?"
        )
    if coverage.can_run:
        return "Every added line that can run was run by a check."
    return "" if coverage.unread else "No report of a check knows an added line that can run."


def _wait_status(change: Change) -> WaitStatus | None:
    wait = change.wait
    return WaitStatus(wait.cause.value, wait.since, wait.until, wait.then) if wait else None


def verdict_status(reading: Reading) -> VerdictStatus:
    """A reading as faces show it, live or judged again."""
    return VerdictStatus(
        word=reading.word.value,
        because=reading.because,
        at_s=reading.at,
        metric=reading.metric,
        evidence=reading.evidence,
        ratio=reading.ratio,
        metrics=tuple(_metric(one) for one in reading.metrics),
        promises=tuple(
            PromiseStatus(**asdict(one), says=promise_in_words(one)) for one in reading.promises
        ),
        warnings=reading.warnings,
    )


def _metric(reading: MetricReading) -> MetricStatus:
    return MetricStatus(
        name=reading.name,
        word=reading.word.value,
        margin=str(reading.margin) if reading.margin else None,
        harm=reading.harm,
        ok=reading.ok,
        required=reading.required,
        canary_bad=reading.canary_bad,
        canary_all=reading.canary_all,
        baseline_bad=reading.baseline_bad,
        baseline_all=reading.baseline_all,
        level=reading.level,
        slower_than=reading.slower_than,
    )


def times_of(change: Change, now: float) -> Times:
    """Where the seconds went; a phase that is not over counts up to now."""
    stamps = change.stamps
    ready = _between(stamps.proposed_at, stamps.ready_at or stamps.exposed_at or stamps.ended_at)
    done = stamps.ended_at or stamps.live_at
    return Times(
        commit_to_proposed_s=round(stamps.proposed_at - stamps.committed_at, 3),
        getting_ready_s=ready if ready is not None else round(now - stamps.proposed_at, 3),
        queued_s=_between(stamps.ready_at, stamps.exposed_at),
        exposed_to_verdict_s=_between(stamps.exposed_at, stamps.verdict_at),
        undo_s=_between(stamps.undo_at, stamps.given_back_at),
        restoring_s=_between(stamps.undo_at, stamps.restored_at),
        commit_to_exposed_s=_between(stamps.committed_at, stamps.exposed_at),
        commit_to_done_s=_between(stamps.committed_at, done),
    )


def _between(start: float | None, end: float | None) -> float | None:
    return None if start is None or end is None else round(max(0.0, end - start), 3)


def _expected_start(run: ServiceRun, change: Change, slot_s: float, now: float) -> float | None:
    """Seconds until it may meet its first user, if all ahead of it take their forecast time."""
    lane = run.lane
    if not lane.may_go(change):
        return None
    ahead = lane.position(change) - 1
    left = 0.0
    if lane.exposed and lane.exposed.stamps.exposed_at and not lane.exposed.placebo:
        left = max(0.0, slot_s - (now - lane.exposed.stamps.exposed_at))
    return round(left + ahead * slot_s, 1)


def way_back(lane: Lane, change: Change) -> str:
    """What a way back will be, said before anything is done."""
    if lane.live is None:
        return "nothing is live yet: there is nothing to go back to"
    switch = "a switch of traffic back to the release that keeps running"
    return f"{switch}; {ONE_WAY}" if change.intent.forward_only else switch


def undo_status(lane: Lane, change: Change, now: float) -> UndoStatus:
    """Whether this change can be undone, how long it takes, and what the button says."""
    number = change.number
    if change.phase in UNEXPOSED:
        says = f"Withdraw {number} (no user met it)"
        return UndoStatus(possible=True, seconds=0.0, says=says, number=number)
    back_to = lane.live
    if change.phase in LIVE:
        if lane.live is None or lane.live.number != number or lane.before is None:
            live = lane.live.number if lane.live else None
            says = f"Nothing to undo: all users are on {live}"
            return UndoStatus(possible=False, seconds=None, says=says)
        back_to = lane.before
        warm = back_to.number in lane.wanted(now)
        prepare = back_to.parts.prepare
        start = _between(prepare.started_at, prepare.ended_at)
        if not warm and start is not None:
            says = _undo_label(change, f"about {start:.0f} s: release {back_to.number} must start")
            return UndoStatus(
                possible=True, seconds=start, says=says, number=number, back_to=back_to.number
            )
    elif change.phase not in EXPOSED:
        live = lane.live.number if lane.live else None
        says = f"Nothing to undo: all users are on {live}"
        return UndoStatus(possible=False, seconds=None, says=says)
    seconds = change.rehearsed_s
    took = ""
    if seconds is not None:
        took = f"{seconds:.1f} s" if seconds >= 0.1 else "under 0.1 s"  # noqa: PLR2004 -- less is at once
    to = back_to.number if back_to else None
    says = _undo_label(change, took)
    return UndoStatus(possible=True, seconds=seconds, says=says, number=number, back_to=to)


def _undo_label(change: Change, took: str) -> str:
    """What undoing it takes, and what it does not bring back."""
    told = [one for one in (took, ONE_WAY if change.intent.forward_only else "") if one]
    return f"Undo {change.number}" + (f" ({'; '.join(told)})" if told else "")


def next_lines(lane: Lane, change: Change) -> tuple[str, ...]:
    """The lines that lead on, ready to copy."""
    if change.phase is Phase.RESTORED:
        return _after_restore(change)
    wait = change.wait
    if wait is None:
        return ()
    if wait.cause is WaitCause.FIX and lane.harmful:
        return _fix_lines(lane.harmful[-1])
    if wait.cause is WaitCause.REBASE and lane.live:
        base = (change.base or "")[:7]
        return (f"git rebase --onto {lane.live.revision[:7]} {base} && surefoot ship",)
    if wait.cause is WaitCause.PERSON and change.phase in UNEXPOSED:
        return (f"surefoot review {change.number} --approve",)
    if wait.cause is WaitCause.PERSON:
        number = change.number
        return (f'surefoot accept {number} --because "..."', f"surefoot undo {number}")
    if wait.cause is WaitCause.HOLD:
        return (f'surefoot resume {change.service} --because "..."',)
    return ()


def _after_restore(change: Change) -> tuple[str, ...]:
    if change.placebo:
        return (f"surefoot learn {change.service}",)
    if change.cause is Cause.HARM:
        return _fix_lines(change)
    if change.cause is Cause.CARRIED:
        return ("surefoot ship",)
    return ("surefoot ship", f"surefoot ship --again {change.number}")


def _fix_lines(harmful: Change) -> tuple[str, ...]:
    commits = harmful.revision[:7]
    if len(harmful.commits) > 1:
        commits = f"--no-edit {(harmful.base or '')[:7]}..{commits}"
    return (f"git revert {commits} && surefoot ship", f"surefoot ship --fixes {harmful.number}")


# --- a service ---------------------------------------------------------------------------------


def service_status(run: ServiceRun, share: float, now: float) -> ServiceStatus:
    """Everything a person may ask of a service."""
    lane = run.lane
    per_s, errors = run.watch.rates()
    current = lane.undone_first
    undo = (
        undo_status(lane, current, now)
        if current
        else UndoStatus(possible=False, seconds=None, says="Nothing to undo: nothing is live")
    )
    return ServiceStatus(
        name=run.name,
        sentence=_service_sentence(lane, share, now)
        if run.parked is None
        else f"Parked: {run.parked}. Users stay served.",
        listen=str(run.manifest.listen),
        live=lane.live.number if lane.live else None,
        live_phase=lane.live.phase.value if lane.live else None,
        live_since_at=lane.live.stamps.live_at if lane.live else None,
        live_revision=lane.live.revision if lane.live else None,
        exposed=lane.exposed.number if lane.exposed else None,
        share=share,
        waiting=tuple(one.number for one in lane.waiting),
        held_because=lane.hold.because if lane.hold else None,
        awaits_fix=tuple(one.number for one in lane.harmful if one.passed is None),
        held_until_at=lane.hold.until if lane.hold else None,
        untold=run.untold,
        drill=drill_in_words(run.drill, lane, now) if run.drill else None,
        requests_per_s=round(per_s, 2),
        error_rate=errors,
        watched_s=run.watch.history.seconds,
        undo=undo,
        next=next_lines(lane, current) if current else ("surefoot adopt HEAD",),
        parked=run.parked,
    )


def _held(hold: Hold, now: float) -> str:
    left = f" for {span(max(0.0, hold.until - now))} more" if hold.until else ""
    return f"Held by {hold.by}{left}: {hold.because}"


def _service_sentence(lane: Lane, share: float, now: float) -> str:
    held = f" {_held(lane.hold, now)}" if lane.hold else ""
    open_ = [one.number for one in lane.harmful if one.passed is None]
    if not held and open_:
        held = f" The lane waits for the fix of {open_[-1]}."
    if lane.exposed:
        met = f"{share * 100:g} % of the requests meet {lane.exposed.number}"
        return f"{met}: {lane.exposed.because.rstrip('.')}.{held}"
    if lane.live is None:
        return f"{lane.service}: nothing is live yet.{held}"
    since = lane.live.stamps.live_at
    ago = f", for {span(max(0.0, now - since))} now" if since else ""
    many = len(lane.waiting)
    waiting = f"; {many} change{' waits' if many == 1 else 's wait'}" if many else ""
    word = lane.live.phase.value
    return f"All users are on {lane.live.number} ({word}){ago}{waiting}.{held}"
