"""What faces show: plain values with the sentences already made. The API's schemas are these.

Times are epoch seconds where the name ends in `_at`, durations in seconds where it ends in `_s`.
"""

from dataclasses import dataclass

from surefoot.domain.output import LineKind
from surefoot.domain.verdict import Level

__all__ = [
    "ChangeStatus",
    "CoverageStatus",
    "DiffStatus",
    "DoctorFinding",
    "Harmed",
    "LearnStatus",
    "LearntStatus",
    "MetricStatus",
    "OutputStatus",
    "PartStatus",
    "PhiStatus",
    "PlanStatus",
    "PromiseStatus",
    "RateStatus",
    "ServiceStatus",
    "Size",
    "Times",
    "UndoStatus",
    "UntestedFileStatus",
    "VerdictStatus",
    "WaitStatus",
]


@dataclass(frozen=True, slots=True)
class Size:
    """How big a change is, in lines, files and commits."""

    added: int
    removed: int
    files: int
    commits: int


@dataclass(frozen=True, slots=True)
class PartStatus:
    """A part of getting ready: open, done or failed, its own seconds, and what it said."""

    name: str
    state: str
    seconds: float | None
    said: str


@dataclass(frozen=True, slots=True)
class UntestedFileStatus:
    """Lines of a file that no check ran, as in "12-14, 20"."""

    path: str
    lines: str


@dataclass(frozen=True, slots=True)
class CoverageStatus:
    """How many added lines can run and how many of those no check ran, as coverage reports tell.

    `says` is that in a sentence; empty where no report could be read. The first of those lines
    stand in `files`, `left_out` do not. `unread` are sentences on reports that were not counted.
    """

    says: str
    can_run: int
    untested: int
    files: tuple[UntestedFileStatus, ...]
    left_out: int
    unread: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class WaitStatus:
    """What a change waits for, until when, and what happens then."""

    cause: str
    since_at: float
    until_at: float | None
    then: str


@dataclass(frozen=True, slots=True)
class MetricStatus:
    """One metric, canary beside baseline. Evidence as e-values: `harm` against, `ok` for.

    A gauge has no counts; its `level` tells both arms' means and the evidence for either direction.
    What is bad of a latency was slower than `slower_than`: the canary's bound and the baseline's,
    in seconds.
    """

    name: str
    word: str
    margin: str | None
    harm: float
    ok: float
    required: bool
    canary_bad: int
    canary_all: int
    baseline_bad: int
    baseline_all: int
    level: Level | None
    slower_than: tuple[float, float] | None = None


@dataclass(frozen=True, slots=True)
class PromiseStatus:
    """One expectation: whether it is met, and in `says` what is seen of it.

    `expects` is what its commit promised of `metric`. The numbers are those of
    `domain.verdict.PromiseReading`: what is not known, or not asked for, is None.
    """

    expects: str
    metric: str
    kind: str
    met: bool
    says: str
    canary: float | None
    baseline: float | None
    evidence: float | None
    needed: float | None


@dataclass(frozen=True, slots=True)
class VerdictStatus:
    """The verdict so far. *worse* needs `evidence` of 100; `at_s` counts from first exposure.

    `promises` tell of each expectation whether it works as designed, `warnings` are sentences about
    what this evidence cannot show.
    """

    word: str
    because: str
    at_s: float
    metric: str | None
    evidence: float
    ratio: tuple[float, float] | None
    metrics: tuple[MetricStatus, ...]
    promises: tuple[PromiseStatus, ...]
    warnings: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class UndoStatus:
    """The way back: whether there is one, how long it takes, and its label.

    It undoes `number`, and leads users to the release `back_to`; None where there is none.
    """

    possible: bool
    seconds: float | None
    says: str
    number: int | None = None
    back_to: int | None = None


@dataclass(frozen=True, slots=True)
class Harmed:
    """Requests that met the change, those harmed, and how many the old release would have."""

    requests: int
    harmed: int
    expected: float


@dataclass(frozen=True, slots=True)
class Times:
    """Where the seconds went. The phases from `proposed` on add up to the wall time."""

    commit_to_proposed_s: float
    getting_ready_s: float | None = None
    queued_s: float | None = None
    exposed_to_verdict_s: float | None = None
    undo_s: float | None = None
    restoring_s: float | None = None
    commit_to_exposed_s: float | None = None
    commit_to_done_s: float | None = None


