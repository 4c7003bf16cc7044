"""A change, and all that is known of it."""

from dataclasses import dataclass, field, replace
from enum import StrEnum

from surefoot.domain.coverage import Coverage
from surefoot.domain.lifecycle import Event, Phase, after
from surefoot.domain.metric import Metric
from surefoot.domain.verdict import Word

__all__ = [
    "Approval",
    "Cause",
    "Change",
    "Commit",
    "Diff",
    "Harm",
    "Intent",
    "Order",
    "Part",
    "PartOf",
    "PartState",
    "Parts",
    "Person",
    "Stamps",
    "Taught",
    "Wait",
    "WaitCause",
]


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody of the team. Two are the same person when their addresses are."""

    name: str
    email: str

    def same_as(self, other: "Person") -> bool:
        """Whether both are one person; addresses are compared without case."""
        return self.email.casefold() == other.email.casefold()

    def __str__(self) -> str:
        """As git writes it."""
        return f"{self.name} <{self.email}>"


@dataclass(frozen=True, slots=True)
class Commit:
    """One commit of a change; `at` is when it was committed, in epoch seconds.

    `identity` is that of its own diff: a rebase or a cherry-pick keeps it.
    """

    id: str
    subject: str
    authors: tuple[Person, ...]  # author first, then co-authors by trailer
    at: float
    identity: str = ""


@dataclass(frozen=True, slots=True)
class Diff:
    """What a change alters. `identity` survives a move of the base (DESIGN: identity of a diff)."""

    identity: str
    files: tuple[str, ...]
    added: int
    removed: int


@dataclass(frozen=True, slots=True)
class Intent:
    """What a change is for: its sentence, the metrics it must be watched with, what it fixes.

    `again` is the restored change that it tries once more. `forward_only` is its shipper's word
    that it alters data: traffic can go back, data cannot. A `placebo` is the live release beside
    itself: whatever is seen of it is chance, or the host.
    """

    why: str
    watch: tuple[str, ...] = ()
    expect: tuple[str, ...] = ()
    fixes: int | None = None
    again: int | None = None
    forward_only: bool = False
    placebo: bool = False


class Part(StrEnum):
    """The four parts of getting ready."""

    CHECKS = "checks"
    REVIEW = "review"
    BUILD = "build"
    PREPARE = "prepare"  # start, warm-up, and rehearsal of the way back


class PartState(StrEnum):
    """How far a part is."""

    OPEN = "open"
    DONE = "done"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class PartOf:
    """One part of getting ready: its state, its own time (epoch seconds), and what it said."""

    state: PartState = PartState.OPEN
    started_at: float | None = None
    ended_at: float | None = None
    said: str = ""

    @property
    def done(self) -> bool:
        """Whether this part is behind us."""
        return self.state is PartState.DONE

    @property
    def failed(self) -> bool:
        """Whether this part ended badly."""
        return self.state is PartState.FAILED


@dataclass(frozen=True, slots=True)
class Parts:
    """All four parts of getting ready."""

    checks: PartOf = PartOf()
    review: PartOf = PartOf()
    build: PartOf = PartOf()
    prepare: PartOf = PartOf()


@dataclass(frozen=True, slots=True)
class Approval:
    """A person's yes to a diff. It stands while the diff's identity does."""

    by: Person
    at: float
    identity: str


class Cause(StrEnum):
    """Why a change was given back."""

    HARM = "harm"
    PERSON = "person"
    INCONCLUSIVE = "inconclusive"
    UNWATCHED = "unwatched"
    HOST = "host"
    CARRIED = "carried"
    PLACEBO = "placebo"  # it was never more than that: it taught something, or made room


class WaitCause(StrEnum):
    """What a change can wait for."""

    PERSON = "a person"
    FIX = "a fix"
    REBASE = "a rebase"
    TELEMETRY = "telemetry"
    HOLD = "a hold"
    TRAFFIC = "traffic"
    TURN = "its turn"
    STUCK = "being stuck"


@dataclass(frozen=True, slots=True)
class Wait:
    """A wait: for what, since and until when (epoch seconds), and what happens then."""

    cause: WaitCause
    since: float
    until: float | None
    then: str


@dataclass(frozen=True, slots=True)
class Order:
    """What a person, or the machine by the same door, told Surefoot to do with a change."""

    by: Person
    at: float
    because: str = ""
    carried: bool = False  # undone because a change under it was


@dataclass(frozen=True, slots=True)
class Stamps:
    """When things happened, in epoch seconds. Each is set once and never moved."""

    committed_at: float
    proposed_at: float
    ready_at: float | None = None
    exposed_at: float | None = None
    share_at: float | None = None  # the last change of share; the one stamp that moves
    verdict_at: float | None = None
    live_at: float | None = None
    soak_until: float | None = None
    undo_at: float | None = None
    given_back_at: float | None = None
    restored_at: float | None = None
    ended_at: float | None = None

    @property
    def left_at(self) -> float | None:
        """When users were taken off it, or else when that was ordered."""
        return self.given_back_at or self.undo_at


@dataclass(frozen=True, slots=True)
class Harm:
    """What users got from a change: bad answers or none, beside what the old one would give."""

    requests: int = 0
    harmed: int = 0
    expected: float = 0.0

    def __add__(self, later: "Harm") -> "Harm":
        """What they got then and later."""
        return Harm(
            self.requests + later.requests,
            self.harmed + later.harmed,
            round(self.expected + later.expected, 1),
        )


@dataclass(frozen=True, slots=True)
class Taught:
    """What a placebo run came to: the word on old beside old, and what it took to be said.

    `seconds` count from its first user; `canary` and `baseline` are the requests that each of the
    two answered; `evidence` is the weighted sum against *worse*, which 100 ends.
    """

    word: Word
    seconds: float
    canary: int
    baseline: int
    evidence: float


@dataclass(frozen=True, slots=True)
class Change:
    """A range of commits on its way to production.

    `base` and `base_number` name what it stands on (None for the first release of a service);
    `steps` are the shares it climbs, fixed before its first user, and `step` the index of the
    present one; `because` is the sentence of its state. `passed` is somebody's word that the lane
    may go on beside its harm. `carried_by` is the fix that holds its commits, whose outcome it
    shares. `unproven`: it was given back, and nothing shows that users are well since.
    """

    service: str
    number: int
    revision: str
    base: str | None
    base_number: int | None
    commits: tuple[Commit, ...]
    diff: Diff
    intent: Intent
    shipper: Person
    stamps: Stamps
    phase: Phase = Phase.PROPOSED
    because: str = ""
    parts: Parts = field(default_factory=Parts)
    approvals: tuple[Approval, ...] = ()
    asked: tuple[str, ...] = ()
    rehearsed_s: float | None = None
    steps: tuple[float, ...] = ()
    step: int = 0
    wait: Wait | None = None
    undo: Order | None = None
    accept: Order | None = None
    passed: Order | None = None
    carried_by: int | None = None
    kept: tuple[Metric, ...] = ()  # guards before it that its own manifest may not loosen
    cause: Cause | None = None
    worse: str | None = None  # the metric that was worse, or the fact that was seen
    verdict: str = ""  # the verdict with what was proven beside it
    harm: Harm = field(default_factory=Harm)
    unproven: bool = False
    taught: Taught | None = None
    coverage: Coverage | None = None  # none: no check of it leaves a report

    @property
    def placebo(self) -> bool:
        """Whether it is the live release once more, and can never be anything else."""
        return self.intent.placebo

    @property
    def built_as(self) -> int:
        """The number under which its build stands: a placebo runs that of the live release."""
        return self.number if self.base_number is None or not self.placebo else self.base_number

    @property
    def made_room(self) -> bool:
        """Whether a placebo gave way before it taught anything, so that it is owed once more."""
        withdrawn = self.phase is Phase.WITHDRAWN and self.undo is None
        return self.placebo and self.taught is None and (withdrawn or self.cause is Cause.PLACEBO)

    @property
    def authors(self) -> tuple[Person, ...]:
        """Everybody who wrote a commit of it, each once."""
        found: dict[str, Person] = {}
        for commit in self.commits:
            for person in commit.authors:
                found.setdefault(person.email.casefold(), person)
        return tuple(found.values())

    def may_approve(self, person: Person) -> bool:
        """Nobody approves their own."""
        return not any(person.same_as(one) for one in (*self.authors, self.shipper))

    @property
    def approved(self) -> bool:
        """Whether somebody else said yes to exactly this diff."""
        return any(
            approval.identity == self.diff.identity and self.may_approve(approval.by)
            for approval in self.approvals
        )

    @property
    def contents(self) -> frozenset[str]:
        """What it holds, by commit and by what they do: as a whole it may be squashed."""
        commits = {name for one in self.commits for name in (one.id, one.identity)}
        return frozenset((commits | {self.diff.identity}) - {""})

    @property
    def ties(self) -> tuple[int, ...]:
        """The changes that it names: what it fixes, what it tries once more, what carries it."""
        named = (self.intent.fixes, self.intent.again, self.carried_by)
        return tuple(number for number in named if number is not None)

    def moved(self, event: Event, because: str) -> "Change":
        """This change in the phase that follows; waits end with the phase they stood in.

        Raises:
            IllegalMove: the table has no such arrow.
        """
        return replace(self, phase=after(self.phase, event), because=because, wait=None)
