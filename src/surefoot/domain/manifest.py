"""What a team writes about its service, as values. `config.manifest` reads them from the file.

Times are seconds, shares are fractions, margins in points are percentage points.
"""

from dataclasses import dataclass, field
from enum import StrEnum

from surefoot.domain.change import Person
from surefoot.domain.metric import Metric, MetricKind

__all__ = [
    "Address",
    "Check",
    "Manifest",
    "Metric",
    "MetricKind",
    "Notify",
    "ReleaseRules",
    "Review",
    "Rollout",
    "Traffic",
]


@dataclass(frozen=True, slots=True)
class Address:
    """Where something listens."""

    host: str
    port: int

    def __str__(self) -> str:
        """As it is written in the manifest."""
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


@dataclass(frozen=True, slots=True)
class ReleaseRules:
    """How a release is built, run, and known to be ready."""

    run: tuple[str, ...]
    build: tuple[str, ...] = ()
    health: str = "/"
    metrics: str | None = None
    warm: tuple[str, ...] = ()
    instances: int = 1
    env: tuple[tuple[str, str], ...] = ()
    env_file: str | None = None
    ready_s: float = 60.0
    stop_timeout_s: float = 10.0


@dataclass(frozen=True, slots=True)
class Check:
    """A command that must pass before exposure. `coverage` is the LCOV tracefile it leaves."""

    name: str
    run: tuple[str, ...]
    time_limit_s: float = 1800.0
    coverage: str | None = None


@dataclass(frozen=True, slots=True)
class Rollout:
    """How a change meets its users."""

    steps: tuple[float, ...] | None = None  # None: "auto", from the service's traffic
    warm_up_s: float = 10.0
    time_limit_s: float = 900.0
    answer_within_s: float = 1800.0
    on_inconclusive: str = "restore"  # or "hold"
    soak_s: float = 600.0
    largest_margin: float = 5.0
    blind_limit_s: float = 30.0
    undo_drain_s: float = 5.0


@dataclass(frozen=True, slots=True)
class Traffic:
    """How requests are passed on. `timeout_s` None: no limit on an answer's time."""

    sticky: str = "off"  # "off", "cookie" or "header:NAME"
    timeout_s: float | None = None


class Review(StrEnum):
    """When somebody else has to say yes."""

    BEFORE = "before"
    AFTER = "after"
    OFF = "off"


@dataclass(frozen=True, slots=True)
class Notify:
    """The command that tells the team; none: nobody is told."""

    run: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Manifest:
    """All of `surefoot.toml`. `folder` is where it stands, relative to the repository's root."""

    name: str
    listen: Address
    release: ReleaseRules
    folder: str = ""
    upstream: Address | None = None
    checks: tuple[Check, ...] = ()
    metrics: tuple[Metric, ...] = ()
    rollout: Rollout = field(default_factory=Rollout)
    traffic: Traffic = field(default_factory=Traffic)
    risk_data: tuple[str, ...] = ()
    members: tuple[Person, ...] = ()
    review: Review = Review.BEFORE
    notify: Notify = field(default_factory=Notify)