@dataclass(frozen=True, slots=True)
class ChangeStatus:
    """A change as a person asks about it.

    `sentence` is the one sentence of its state; `next` holds lines ready to copy; `exit_code` is
    what a follower exits with once it is set; `position` counts from 1 while it waits its turn;
    `forward_only`: it alters data, and of that no way back exists. `before_after` is a sentence
    about what came with a live change that has nothing beside it any more: the weaker grade. A
    `placebo` is the live release once more. `carried_by` is the fix that holds its commits.
    `unproven`: it was given back, and nothing shows that users are well since. `coverage` is None
    where no check names a report, or checks have not passed yet.
    """

    service: str
    number: int
    phase: str
    sentence: str
    because: str
    final: bool
    exit_code: int | None
    revision: str
    base: str | None
    base_number: int | None
    why: str
    watch: tuple[str, ...]
    expect: tuple[str, ...]
    fixes: int | None
    forward_only: bool
    authors: tuple[str, ...]
    shipper: str
    approved_by: tuple[str, ...]
    asked: tuple[str, ...]
    size: Size
    files: tuple[str, ...]
    commits: tuple[str, ...]
    parts: tuple[PartStatus, ...]
    wait: WaitStatus | None
    position: int | None
    expected_start_s: float | None
    share: float
    steps: tuple[float, ...]
    rehearsed_s: float | None
    undo: UndoStatus
    verdict: VerdictStatus | None
    forecast: str
    harmed: Harmed
    cause: str | None
    worse: str | None
    times: Times
    proposed_at: float
    exposed_at: float | None
    verdict_at: float | None
    given_back_at: float | None
    live_at: float | None
    live_until_at: float | None
    ended_at: float | None
    soak_until_at: float | None
    before_after: str
    next: tuple[str, ...] = ()
    placebo: bool = False
    carried_by: int | None = None
    unproven: bool = False
    coverage: CoverageStatus | None = None


@dataclass(frozen=True, slots=True)
class OutputStatus:
    """What a change prints, beside the release that it was or is compared with.

    `new` are kinds of lines that the change prints and the other does not, most frequent first;
    lines that differ in numbers and ids alone are one kind, told by its newest, and `more` kinds
    are left out. `lines` and `beside_lines` are the last that either printed, oldest first, or
    None where nothing is kept, such as of a release that Surefoot did not start. `says` tells what
    was compared. The values of `env_file` are hidden.
    """

    service: str
    number: int
    beside: int | None
    says: str
    new: tuple[LineKind, ...]
    more: int
    lines: tuple[str, ...] | None
    beside_lines: tuple[str, ...] | None


@dataclass(frozen=True, slots=True)
class DiffStatus:
    """What a change alters, as a unified diff from `base` to `revision`; binary files by name.

    So many lines are `left_out` behind the last one; `command` shows all. `says` is not empty
    where it is no diff between two releases.
    """

    service: str
    number: int
    base: str | None
    revision: str
    says: str
    lines: tuple[str, ...]
    left_out: int
    command: str


@dataclass(frozen=True, slots=True)
class ServiceStatus:
    """A service as a person asks about it: what is live, exposed, waiting, and what it sees.

    `untold` says what last did not reach the team through `[notify]`, or is None. A hold without
    `held_until_at` lasts until somebody resumes. `awaits_fix` are the changes that did harm and
    close the lane. `drill` says what placebo runs are to come. `parked` is why nothing here can be
    moved, or None: it was written by a newer Surefoot.
    """

    name: str
    sentence: str
    listen: str
    live: int | None
    live_phase: str | None
    live_since_at: float | None
    live_revision: str | None
    exposed: int | None
    share: float
    waiting: tuple[int, ...]
    held_because: str | None
    awaits_fix: tuple[int, ...]
    requests_per_s: float
    error_rate: float | None
    watched_s: float
    undo: UndoStatus
    next: tuple[str, ...] = ()
    untold: str | None = None
    held_until_at: float | None = None
    drill: str | None = None
    parked: str | None = None


@dataclass(frozen=True, slots=True)
class PlanStatus:
    """What `ship` would do with this revision, said before anything is done."""

    service: str
    revision: str
    base: str | None
    base_number: int | None
    size: Size
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
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class RateStatus:
    """How often placebo runs that came to a word were called worse: `low` to `high`, 95 %."""

    runs: int
    alarms: int
    low: float
    high: float
    says: str


@dataclass(frozen=True, slots=True)
class PhiStatus:
    """How much more a metric scatters than independent requests would, and what told it."""

    metric: str
    phi: float
    source: str


@dataclass(frozen=True, slots=True)
class LearnStatus:
    """What was learnt of a service. `verified_s` is the median from first user to *verified*.

    `ended_early` are placebo runs that somebody or something ended before their word.
    """

    service: str
    false_alarms: RateStatus
    verified: int
    inconclusive: int
    ended_early: int
    verified_s: float | None
    phis: tuple[PhiStatus, ...]
    drill: str | None


@dataclass(frozen=True, slots=True)
class LearntStatus:
    """What was learnt of each service, and how often a verdict is wrong in all of them."""

    false_alarms: RateStatus
    services: tuple[LearnStatus, ...]


@dataclass(frozen=True, slots=True)
class DoctorFinding:
    """One thing that `doctor` looked at. Where it is well, a `cure` is advice, and else empty."""

    name: str
    ok: bool
    says: str
    cure: str = ""
