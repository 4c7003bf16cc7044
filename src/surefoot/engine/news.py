"""What a team is told of the ledger, in which words, and when. Decides; tells nothing itself."""

from collections.abc import Sequence
from dataclasses import dataclass

from surefoot.domain.change import Cause, Change, WaitCause
from surefoot.domain.lifecycle import EXPOSED
from surefoot.ports import Entry, Notice

__all__ = ["NEWS", "News", "is_news", "pending"]

NEWS = ("verified", "restored", "not_restored", "hold", "waits")
LATEST_S = 24 * 3600.0  # what is older is no news any more
PATIENCE_S = 10.0  # a wait that ends by itself within these seconds is nobody's business


@dataclass(frozen=True, slots=True)
class News:
    """An entry of the ledger that the team is told: by which word, when (epoch seconds), how."""

    entry: Entry
    event: str
    due: float
    sentence: str

    @property
    def notice(self) -> Notice:
        """As it is handed to the team's command; docs/manifest.md describes the fields."""
        entry = self.entry
        facts = {
            "event": self.event,
            "sentence": self.sentence,
            "service": entry.service,
            "change": entry.change,
            "at": entry.at,
            "by": entry.by,
            "entry": entry.seq,
            "data": dict(entry.data),
        }
        return Notice(self.sentence, facts)


def is_news(entry: Entry) -> bool:
    """Whether the team is told of this entry, now or if it lasts."""
    return _news_of(entry) is not None


def pending(
    entries: Sequence[Entry], told: frozenset[int], changes: dict[int, Change], now: float
) -> tuple[News, ...]:
    """What is still to be told, in the order in which it happened.

    Args:
        entries: of the ledger, any that may be news.
        told: the numbers of entries that were told; what came before all of them counts as told.
        changes: the service's changes as they are now. A wait that is over is not told.
        now: epoch seconds.
    """
    first = min(told)
    found = (_news_of(one) for one in entries if one.seq > first and one.seq not in told)
    fresh = (one for one in found if one is not None and now - one.entry.at < LATEST_S)
    still = (one for one in fresh if _still_so(one.entry, changes))
    return tuple(sorted(still, key=lambda one: one.entry.seq))


def _news_of(entry: Entry) -> News | None:
    """The news in an entry, or None."""
    what = f"{entry.service} {entry.change}"
    match entry.kind:
        case "hold":
            return _at_once(entry, "held", entry.says)
        case "restored" if entry.data.get("cause") == Cause.PLACEBO:
            alarm = bool(entry.data.get("worse"))
            return _at_once(entry, "false_alarm", f"{what}: {entry.says}") if alarm else None
        case "verified" | "restored" | "not_restored":
            word = entry.kind.replace("_", " ")
            return _at_once(entry, entry.kind, f"{what} is {word}. {entry.says}")
        case "waits":
            return _of_a_wait(entry, what, exposed=entry.data.get("phase") in EXPOSED)
    return None


def _of_a_wait(entry: Entry, what: str, *, exposed: bool) -> News | None:
    cause = entry.data.get("for")
    if cause == WaitCause.PERSON and exposed:
        return _at_once(entry, "inconclusive", f"{what}: {entry.says}")
    if cause == WaitCause.STUCK and exposed:
        return _if_it_lasts(entry, "held", f"{what} is held: too little disk space is free.")
    if cause == WaitCause.TELEMETRY and exposed:
        return _if_it_lasts(entry, "held", f"{what} is held: no figures of it arrive.")
    if cause == WaitCause.STUCK:
        return _if_it_lasts(entry, "stuck", f"{what} is stuck. {entry.says}")
    return None


def _at_once(entry: Entry, event: str, says: str) -> News:
    return News(entry, event, entry.at, " ".join(says.split()))


def _if_it_lasts(entry: Entry, event: str, says: str) -> News:
    return News(entry, event, entry.at + PATIENCE_S, " ".join(says.split()))


def _still_so(entry: Entry, changes: dict[int, Change]) -> bool:
    """Whether a wait goes on; one that ended and began anew has an entry of its own."""
    if entry.kind != "waits":
        return True
    change = changes.get(entry.change) if entry.change is not None else None
    wait = change.wait if change else None
    if wait is None or wait.cause != entry.data.get("for"):
        return False
    return wait.since <= entry.at
