"""What the command line reads of the API's answers.

Each value names what is shown here and nothing more, so that an older command line reads the
answers of a newer daemon. A test holds them against the engine's own values.
"""

from typing import Any, TypeVar

import msgspec

from surefoot.domain.errors import OutsideFailed

__all__ = [
    "ChangeView",
    "CoverageView",
    "EntryView",
    "FindingView",
    "HarmedView",
    "LearnView",
    "LearntView",
    "MetricView",
    "PartView",
    "PhiView",
    "PlanView",
    "PromiseView",
    "RateView",
    "ServiceView",
    "SizeView",
    "TimesView",
    "UndoView",
    "VerdictView",
    "WaitView",
    "view",
]

View = TypeVar("View")


class SizeView(msgspec.Struct, frozen=True):
    """How big a change is."""

    added: int
    removed: int
    files: int
    commits: int


class PartView(msgspec.Struct, frozen=True):
    """A part of getting ready."""

    name: str
    state: str
    seconds: float | None
    said: str


class CoverageView(msgspec.Struct, frozen=True):
    """Added lines that no check ran, in a sentence; reports that could not be counted."""

    says: str
    unread: tuple[str, ...] = ()


class WaitView(msgspec.Struct, frozen=True):
    """What a change waits for, until when (epoch seconds), and what happens then."""

    cause: str
    until_at: float | None
    then: str


class LevelView(msgspec.Struct, frozen=True):
    """A gauge of both releases, and the evidence that the new one's is higher, or lower."""

    canary: float
    baseline: float
    higher: float
    lower: float


class MetricView(msgspec.Struct, frozen=True):
    """One metric, new beside old."""

    name: str
    word: str
    margin: str | None
    required: bool
    canary_bad: int
    canary_all: int
    baseline_bad: int
    baseline_all: int
    level: LevelView | None = None


class PromiseView(msgspec.Struct, frozen=True):
    """One expectation: whether it works as designed, in a sentence."""

    says: str


class VerdictView(msgspec.Struct, frozen=True):
    """The verdict so far; *worse* needs `evidence` of 100."""

    word: str
    because: str
    at_s: float
    metric: str | None
    evidence: float
    ratio: tuple[float | None, float | None] | None
    metrics: tuple[MetricView, ...]
    warnings: tuple[str, ...] = ()
    promises: tuple[PromiseView, ...] = ()


class UndoView(msgspec.Struct, frozen=True):
    """The way back."""

    possible: bool
    says: str


class HarmedView(msgspec.Struct, frozen=True):
    """Requests that met the change, those harmed, and how many the old release would have."""

    requests: int
    harmed: int
    expected: float


class TimesView(msgspec.Struct, frozen=True):
    """Where the seconds went."""

    exposed_to_verdict_s: float | None
    undo_s: float | None
    commit_to_exposed_s: float | None
    commit_to_done_s: float | None


class ChangeView(msgspec.Struct, frozen=True):
    """A change as it is shown."""

    service: str
    number: int
    phase: str
    sentence: str
    because: str
    final: bool
    exit_code: int | None
    revision: str
    base: str | None
    why: str
    watch: tuple[str, ...]
    expect: tuple[str, ...]
    fixes: int | None
    authors: tuple[str, ...]
    shipper: str
    approved_by: tuple[str, ...]
    asked: tuple[str, ...]
    size: SizeView
    files: tuple[str, ...]
    commits: tuple[str, ...]
    parts: tuple[PartView, ...]
    wait: WaitView | None
    position: int | None
    expected_start_s: float | None
    share: float
    rehearsed_s: float | None
    undo: UndoView
    verdict: VerdictView | None
    forecast: str
    harmed: HarmedView
    times: TimesView
    exposed_at: float | None
    live_at: float | None
    live_until_at: float | None
    ended_at: float | None
    next: tuple[str, ...]
    forward_only: bool = False
    coverage: CoverageView | None = None
    before_after: str = ""


class ServiceView(msgspec.Struct, frozen=True):
    """A service as it is shown."""

    name: str
    sentence: str
    live: int | None
    exposed: int | None
    waiting: tuple[int, ...]
    held_because: str | None
    requests_per_s: float
    error_rate: float | None
    undo: UndoView
    next: tuple[str, ...]
    untold: str | None = None
    held_until_at: float | None = None
    drill: str | None = None


class PlanView(msgspec.Struct, frozen=True):
    """What `ship` would do."""

    service: str
    revision: str
    base: str | None
    base_number: int | None
    size: SizeView
    files: tuple[str, ...]
    commits: tuple[str, ...]
    checks: tuple[str, ...]
    review: str
    reviewers: tuple[str, ...]
    metrics: tuple[str, ...]
    steps: tuple[float, ...]
    forecast: str
    undo: str
    position: int
    warnings: tuple[str, ...]


class RateView(msgspec.Struct, frozen=True):
    """How often old beside old was called worse."""

    says: str


class PhiView(msgspec.Struct, frozen=True):
    """How much a metric scatters, and what told it."""

    metric: str
    phi: float
    source: str


class LearnView(msgspec.Struct, frozen=True):
    """What was learnt of a service."""

    service: str
    false_alarms: RateView
    verified: int
    inconclusive: int
    ended_early: int
    verified_s: float | None
    phis: tuple[PhiView, ...]
    drill: str | None


class LearntView(msgspec.Struct, frozen=True):
    """What was learnt of each service, and of all of them."""

    false_alarms: RateView
    services: tuple[LearnView, ...]


class FindingView(msgspec.Struct, frozen=True):
    """One thing that `doctor` looked at."""

    name: str
    ok: bool
    says: str
    cure: str = ""


class EntryView(msgspec.Struct, frozen=True):
    """Something that happened; `at` in epoch seconds."""

    seq: int
    at: float
    kind: str
    says: str
    by: str | None


def view(raw: Any, kind: type[View]) -> View:
    """Read an answer. Raises `OutsideFailed` when it is not what this version knows."""
    try:
        return msgspec.convert(raw, kind)
    except msgspec.ValidationError as error:
        raise OutsideFailed(
            f"The daemon's answer cannot be read by this version: {error}.",
            cure="Use the same version for both; `surefoot --version` tells this one's.",
        ) from error
