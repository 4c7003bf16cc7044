"""What the command line says, made of what the daemon told. Pure: values in, lines out.

A meaning never stands in a colour or a sign alone: each line holds the word.
"""

from collections.abc import Iterable, Iterator

from surefoot.cli.figures import moment
from surefoot.cli.views import (
    ChangeView,
    EntryView,
    LearntView,
    LearnView,
    LevelView,
    MetricView,
    PlanView,
    ServiceView,
    SizeView,
    UndoView,
)
from surefoot.drawing.figures import percent, span, times

__all__ = [
    "bar",
    "change_lines",
    "ending",
    "heading",
    "learnt_lines",
    "log_line",
    "metric_line",
    "parts_line",
    "plan_lines",
    "progress_key",
    "progress_line",
    "review_lines",
    "service_lines",
    "several_commits",
    "size",
    "way_back",
    "why_lines",
]

_SERVING = ("verified", "accepted", "adopted")
_FILES_SHOWN = 12
_PLAIN = 100.0  # of evidence: a direction that is no luck
_DRILL = "surefoot drill placebo"


# --- figures -----------------------------------------------------------------------------------


def size(of: SizeView) -> str:
    """How big a change is."""
    return f"+{of.added} -{of.removed}, {_many(of.files, 'file')}"


def bar(share: float, width: int = 20) -> str:
    """A share as a bar; it always stands beside its number."""
    filled = round(share * width)
    return "#" * filled + "." * (width - filled)


def _many(count: int, noun: str) -> str:
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"


def _rate(bad: int, everything: int) -> str:
    return percent(bad / everything) if everything else "no data"


# --- a change on its way -----------------------------------------------------------------------


def heading(change: ChangeView) -> str:
    """The first line on a change."""
    return f'{change.service} {change.number}  "{change.why}"  {size(change.size)}'


def several_commits(change: ChangeView) -> list[str]:
    """The commits of a change that has more than one, and how to take them one by one."""
    if len(change.commits) <= 1:
        return []
    return [
        f"{len(change.commits)} commits as one change:",
        *(f"  {commit}" for commit in change.commits),
        f"  One by one: surefoot undo {change.number} && surefoot ship --each",
    ]


def parts_line(change: ChangeView) -> str:
    """How far getting ready is."""
    return "   ".join(
        f"{part.name} {part.state}" + (f" {span(part.seconds)}" if part.seconds is not None else "")
        for part in change.parts
    )


def metric_line(metric: MetricView) -> str:
    """One metric, old beside new, and its word; of a gauge, its direction."""
    if metric.level is not None:
        return f"{metric.name:<18} {_level(metric.level)}"
    old = _rate(metric.baseline_bad, metric.baseline_all)
    new = _rate(metric.canary_bad, metric.canary_all)
    margin = f"  ({metric.margin})" if metric.margin else ""
    return f"{metric.name:<18} old {old:>8}   new {new:>8}   {metric.word}{margin}"


def _level(level: LevelView) -> str:
    moved = "no clear difference"
    if max(level.higher, level.lower) >= _PLAIN:
        moved = ("higher" if level.higher > level.lower else "lower") + " (a gauge: it advises)"
    return f"old {level.baseline:>8.4g}   new {level.canary:>8.4g}   {moved}"


def progress_key(change: ChangeView) -> tuple[object, ...]:
    """What must differ for a new line to be worth its place."""
    parts = tuple((part.name, part.state) for part in change.parts)
    wait = change.wait.cause if change.wait else None
    word = change.verdict.word if change.verdict else None
    return (change.phase, round(change.share, 3), wait, parts, word)


def progress_line(change: ChangeView) -> str:
    """Where a change is, in one line."""
    said = change.sentence
    if change.phase == "getting_ready" and change.parts:
        said += f"  [{parts_line(change)}]"
    elif 0 < change.share < 1:
        said += f"  [{percent(change.share)} of requests meet it]"
    return said


