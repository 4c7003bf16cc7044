"""The seams to the outside world. Adapters implement them; the engine knows nothing else.

Every method may raise `OutsideFailed`; the engine tries again. Each act is idempotent: it observes
first and converges ("the share is 10 %", not "raise it").
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from surefoot.analysis.ticks import Row
from surefoot.domain.change import Change, Commit, Diff, Person
from surefoot.domain.manifest import Address, Metric
from surefoot.domain.token import Token, TokenKind

__all__ = [
    "Checks",
    "Clock",
    "CommandSpec",
    "Entry",
    "Finished",
    "Front",
    "GivenBack",
    "InstanceFacts",
    "LogQuery",
    "Metered",
    "NewEntry",
    "Notice",
    "Notifier",
    "Program",
    "Programs",
    "Rehearsal",
    "ReleaseSpec",
    "Routes",
    "Said",
    "Saved",
    "Scm",
    "Seen",
    "ServiceRecord",
    "Store",
    "Study",
    "Target",
    "Telemetry",
    "Traffic",
    "UpstreamArm",
    "Watched",
]


class Clock(Protocol):
    """The only way to the time."""

    def now(self) -> float:
        """Wall time in epoch seconds: for stamps and deadlines that outlive a process."""

    def boottime(self) -> float:
        """Seconds that only go forward, sleep included: for leases and ticks."""

    async def sleep(self, seconds: float) -> None:
        """Wait."""


# --- source ------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Study:
    """What the source says of `base..revision`; `trailers` are (key, value) in file order."""

    revision: str
    commits: tuple[Commit, ...]
    diff: Diff
    trailers: tuple[tuple[str, str], ...]


class Scm(Protocol):
    """A bare mirror for each service."""

    async def init(self, service: str, source: str) -> None:
        """Make the mirror of `source` (a path or an address), or point it there."""

    async def fetch(self, service: str) -> None:
        """Bring the mirror up to date."""

    async def resolve(self, service: str, revision: str) -> str:
        """The full hash of a revision. Raises `BadRevision` with the cure when there is none."""

    async def descends(self, service: str, revision: str, base: str) -> bool:
        """Whether `base` is an ancestor of `revision`, or the same."""

    async def study(self, service: str, base: str | None, revision: str, folder: str = "") -> Study:
        """Commits, people, size and identity of `base..revision` (base None: the tip commit).

        What belongs to a manifest of a folder other than `folder` is left out.
        """

    async def diff(self, service: str, base: str | None, revision: str, folder: str = "") -> str:
        """The unified diff of what `study` measures, to be read; binary files by name alone."""

    async def read(self, service: str, revision: str, path: str) -> str | None:
        """A text file at a revision, or None. Raises `BadRevision` when it is not UTF-8 text."""

    async def checkout(self, service: str, revision: str, into: Path) -> None:
        """A clean tree of a revision in `into`. Raises `Refused` on submodules or LFS files."""

    async def discard(self, folder: Path) -> None:
        """A folder with checkouts, and with all that builds and checks left there, is gone."""


# --- commands ----------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class CommandSpec:
    """A check or a build: argv, where, with what, for how long (seconds).

    `told` is what it reads on standard input. One that `stands_back` runs only with what users'
    requests leave over.
    """

    argv: tuple[str, ...]
    folder: Path
    time_limit_s: float
    environment: Mapping[str, str] = field(default_factory=dict)
    output: Path | None = None  # the whole output goes here too, when given
    told: str = ""
    stands_back: bool = True


@dataclass(frozen=True, slots=True)
class Finished:
    """How a command ended. `said` is the end of its output, decoded with replacement."""

    ok: bool
    code: int | None  # None: it was ended at its time limit
    seconds: float
    said: str


class Checks(Protocol):
    """Runs checks and builds, without the service's secrets."""

    async def run(self, command: CommandSpec) -> Finished:
        """Run to the end or to the time limit, which ends the whole process group."""


# --- people ------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Notice:
    """What the team is told: one sentence, and all that is known of it, as JSON has it."""

    sentence: str
    facts: Mapping[str, object]


