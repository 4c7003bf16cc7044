"""The sentences of the pages: pure, from what the control plane tells.

Times stand in a sentence as `Moment`s: each face shows them in its reader's own time.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from surefoot.domain import text
from surefoot.drawing.figures import percent, rate
from surefoot.engine.status import ChangeStatus, ServiceStatus, VerdictStatus, WaitStatus
from surefoot.pages.mood import Mood, fails, service_mood

__all__ = [
    "LONGEST",
    "Line",
    "Moment",
    "Rates",
    "board_line",
    "change_line",
    "plain",
    "seconds",
    "sentence",
    "whole",
]

LONGEST = 160  # characters of the one sentence
SUSPICIOUS = 10.0  # of the 100 that *worse* needs
NEARBY_S = 43_200.0  # of a moment nearer than that the day is known
LONGEST_MOMENT = 20  # characters: "2026-11-23 17:52 UTC"
_ROUND = 10.0


@dataclass(frozen=True, slots=True)
class Moment:
    """A time within a sentence, in epoch seconds."""

    at: float

    def __str__(self) -> str:
        """In UTC, to the second: who reads it without a browser has no other time in common."""
        return f"{datetime.fromtimestamp(self.at, UTC):%H:%M:%S} UTC"

    def seen_at(self, now: float) -> str:
        """The same as somebody reads it `now`: half a day away and further, with its day."""
        if abs(now - self.at) < NEARBY_S:
            return str(self)
        return f"{datetime.fromtimestamp(self.at, UTC):%Y-%m-%d %H:%M} UTC"


Line = tuple[str | Moment, ...]
Rates = tuple[float, float]  # of bad answers: now, and as usual


def plain(line: Line, now: float | None = None) -> str:
    """The sentence as text of that moment, without what would turn its reading around."""
    return text.clean(
        "".join(
            part.seen_at(now) if isinstance(part, Moment) and now is not None else str(part)
            for part in line
        )
    )


def seconds(value: float | None) -> str:
    """A duration: "0.04 s", "4.1 s", "3 min"."""
    if value is None:
        return ""
    if value < 1:
        return f"{value:.2g} s" if value >= 0.001 else "0 s"  # noqa: PLR2004 -- a millisecond
    return f"{value:.1f} s" if value < _ROUND else text.span(value)


def change_line(change: ChangeStatus, service: ServiceStatus, rates: Rates | None) -> Line:
    """The one sentence of a change: are users hurt now, what was done, what comes next and when.

    Args:
        change: as it is now.
        service: where it belongs.
        rates: of bad answers, now and as usual, where both are known.
    """
    line = _LINES[change.phase](change, service, rates)
    return _shortened(tuple(part for part in line if part != ""))


def _shortened(line: Line) -> Line:
    """At most 160 characters: the last words go first."""
    left = LONGEST
    kept: list[str | Moment] = []
    for part in line:
        length = len(part) if isinstance(part, str) else LONGEST_MOMENT
        if length > left:
            if isinstance(part, str) and left > 1:
                kept.append(part[: left - 1].rstrip() + "…")
            break
        kept.append(part)
        left -= length
    return tuple(kept)


def whole(said: str) -> str:
    """A clause as a sentence: with a full stop, and at most one."""
    said = " ".join(said.split())
    return said if not said or said[-1] in ".!?…" else f"{said}."


def sentence(said: str) -> str:
    """The same with a capital, without the word of the verdict that stands before it anyway."""
    for word in ("watching: ", "inconclusive ", "verified: ", "Verified: "):
        said = said.removeprefix(word)
    return text.capital(whole(said.removesuffix("; WORSE")))


def _errors(rates: Rates | None, lead: str = "", tail: str = "") -> str:
    if rates is None:
        return ""
    return f"{lead}errors {rate(rates[0])}, usual {rate(rates[1])}{tail}"


def _beside(verdict: VerdictStatus | None) -> str:
    """Errors of a change that users meet, beside those of the release that it is compared with."""
    for one in verdict.metrics if verdict else ():
        if one.name == "errors" and one.canary_all and one.baseline_all:
            new, old = one.canary_bad / one.canary_all, one.baseline_bad / one.baseline_all
            return f" (errors {rate(new)}, old release {rate(old)})"
    return ""


def _waits(change: ChangeStatus, service: ServiceStatus, _rates: Rates | None) -> Line:
    number, carrier = change.number, change.carried_by
    starts = change.expected_start_s
    soon = f" It starts in about {text.span(starts)}." if starts else ""
    met = f"No user has met {number}. "
    if carrier is not None and carrier == service.exposed:
        met = f"{percent(service.share)} of the requests meet {number} within {carrier}. "
    elif change.exposed_at is not None:  # the first release of a service
        met = f"Nothing was live before {number}. "
    return met, whole(change.because), soon


def _goes(change: ChangeStatus, service: ServiceStatus, _rates: Rates | None) -> Line:
    met = f"{percent(change.share)} of the requests meet {change.number}"
    wait, verdict = change.wait, change.verdict
    asked = wait is not None and wait.cause == "a person"
    if verdict is not None and verdict.evidence >= SUSPICIOUS and not asked:
        doubt = f"{_loudest(verdict)}, {verdict.evidence:.0f} of 100"
        after = "At 100 it is undone by itself; you may undo it now."
        return (f"{met}, which looks worse so far ({doubt}). {after}",)
    if wait is not None:
        return _stands_still(wait, met, _beside(verdict), service)
    if verdict is None or not any(one.canary_all for one in verdict.metrics if one.required):
        return f"{met}. Nothing is known of them yet. ", whole(change.because)
    well = f"{met}; nothing looks worse{_beside(verdict)}. "
    return well, whole(change.forecast or change.because)


def _stands_still(wait: WaitStatus, met: str, errors: str, service: ServiceStatus) -> Line:
    """What keeps users from meeting more of it, or of anything."""
    if wait.cause == "a person":
        return f"{met}. Nothing is proven: accept or undo it", *_by(wait), f", else {wait.then}."
    if wait.cause == "telemetry":
        silent: Line = (f"{met}. Nothing is heard of them since ", Moment(wait.since_at))
        return *silent, "; unless that ends", *_by(wait), f", {wait.then}."
    if wait.cause == "a hold" and wait.until_at:
        why = whole(service.held_because or "")
        return f"{met}{errors}, held until ", Moment(wait.until_at), f": {why}"
    held = f"held ({service.held_because})" if wait.cause == "a hold" else "and no more for now"
    return f"{met}{errors}, {held}: ", whole(wait.then)


def _by(wait: WaitStatus) -> Line:
    return (" by ", Moment(wait.until_at)) if wait.until_at else ()


def _loudest(verdict: VerdictStatus) -> str:
    """The metric with the most evidence against it, of those that decide."""
    deciding = [one for one in verdict.metrics if one.level is None]
    return max(deciding, key=lambda one: one.harm).name if deciding else "what is watched"


def _goes_back(change: ChangeStatus, _service: ServiceStatus, rates: Rates | None) -> Line:
    number, off_at = change.number, change.given_back_at
    back: Line = (f"Users are being taken off {number}. ",)
    if change.phase == "not_restored":
        on = f"Users are off {number} and"
        if change.share > 0:
            on = f"{percent(change.share)} of the requests still meet {number}; users are"
        well = "still not well" if change.cause == "harm" else "not proven to be well"
        back = (f"{on} {well}{_errors(rates, ' (', ')')}. ",)
    elif off_at is not None:
        proven = "" if change.cause != "harm" else f"; not yet well{_errors(rates, ' (', ')')}"
        back = f"Users are off {number} since ", Moment(off_at), f"{proven}. "
    return *back, sentence(change.because)


def _came_back(change: ChangeStatus, service: ServiceStatus, rates: Rates | None) -> Line:
    number, harmed = change.number, change.harmed.harmed
    now = _is_the_latest(change, service)
    when = " since " if now else " at "
    at: Line = (when, Moment(change.ended_at)) if change.ended_at else ()
    failed = f"; {harmed} request{'' if harmed == 1 else 's'} failed" if harmed else ""
    if change.placebo:
        return f"{number} was a placebo, and is over", *at, ". ", whole(change.because)
    lane = f" The lane waits for the fix of {service.awaits_fix[-1]}." if service.awaits_fix else ""
    if change.cause != "harm" or change.unproven:
        on = f"All users are on {service.live} again" if now else "Users went back"
        undone = f"Change {number} was undone{failed}. " if change.cause == "harm" else ""
        return on, *at, f". {undone}", whole(change.because), lane if now else ""
    undone = f"Change {number} was undone after {seconds(_harm_lasted(change))}{failed}."
    if not now:
        return "Users were well again", *at, ". ", undone
    lane = " Lane held until fixed." if number in service.awaits_fix else lane
    return "Users are well again", *at, _errors(rates, " (", ")"), ". ", undone, lane


def _is_the_latest(change: ChangeStatus, service: ServiceStatus) -> bool:
    """Whether users met nothing newer since: what is seen of them now is of another change then."""
    ended_at, live_at = change.ended_at, service.live_since_at
    newer = live_at is not None and ended_at is not None and live_at > ended_at
    later_harm = any(one > change.number for one in service.awaits_fix)
    return service.live is not None and service.exposed is None and not newer and not later_harm


def _harm_lasted(change: ChangeStatus) -> float | None:
    """From its first user to the last one."""
    if change.exposed_at is None or change.given_back_at is None:
        return None
    return change.given_back_at - change.exposed_at


def _lives(change: ChangeStatus, service: ServiceStatus, rates: Rates | None) -> Line:
    number = change.number
    since: Line = (" since ", Moment(change.live_at)) if change.live_at is not None else ()
    if service.live == number and fails(service):
        hurt = f"Users are hurt: {rate(service.error_rate or 0.0)} of the requests fail. "
        also = f" Some users meet {service.exposed}." if service.exposed is not None else ""
        return hurt, f"{number} is live", *since, ".", also
    word, how = {
        "verified": (f"{number} operates as designed in production", ""),
        "accepted": (f"{number} is live", "A person answers for it: the evidence left it open. "),
        "adopted": (f"{number} is live", "It is the first release here: nothing to compare to. "),
    }[change.phase]
    if change.live_until_at is not None:
        until = Moment(change.live_until_at)
        return f"{number} was {change.phase} and served users", *since, " until ", until, "."
    within = f", within {service.live}" if service.live not in {None, number} else ""
    now = _errors(rates, " (", ")")
    beside = f"{change.before_after} " if change.before_after else ""
    return f"{word}{within}", *since, f"{now}. ", how, beside, _needed(service)


def _needed(service: ServiceStatus) -> str:
    """What a service asks of people, beside its live release."""
    if service.exposed is not None:
        return f"Some users meet {service.exposed} now."
    if service.parked:
        return f"Nothing moves here: parked, {whole(service.parked)}"
    if service.awaits_fix:
        return f"The lane waits for the fix of {service.awaits_fix[-1]}."
    return "The lane is held." if service.held_because else "Nothing needs you."


def _ended(change: ChangeStatus, _service: ServiceStatus, _rates: Rates | None) -> Line:
    at: Line = (Moment(change.ended_at),) if change.ended_at else ("its end",)
    if change.phase == "applied":
        return f"Nothing to roll out: the manifest of {change.number} guards since ", *at, "."
    met = "No user met" if change.exposed_at is None else "Users met"
    return f"{met} {change.number}: {change.phase} at ", *at, ". ", whole(change.because)


_LINES = {
    "proposed": _waits,
    "getting_ready": _waits,
    "queued": _waits,
    "rolling_out": _goes,
    "verifying": _goes,
    "restoring": _goes_back,
    "not_restored": _goes_back,
    "restored": _came_back,
    "verified": _lives,
    "accepted": _lives,
    "adopted": _lives,
    "applied": _ended,
    "withdrawn": _ended,
    "rejected": _ended,
}


def board_line(
    services: Sequence[ServiceStatus],
    exposed: Sequence[ChangeStatus],
    last: ChangeStatus | None,
    asks: Sequence[ChangeStatus] = (),
) -> Line:
    """The one sentence of the board: whether anything needs somebody.

    Args:
        services: all of them.
        exposed: the changes that users meet now.
        last: the newest change, or None before the first.
        asks: changes that wait for a review.
    """
    if not services:
        return ("No service is known yet. `surefoot init` in a repository makes one known.",)
    on = {one.service: one for one in exposed}
    moods = {one.name: service_mood(one, on.get(one.name)) for one in services}
    hurt = [name for name, mood in moods.items() if mood is Mood.HURT]
    held = [name for name, mood in moods.items() if mood is Mood.HELD]
    going = [name for name, mood in moods.items() if mood is Mood.GOING]
    if hurt:
        return (f"Users of {_names(hurt)} are hurt now.",)
    if held:
        return (f"{_names(held)} {'needs' if len(held) == 1 else 'need'} somebody.",)
    if asks:
        return (f"{_names([f'{one.service} {one.number}' for one in asks])} {_wait(asks)} review.",)
    if going:
        return (f"Nothing needs you. A change of {_names(going)} is on its way.",)
    standing = _standing(services)
    at = (last.live_at or last.ended_at or last.proposed_at) if last else None
    changed: Line = (f"; last change {last.number}, ", Moment(at)) if last and at else ()
    return f"Nothing needs you. {standing}", *changed, "."


def _standing(services: Sequence[ServiceStatus]) -> str:
    """What users are on: only what was verified is called so."""
    live = [one for one in services if one.live is not None]
    verified = sum(1 for one in live if one.live_phase == "verified")
    if not live:
        return "Nothing is live yet"
    services_are = f"{len(live)} service{'' if len(live) == 1 else 's'}"
    if verified == len(live):
        return f"{services_are} on verified releases"
    return f"{services_are} live, {verified} on verified releases"


def _wait(asks: Sequence[ChangeStatus]) -> str:
    return "waits for somebody's" if len(asks) == 1 else "wait for somebody's"


def _names(names: Sequence[str]) -> str:
    shown = list(names[:3])
    more = len(names) - len(shown)
    return ", ".join(shown) + (f" and {more} more" if more else "")