def ending(change: ChangeView) -> list[str]:
    """The lines that stay when there is nothing more to follow."""
    lines = []
    if change.verdict and change.verdict.metrics:
        lines += [f"  {metric_line(metric)}" for metric in change.verdict.metrics]
        lines += [f"  {promise.says}" for promise in change.verdict.promises]
        lines += [f"  Mind: {warning}" for warning in change.verdict.warnings]
    if change.before_after:
        lines.append(f"  {change.before_after}")
    if change.harmed.requests:
        lines.append(f"  {_harmed(change)}")
    if times := _times(change):
        lines.append(f"  {times}")
    if not change.final:
        lines.append(way_back(change.undo, f"surefoot undo {change.number}"))
    return lines + _next(change.next)


def way_back(undo: UndoView, order: str) -> str:
    """The way back with its seconds, and the order ready to copy."""
    return f"  {undo.says}: {order}" if undo.possible else f"  {undo.says}."


def _harmed(change: ChangeView) -> str:
    harmed = change.harmed
    beside = f"the old release would have given {harmed.expected:.1f} bad answers"
    return f"Harmed: {harmed.harmed} of {_many(harmed.requests, 'request')}; {beside}."


def _times(change: ChangeView) -> str:
    times = change.times
    known = (
        ("to the first user", times.commit_to_exposed_s),
        ("from there to the verdict", times.exposed_to_verdict_s),
        ("undo", times.undo_s),
        ("commit to done", times.commit_to_done_s),
    )
    said = [f"{what} {span(seconds)}" for what, seconds in known if seconds is not None]
    return f"Times: {', '.join(said)}." if said else ""


def _next(lines: Iterable[str]) -> list[str]:
    return [f"  Next: {line}" for line in lines]


# --- questions ---------------------------------------------------------------------------------


def service_lines(service: ServiceView, changes: Iterable[ChangeView]) -> list[str]:
    """What is live, exposed and waiting, and the way back."""
    lines = [service.sentence]
    if service.error_rate is not None:
        seen = f"{service.requests_per_s:.1f} requests/s, {percent(service.error_rate)} errors"
        lines.append(f"  Now: {seen}.")
    if service.held_because:
        until = f" until {moment(service.held_until_at)}" if service.held_until_at else ""
        lines.append(f"  Held{until}: {service.held_because}.")
        lines.append(f'  Next: surefoot resume {service.name} --because "..."')
    if service.untold:
        lines.append(f"  {service.untold}")
    if service.drill:
        lines.append(f"  {service.drill}")
    for change in changes:
        lines.append(f"  {progress_line(change)}")
        if change.position and change.expected_start_s is not None:
            lines.append(
                f"    Place {change.position}; starts in about {span(change.expected_start_s)}."
            )
    lines.append(way_back(service.undo, f"surefoot undo --service {service.name}"))
    return lines + _next(service.next)


def learnt_lines(learnt: LearntView) -> list[str]:
    """How often a verdict is wrong here, and how much each metric scatters."""
    lines = [line for service in learnt.services for line in _learn_lines(service)]
    if len(learnt.services) > 1:
        lines.append(f"False alarms of all services: {learnt.false_alarms.says}.")
    return lines or ["No service is known yet."]


def _learn_lines(service: LearnView) -> Iterator[str]:
    yield service.service
    yield f"  False alarms: {service.false_alarms.says}."
    if service.verified or service.inconclusive or service.ended_early:
        median = f", half of them within {span(service.verified_s)}" if service.verified_s else ""
        yield (
            f"  Verified {service.verified}{median}; inconclusive {service.inconclusive}; "
            f"ended before their word {service.ended_early}."
        )
    for phi in service.phis:
        yield f"  {phi.metric:<18} phi {phi.phi:>5.2f}   learnt from {phi.source}"
    yield f"  {service.drill}" if service.drill else f"  Next: {_DRILL} {service.service}"


def change_lines(change: ChangeView) -> list[str]:
    """A change in a few lines."""
    return [heading(change), f"  {change.sentence}", *ending(change)]


def _untested(change: ChangeView) -> list[str]:
    """What coverage reports tell, where a check leaves one."""
    known = change.coverage
    return [f"  {line}" for line in (known.says, *known.unread) if line] if known else []