class Notifier(Protocol):
    """Tells the people of a team, by a command of their own."""

    async def tell(self, argv: Sequence[str], folder: Path, notice: Notice) -> None:
        """Hand one notice over, in `folder`, within 10 s.

        Raises:
            OutsideFailed: the command did not take it; the end of what it said is in the message.
        """


# --- programs ----------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Program:
    """A program that must keep running when the daemon is gone, started through the exec shim.

    `lock` is the file that the running copy holds: a second program on the same lock is a hot
    standby. `env_file` is read by the shim alone.
    """

    name: str
    argv: tuple[str, ...]
    folder: Path
    environment: Mapping[str, str]
    lock: Path
    log: Path
    env_file: str | None = None
    stop_timeout_s: float = 10.0


class Programs(Protocol):
    """The supervisor that is not the daemon."""

    async def start(self) -> None:
        """The supervisor runs; started when it does not."""

    async def keep(self, program: Program) -> None:
        """Run it and restart it for ever, under exactly this description."""

    async def drop(self, name: str, *, kill: bool = False) -> None:
        """End it and forget it, together with its whole process group."""

    async def kept(self) -> tuple[str, ...]:
        """The names of all programs that are kept."""

    async def stop(self) -> None:
        """End the supervisor and everything that it keeps."""


# --- releases ----------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class ReleaseSpec:
    """All that is needed to run a release as processes on this host.

    `upstream` is where one listens that somebody else runs: it is neither started nor ended.
    """

    service: str
    release: int
    folder: Path
    argv: tuple[str, ...]
    environment: Mapping[str, str]
    env_file: str | None
    instances: int
    health: str
    ready_s: float
    stop_timeout_s: float
    upstream: Address | None = None


@dataclass(frozen=True, slots=True)
class InstanceFacts:
    """One process of a release as it is now. `started` with `pid` tells a restart from a stay.

    Neither is known of an upstream, which is only seen to listen.
    """

    index: int
    port: int
    pid: int | None
    started: float | None
    listening: bool

    @property
    def up(self) -> bool:
        """Whether it is there."""
        return self.pid is not None or self.listening


@dataclass(frozen=True, slots=True)
class Said:
    """What is kept of what one instance of a release wrote, oldest first.

    `first` is how it began; what lies between that and the `last` lines is left out.
    """

    instance: int
    first: tuple[str, ...]
    last: tuple[str, ...]


class Target(Protocol):
    """Where releases run. It outlives the daemon."""

    async def start(self, spec: ReleaseSpec) -> tuple[InstanceFacts, ...]:
        """Start it, or find it running; returns when its ports are chosen."""

    async def ready(self, spec: ReleaseSpec) -> Finished:
        """Wait until every instance listens by itself and answers its health path."""

    async def look(self, service: str, release: int) -> tuple[InstanceFacts, ...]:
        """Its processes as they are; empty when it does not run."""

    async def stop(self, service: str, release: int, *, kill: bool = False) -> None:
        """End it: SIGTERM, then SIGKILL after its stop timeout; `kill`: SIGKILL at once."""

    async def running(self, service: str) -> tuple[int, ...]:
        """The releases of a service that are set to run."""

    async def said(self, service: str, release: int, lines: int) -> tuple[Said, ...]:
        """How each instance began and what it wrote last, so many lines each, without secrets.

        Empty when nothing is kept of it. What ended is still there for a while.
        """

    async def in_the_way(self, listen: Address) -> str | None:
        """Who holds an address where users are to come in, if not this installation itself."""


# --- traffic -----------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class UpstreamArm:
    """A release as the proxy knows it."""

    release: int
    addresses: tuple[Address, ...]


@dataclass(frozen=True, slots=True)
class Front:
    """A service's place in the proxy: where users come in, and which releases it may reach."""

    service: str
    listen: Address
    arms: tuple[UpstreamArm, ...]
    health: str
    sticky: str = "off"
    timeout_s: float | None = None


