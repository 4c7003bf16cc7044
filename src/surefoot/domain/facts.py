"""What a decision is made from, and what it is: both plain values.

`Facts` is one immutable snapshot of the world. `Decision` says what the change becomes and which
acts make the world agree. An act names a state of the world to converge on, never a step to take.
"""

from dataclasses import dataclass

from surefoot.domain.change import Change
from surefoot.domain.lane import Lane
from surefoot.domain.manifest import Review, Rollout
from surefoot.domain.metric import Metric
from surefoot.domain.verdict import Reading

__all__ = [
    "Act",
    "Build",
    "Decision",
    "EndRelease",
    "Facts",
    "GiveBack",
    "Prepare",
    "Route",
    "RunChecks",
    "StartRelease",
    "World",
    "same_share",
]


SHARE_PRECISION = 1e-6


def same_share(one: float, other: float) -> bool:
    """Whether two shares are one; proxies keep no more than six decimals."""
    return abs(one - other) < SHARE_PRECISION


@dataclass(frozen=True, slots=True)
class World:
    """The data plane of one service as it was read a moment ago.

    `share` is what the proxy says this change's share is; `answering` is whether its release is
    healthy there and `old_answering` whether the one that would take over is. `active` counts
    requests that are still open on it. `fenced` tells why the keeper gave it back by itself,
    `stuck` why it cannot be taken further. `old_hurt` is whether the old release is dead, or hurt
    as badly as no change can explain. `watched_s` is how long the live release was watched.
    """

    share: float = 0.0
    live_routed: bool = False
    answering: bool | None = None
    old_answering: bool | None = None
    old_running: bool = True
    active: int = 0
    ended: bool = False
    fenced: str | None = None
    stuck: str | None = None
    room: bool = True
    lagging: bool = False
    blind_s: float = 0.0
    old_hurt: bool = False
    host_hurt: bool = False
    in_band: bool = False
    seen_by_users: bool = True
    watched_s: float = 0.0

    def has_share(self, wanted: float) -> bool:
        """Whether the proxy gives the change this share."""
        return same_share(self.share, wanted)


@dataclass(frozen=True, slots=True)
class Facts:
    """Everything that a decision on one change may use.

    `kept` are the live guards that its own manifest would loosen, `unnamed` the `[risk] data` that
    it would no longer name; `carrier` is the fix that carries it.
    """

    now: float
    change: Change
    lane: Lane
    world: World
    rules: Rollout
    review: Review
    steps: tuple[float, ...]
    reading: Reading | None = None
    team_of_one: bool = False
    manifest_only: bool = False
    kept: tuple[Metric, ...] = ()
    unnamed: tuple[str, ...] = ()
    carrier: Change | None = None


class Act:
    """A state of the world to converge on."""

    __slots__ = ()


@dataclass(frozen=True, slots=True)
class RunChecks(Act):
    """Every check of the change has run."""


@dataclass(frozen=True, slots=True)
class Build(Act):
    """The revision is checked out and built."""


@dataclass(frozen=True, slots=True)
class Prepare(Act):
    """The release runs, is warm, and its way back has been rehearsed."""


@dataclass(frozen=True, slots=True)
class StartRelease(Act):
    """A release that must serve again runs."""

    release: int


@dataclass(frozen=True, slots=True)
class Route(Act):
    """The change's share is this; 1 makes it the release that all users are on."""

    share: float


@dataclass(frozen=True, slots=True)
class GiveBack(Act):
    """No user meets the change any more. Goes before everything else, the store included."""


@dataclass(frozen=True, slots=True)
class EndRelease(Act):
    """The release's processes are gone; `kill` asks for that at once."""

    release: int
    kill: bool = False


@dataclass(frozen=True, slots=True)
class Decision:
    """What the change becomes, what has to be done, when to look again, and why.

    `wake_at` is the next moment (epoch seconds) at which time alone changes the answer.
    """

    change: Change
    acts: tuple[Act, ...] = ()
    wake_at: float | None = None

    @property
    def because(self) -> str:
        """The sentence of the change's state."""
        return self.change.because
