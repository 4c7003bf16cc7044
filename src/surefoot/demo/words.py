"""What the demo says, made from what Surefoot and the customers report."""

from collections.abc import Iterator

from surefoot.demo.client import Change, Metric, Verdict

__all__ = [
    "ENDED",
    "arms",
    "evidence",
    "news",
    "past",
    "percent",
    "result",
    "seconds",
    "table",
    "waiting_for",
    "worse",
]

WORSE_AT = 100.0  # evidence; DESIGN: the weighted sum that ends a change
OK_AT = 20.0  # evidence for each required metric
DONE = {"checks": "passes its checks", "rehearsal": "is started, warmed up and healthy"}
WAITS = {
    "proposed": "its checks, a review and a rehearsal of the way back",
    "getting_ready": "its checks, a review and a rehearsal of the way back",
    "queued": "its turn",
    "adopted": "customers",
    "rolling_out": "evidence, to give it a larger share or to take it back",
    "verifying": "evidence that it harms nothing and does what it was meant to do",
    "restoring": "proof that the service is well again",
}
ENDED = {"verified", "restored", "accepted", "withdrawn", "rejected", "not_restored", "applied"}
MARKS = {"verified": "✓", "restored": "↩"}


def seconds(value: float | None) -> str:
    """A duration as people say it: "3 ms", "4.1 s", "74 s", or a dash when there is none."""
    if value is None:
        return "-"
    if value < 0.1:  # noqa: PLR2004 -- below a tenth of a second milliseconds say more
        return f"{value * 1000:.0f} ms"
    return f"{value:.1f} s" if value < 10 else f"{value:.0f} s"  # noqa: PLR2004 -- two digits do


def percent(bad: int, total: int) -> str:
    """A part of a hundred, or "no data"."""
    return f"{100 * bad / total:.1f} %" if total else "no data"


def news(before: Change | None, now: Change) -> Iterator[str]:
    """What happened to a change between two looks, a line each."""
    old = before or Change(now.number, "proposed")
    number = now.number
    done = {part.name for part in old.parts if part.state == "done"}
    for part in now.parts:
        if part.state == "done" and part.name not in done and part.name in DONE:
            yield f"{number} {DONE[part.name]} ({seconds(part.seconds)})"
    if now.rehearsed_s is not None and old.rehearsed_s is None:
        again = f"the old release answers again after {seconds(now.rehearsed_s)}"
        yield f"{number} way back rehearsed: {again}"
    if now.forecast and not old.forecast and not now.share:
        yield from (f"{number} forecast: {part}" for part in now.forecast.split("; "))
    moved = now.phase not in {old.phase, "getting_ready"}  # getting ready, its parts say more
    if moved or (now.wait and now.wait != old.wait):
        yield now.sentence
    elif now.share != old.share and now.share > 0:
        yield f"{number} meets {100 * now.share:.0f} % of the requests"


def errors(verdict: Verdict | None) -> Metric | None:
    """The metric that tells most to a reader: the one that is worse, else the errors."""
    if verdict is None:
        return None
    named = {metric.name: metric for metric in verdict.metrics}
    chosen = verdict.metric if verdict.word == "worse" else "errors"
    return named.get(chosen or "errors") or named.get("errors")


def arms(metric: Metric | None) -> tuple[str, str]:
    """The bad part of the old and of the new release."""
    if metric is None:
        return ("", "")
    return (
        f"{metric.name} {percent(metric.baseline_bad, metric.baseline_all)}",
        f"{metric.name} {percent(metric.canary_bad, metric.canary_all)}",
    )


def evidence(verdict: Verdict | None) -> str:
    """The evidence so far, against and for."""
    if verdict is None:
        return "evidence: none yet"
    required = [metric for metric in verdict.metrics if metric.required and metric.margin]
    proven = sum(metric.ok >= OK_AT for metric in required)
    least = min((metric.ok for metric in required), default=0.0)
    return (
        f"evidence: worse {verdict.evidence:.1f} of {WORSE_AT:.0f} · not worse: "
        f"{proven} of {len(required)} metrics proven, "
        f"the slowest {min(least, OK_AT):.1f} of {OK_AT:.0f}"
    )


def worse(change: Change) -> str:
    """The line that stays by itself."""
    verdict = change.verdict
    metric = errors(verdict)
    after = f"WORSE after {seconds(change.times.exposed_to_verdict_s)}: "
    if verdict is None or metric is None or metric.name == "latency":
        return after + change.because
    old, new = arms(metric)
    return after + f"{new} with the change, {old.removeprefix(metric.name + ' ')} without"


def waiting_for(change: Change) -> str:
    """Why nothing else happens to a change now."""
    return WAITS.get(change.phase, "Surefoot")


def past(change: Change) -> str:
    """A change that is over, in one line with its numbers."""
    times = change.times
    name = f"{MARKS.get(change.phase, '!')} {change.number} {change.phase.upper()}  {change.why}: "
    if change.phase == "restored":
        return name + (
            f"found in {seconds(times.exposed_to_verdict_s)}, undone in {seconds(times.undo_s)}, "
            f"{change.harmed.harmed} harmed ({change.harmed.expected:.1f} expected)"
        )
    if change.phase == "verified":
        return name + (
            f"first user after {seconds(times.commit_to_exposed_s)}, "
            f"verified in {seconds(times.exposed_to_verdict_s)}"
        )
    return name + change.because


def table(told: tuple[Change, ...]) -> list[tuple[str, ...]]:
    """The end: a head and a row for each change."""
    rows: list[tuple[str, ...]] = [
        (
            "change",
            "first user",
            "verdict",
            "undo",
            "harmed (expected)",
            "done",
            "outcome",
        )
    ]
    for change in told:
        times = change.times
        rows.append(
            (
                f"{change.number} {change.why}",
                seconds(times.commit_to_exposed_s),
                seconds(times.exposed_to_verdict_s),
                seconds(times.undo_s),
                f"{change.harmed.harmed} ({change.harmed.expected:.1f})",
                seconds(times.commit_to_done_s),
                change.phase,
            )
        )
    return rows


def result(told: tuple[Change, ...], requests: int, failed_by_switching: int) -> dict[str, object]:
    """What `--json` prints."""
    return {
        "changes": [_facts(change) for change in told],
        "requests": requests,
        "failed_by_switching": failed_by_switching,
    }


def _facts(change: Change) -> dict[str, object]:
    times = change.times
    return {
        "number": change.number,
        "intent": change.why,
        "outcome": change.phase,
        "commit_to_exposed_s": times.commit_to_exposed_s,
        "exposed_to_verdict_s": times.exposed_to_verdict_s,
        "undo_s": times.undo_s,
        "requests_harmed": change.harmed.harmed,
        "requests_bad_expected": change.harmed.expected,
        "commit_to_done_s": times.commit_to_done_s,
    }