@dataclass(frozen=True, slots=True)
class Routes:
    """Who meets what. `share` of the requests meets `candidate`, the rest `live`.

    `spare` is a warm release that answers when `live` cannot and there is no candidate; `change`
    is the number the keeper's lease and fence are for.
    """

    service: str
    live: int
    candidate: int | None = None
    share: float = 0.0
    spare: int | None = None
    change: int | None = None


@dataclass(frozen=True, slots=True)
class GivenBack:
    """What the keeper did by itself while nobody held the lease; `at` in epoch seconds."""

    service: str
    change: int
    at: float
    why: str


@dataclass(frozen=True, slots=True)
class Seen:
    """The routes of a service as read back, and how its releases are (release: healthy)."""

    routes: Routes | None
    healthy: Mapping[int, bool]
    given_back: tuple[GivenBack, ...] = ()


@dataclass(frozen=True, slots=True)
class Rehearsal:
    """The way back, walked before any user: seconds until the old release answered again."""

    ok: bool
    seconds: float
    said: str = ""


class Traffic(Protocol):
    """The proxy and its keeper. Production does not depend on the daemon being alive."""

    async def start(self) -> None:
        """Proxy and keeper run and answer; started when they do not."""

    async def serve(self, front: Front) -> None:
        """The proxy knows these releases, each seen once as healthy or for 5 s as not."""

    async def route(self, routes: Routes, lease_s: float) -> float:
        """Through the keeper: routes in place and read back; returns the seconds it took.

        Raises:
            Relieved: the keeper follows a newer control plane, or has fenced this change.
        """

    async def renew(self, service: str, change: int, lease_s: float) -> None:
        """Hold the lease on an exposed change. Raises `Relieved` as `route` does."""

    async def give_back(self, service: str) -> float:
        """The keeper's stored fallback, now; needs no store and no disk. Returns seconds."""

    async def seen(self, service: str) -> Seen:
        """The truth, read back."""

    async def rehearse(self, service: str, old: int, new: int, path: str) -> Rehearsal:
        """Take a private route from old to new and back, through the real parts."""

    async def warm(self, service: str, release: int, paths: Sequence[str]) -> None:
        """Ask these paths of a release by the private route, before any user does."""

    async def retire(self, service: str) -> None:
        """Take a service off the proxy."""


# --- telemetry ---------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Watched:
    """What to look at each second: releases as arms, and the declared metrics with their page."""

    service: str
    canary: UpstreamArm | None
    baseline: UpstreamArm | None
    metrics: tuple[Metric, ...] = ()
    metrics_path: str | None = None
    exposed_at: float = 0.0  # boottime of the first exposure: `t` of the rows counts from here


@dataclass(frozen=True, slots=True)
class Metered:
    """One look: ticks for both arms over the same interval, and what liveness needs.

    `missing` names the declared metrics that had no sample; they are unknown, never zero. `halves`
    are ticks of the live release alone, where it has several instances: every other one in the
    canary's place, the rest in the baseline's.
    """

    rows: tuple[Row, ...]
    halves: tuple[Row, ...] = ()
    canary_answered: int = 0
    canary_active: int = 0
    baseline_answered: int = 0
    baseline_active: int = 0
    abandoned: int = 0
    missing: tuple[str, ...] = ()


class Telemetry(Protocol):
    """Where ticks come from."""

    async def look(self, watched: Watched) -> Metered | None:
        """What happened since the last look at this service; None: nothing is known."""

    async def names(self, watched: Watched) -> tuple[str, ...]:
        """Declared selectors that the service's metrics page does not have."""

    def forget(self, service: str) -> None:
        """Start anew at the next look, after releases or routes changed."""


# --- store -------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class ServiceRecord:
    """A service that Surefoot ships. `manifest` is the text of the one that guards now."""

    name: str
    source: str
    folder: str
    manifest: str
    last_number: int = 0
    held_by: str | None = None
    held_because: str | None = None
    held_at: float | None = None
    held_until: float | None = None  # epoch seconds; None: until somebody resumes