def why_lines(change: ChangeView, entries: Iterable[EntryView]) -> list[str]:
    """Why a change is where it is, with the evidence."""
    lines = [heading(change), f"  {change.sentence}"]
    if change.because and change.because not in change.sentence:
        lines.append(f"  {change.because}")
    if change.wait:
        until = f" until {moment(change.wait.until_at)}" if change.wait.until_at else ""
        lines.append(f"  It waits for {change.wait.cause}{until}; then {change.wait.then}.")
    lines += [
        f"  {part.name} said: {part.said}"
        for part in change.parts
        if part.state == "failed" and part.said
    ]
    lines += _untested(change)
    if change.rehearsed_s is not None:
        not_covered = " Traffic can go back, data cannot." if change.forward_only else ""
        took = span(change.rehearsed_s)
        lines.append(f"  Way back rehearsed: traffic returned in {took}.{not_covered}")
    if change.verdict:
        verdict = change.verdict
        lines.append(
            f"  Evidence after {span(verdict.at_s)}: {verdict.word}. {verdict.because} "
            f"(against it {verdict.evidence:.1f} of the 100 that mean worse)"
        )
        if verdict.metric and verdict.ratio:
            lines.append(f"  {verdict.metric}: the new release's rate is {times(verdict.ratio)}.")
    if change.forecast:
        lines.append(f"  Forecast: {change.forecast}")
    lines += ending(change)
    told = [f"  {moment(entry.at)}  {entry.says}" for entry in entries]
    return lines + (["  What happened last:", *told] if told else [])


def plan_lines(plan: PlanView) -> list[str]:
    """What `ship` would do."""
    base = f"change {plan.base_number}" if plan.base_number is not None else "nothing yet"
    steps = ", ".join(percent(step) for step in plan.steps) or "no steps"
    return [
        f"{plan.service}: {plan.revision[:10]} on {base}; {size(plan.size)}; nothing is done yet.",
        *(f"  Commit: {commit}" for commit in plan.commits),
        f"  Checks: {', '.join(plan.checks) or 'none'}.",
        f"  Review: {plan.review}" + _may(plan.reviewers) + ".",
        f"  Watched: {', '.join(plan.metrics) or 'nothing'}.",
        f"  Shares: {steps}, then everybody once it is verified.",
        f"  Forecast: {plan.forecast}",
        f"  Way back: {plan.undo}.",
        f"  Place in the lane: {plan.position}.",
        *(f"  Mind: {warning}" for warning in plan.warnings),
        f"  Next: surefoot ship {plan.revision[:10]}",
    ]


def _may(reviewers: tuple[str, ...]) -> str:
    return f", by {' or '.join(reviewers)}" if reviewers else ""


def review_lines(change: ChangeView) -> list[str]:
    """What a reviewer needs before saying yes."""
    shown = change.files[:_FILES_SHOWN]
    more = len(change.files) - len(shown)
    lines = [
        heading(change),
        f"  By {', '.join(change.authors) or change.shipper}; shipped by {change.shipper}.",
        *(f"    {name}" for name in shown),
    ]
    if more > 0:
        lines.append(f"    and {_many(more, 'file')} more")
    if change.forward_only:
        lines.append("  Forward only: it alters data. Traffic can go back, data cannot.")
    if change.watch or change.expect:
        lines.append(f"  To watch: {', '.join((*change.watch, *change.expect))}.")
    lines += _untested(change)
    lines += [f"  Asked: {question}" for question in change.asked]
    lines += [f"  Approved by {name}." for name in change.approved_by]
    base = f"{change.base[:12]}.." if change.base else ""
    lines.append(f"  Read it: git {'diff' if base else 'show'} {base}{change.revision[:12]}")
    lines.append(f"  Next: surefoot review {change.number} --approve")
    return lines


def log_line(change: ChangeView) -> str:
    """Number, live from-to, outcome, size, minutes, harmed, intent."""
    start = change.live_at or change.exposed_at
    left = change.live_until_at or change.ended_at
    end = moment(left) if left else "now" if _serves(change) else ""
    live = f"{moment(start)} - {end}" if start else "never live"
    done = change.times.commit_to_done_s
    minutes = f"{done / 60:.1f} min" if done is not None else "-"
    return (
        f"{change.number:>4}  {live:<35}  {change.phase:<13}  "
        f"+{change.size.added} -{change.size.removed}  {minutes:>9}  "
        f"harmed {change.harmed.harmed}  {change.service}: {change.why}"
    )


def _serves(change: ChangeView) -> bool:
    return change.phase in _SERVING or change.share > 0