@dataclass(frozen=True, slots=True)
class NewEntry:
    """Something that happened, to be written down."""

    at: float
    service: str | None
    change: int | None
    kind: str
    says: str
    by: str | None = None
    data: Mapping[str, object] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Entry(NewEntry):
    """Something that happened, as the ledger has it."""

    seq: int = 0


@dataclass(frozen=True, slots=True)
class Saved:
    """One transaction: states, what happened, and the acts that are intended because of it."""

    changes: tuple[Change, ...] = ()
    services: tuple[ServiceRecord, ...] = ()
    entries: tuple[NewEntry, ...] = ()
    acts: tuple[tuple[str, int, str], ...] = ()  # service, change, the act in words


@dataclass(frozen=True, slots=True)
class LogQuery:
    """Which changes `log` shows, newest first; times are epoch seconds.

    Those proposed from `since` to `until`, both included. `author` is a part of a name or an
    address, without case; `outcome` a phase; `path` the beginning of a file's path. `serving_at`
    asks for what served users then, and for nothing else.
    """

    service: str | None = None
    since: float | None = None
    author: str | None = None
    outcome: str | None = None
    path: str | None = None
    serving_at: float | None = None
    limit: int = 50
    until: float | None = None


class Store(Protocol):
    """The ledger and the present, one writer.

    The present is what may still matter. The archive is the rest: nobody reads it to begin, and
    whoever asks for a change gets it from there.
    """

    async def services(self) -> tuple[ServiceRecord, ...]:
        """Every service."""

    async def changes(self, service: str | None = None) -> tuple[Change, ...]:
        """The changes that are not in the archive, by number."""

    async def archive(self, service: str, numbers: Collection[int]) -> None:
        """Lay these aside; whoever saves or recalls one takes it out again."""

    async def recall(self, service: str, numbers: Collection[int]) -> tuple[Change, ...]:
        """These with their whole family (`retention.family`), all out of the archive from now on.

        Numbers that no change has are left out.
        """

    async def last_live(self, service: str, limit: int) -> tuple[int, ...]:
        """The changes that users may be led back to, as `lane.live_ones` has them."""

    async def find(self, number: int, service: str | None = None) -> tuple[Change, ...]:
        """The changes with this number, one for each service that has it."""

    async def log(self, query: LogQuery) -> tuple[Change, ...]:
        """Changes, the last one proposed first."""

    async def live_until(self, changes: Sequence[Change]) -> tuple[float | None, ...]:
        """For each of these, when users left it, as `lane.live_until` says."""

    async def approved(self, service: str, identity: str) -> Change | None:
        """The newest change with approvals whose diff has this identity."""

    async def last_number(self) -> int:
        """The highest number of any change, also of one that cannot be read; 0 before the first."""

    async def unreadable(self) -> tuple[tuple[str, int], ...]:
        """Changes (service, number) whose state is newer than this version: left alone."""

    async def save(self, saved: Saved) -> tuple[Entry, ...]:
        """All of it or nothing; returns the entries with their numbers."""

    async def keep(self, kept: Sequence[Saved]) -> None:
        """All that `save` could not take yet, where it survives a full disk and our own end."""

    async def entries(
        self, after: int, limit: int, service: str | None = None, change: int | None = None
    ) -> tuple[Entry, ...]:
        """The ledger from behind `after`, oldest first."""

    async def recent(self, service: str, kinds: Sequence[str], limit: int) -> tuple[Entry, ...]:
        """The last entries of a service that are of these kinds, newest first."""

    async def tokens(self) -> tuple[Token, ...]:
        """Every key ever given, and the sign-ins that were not cleared away."""

    async def add_token(
        self,
        person: Person,
        hashed: str,
        at: float,
        kind: TokenKind = TokenKind.KEY,
        expires_at: float | None = None,
    ) -> Token:
        """Remember a person's token. Those that have expired by then are cleared away."""

    async def revoke_token(self, token: int, at: float) -> None:
        """Close a key for good. Raises `NotFound`."""

    async def next_epoch(self) -> int:
        """A number higher than any before: one for each daemon that holds the lock."""
