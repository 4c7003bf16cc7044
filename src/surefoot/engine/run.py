"""One service as the engine holds it in memory: the present, and what is under way."""

import asyncio
from collections.abc import Collection, Iterator
from dataclasses import dataclass, field, replace

from surefoot.analysis.plan import JudgePlan
from surefoot.domain.change import Change
from surefoot.domain.lane import Hold, Lane, lane_of
from surefoot.domain.lifecycle import EXPOSED, LIVE, UNEXPOSED, Phase
from surefoot.domain.manifest import Address, Manifest
from surefoot.domain.metric import Metric, guards_joined
from surefoot.engine.drill import Drill
from surefoot.engine.watch import Watch
from surefoot.ports import (
    Checks,
    Clock,
    Notifier,
    Programs,
    Saved,
    Scm,
    ServiceRecord,
    Store,
    Target,
    Telemetry,
    Traffic,
)

__all__ = ["Outside", "ServiceRun"]

NEAR = 8  # that wait are made ready side by side


@dataclass(frozen=True, slots=True)
class Outside:
    """Every port, in one hand."""

    clock: Clock
    store: Store
    scm: Scm
    checks: Checks
    programs: Programs
    target: Target
    traffic: Traffic
    telemetry: Telemetry
    notifier: Notifier


class Changes(dict[int, Change]):
    """Changes by number. `version` tells whether any of them is another than before."""

    def __init__(self) -> None:
        """Begin with none."""
        super().__init__()
        self.version = 0

    def __setitem__(self, number: int, change: Change) -> None:
        """Put a change there; the same one again is no news."""
        if self.get(number) != change:
            self.version += 1
            super().__setitem__(number, change)

    def __delitem__(self, number: int) -> None:
        """Hold it no more."""
        self.version += 1
        super().__delitem__(number)


@dataclass(slots=True)
class ServiceRun:
    """A service, those of its changes that matter, and what the engine does for it right now.

    `turn` is held while states are read and written, `archiving` while changes go to the archive or
    come from there; `unsaved` are transactions that the store has not taken yet although giving
    back went ahead without them; `decided_at` is the boottime of the last look that came to its
    end. It is `untidy` when a change was settled and what it leaves behind is not put away yet;
    `undone` when something that was live was, so that what users may be led back to next has to be
    fetched. `news` is set when there is something to tell the team, `told` are the ledger's numbers
    of what they were told, and `untold` says what did not reach them last. `drill` is what is left
    of an order for placebo runs.
    """

    record: ServiceRecord
    manifest: Manifest
    watch: Watch
    changes: Changes = field(default_factory=Changes)
    manifests: dict[int, Manifest] = field(default_factory=dict)
    texts: dict[int, str] = field(default_factory=dict)
    plans: dict[int, JudgePlan] = field(default_factory=dict)
    jobs: dict[tuple[int, str], asyncio.Task[None]] = field(default_factory=dict)
    failures: dict[tuple[int, str], int] = field(default_factory=dict)
    unsaved: list[Saved] = field(default_factory=list)
    wake: asyncio.Event = field(default_factory=asyncio.Event)
    turn: asyncio.Lock = field(default_factory=asyncio.Lock)
    archiving: asyncio.Lock = field(default_factory=asyncio.Lock)
    shipping: asyncio.Lock = field(default_factory=asyncio.Lock)
    served: bool = False
    decided_at: float = 0.0
    newer: tuple[int, ...] = ()  # changes that a newer Surefoot wrote
    _lane: tuple[int, Lane] | None = None  # the version of the changes that it was read off
    _turned: int = 0
    untidy: bool = True
    undone: bool = True
    news: asyncio.Event = field(default_factory=asyncio.Event)
    told: set[int] = field(default_factory=set)
    untold: str | None = None
    drill: Drill | None = None

    @property
    def parked(self) -> str | None:
        """Why nothing is decided here: it takes the Surefoot that wrote these changes."""
        if not self.newer:
            return None
        numbers = ", ".join(map(str, self.newer))
        return f"a newer Surefoot wrote {numbers}, and this one cannot read that"

    @property
    def name(self) -> str:
        """The service's name."""
        return self.record.name

    @property
    def lane(self) -> Lane:
        """Who is live, exposed and waiting."""
        record, hold = self.record, None
        if record.held_by is not None:
            because, at = record.held_because or "", record.held_at or 0.0
            hold = Hold(record.held_by, because, at, record.held_until)
        version = self.changes.version
        if self._lane is None or self._lane[0] != version or self._lane[1].hold != hold:
            self._lane = version, lane_of(self.name, tuple(self.changes.values()), hold)
        return self._lane[1]

    def let_go(self, numbers: Collection[int]) -> None:
        """Hold these no more: the store has them."""
        for number in numbers:
            del self.changes[number]
            for kept in (self.manifests, self.texts, self.plans):
                kept.pop(number, None)

    def manifest_of(self, number: int) -> Manifest:
        """The manifest of a change's own revision; the one that guards now where none is kept."""
        return self.manifests.get(number, self.manifest)

    def upstream_of(self, change: Change) -> Address | None:
        """Where the first baseline listens, if somebody else runs it. What comes after is ours."""
        return self.manifest_of(change.number).upstream if change.base is None else None

    @property
    def starts_live(self) -> bool:
        """Whether what is live was started by us, so that it can be started once more."""
        return self.lane.live is not None and self.upstream_of(self.lane.live) is None

    def guards(self, number: int) -> tuple[Metric, ...]:
        """What a change is watched with: the live guards and what the change adds."""
        return guards_joined(self.manifest.metrics, self.manifest_of(number).metrics)

    def named_data(self, base: int | None) -> tuple[str, ...]:
        """The `[risk] data` of the live manifest, and of the change that one stands on."""
        under = self.manifest if base is None else self.manifest_of(base)
        return tuple(dict.fromkeys((*self.manifest.risk_data, *under.risk_data)))

    def standing(self, ground: Change) -> Manifest:
        """The manifest that guards while this is live: its own, and what it may not loosen."""
        own = self.manifest_of(ground.number)
        return replace(own, metrics=guards_joined(ground.kept, own.metrics))

    def to_decide(self) -> tuple[int, ...]:
        """The changes that may move: the exposed one, live, waiting, and carried back ones.

        Of those that wait: the first few, the first few that may go on, what somebody ordered, and
        the rest by turns. Ten thousand of them must not take the seconds of the one before users.
        """
        lane = self.lane
        exposed = [lane.exposed.number] if lane.exposed else []
        live = [lane.live.number] if lane.live else []
        return (*exposed, *live, *self._waiting(lane), *self._carried_back())

    def _waiting(self, lane: Lane) -> Iterator[int]:
        near = {one.number for one in (*lane.going[:NEAR], *lane.waiting[:NEAR])}
        far = [one for one in lane.waiting if one.number not in near]
        first = self._turned if self._turned < len(far) else 0
        self._turned = first + NEAR
        turn = {one.number for one in far[first : first + NEAR]}
        for one in lane.waiting:
            begun = one.phase is not Phase.PROPOSED and one.number in turn
            if one.number in near or one.undo or one.carried_by is not None or begun:
                yield one.number

    def _carried_back(self) -> Iterator[int]:
        """Live changes whose fix, that carries them, was restored."""
        for one in self.changes.values():
            if one.phase in LIVE and one.carried_by is not None:
                carrier = self.changes.get(one.carried_by)
                if carrier and carrier.phase is Phase.RESTORED:
                    yield one.number

    @property
    def serving(self) -> Change | None:
        """The release that users are on: the live one, or the first one in its start watch."""
        lane = self.lane
        adopting = (one for one in lane.waiting if one.stamps.exposed_at is not None)
        return lane.live or next(adopting, None)

    @property
    def busy(self) -> bool:
        """Whether any change is on its way, so that this service deserves a look each second."""
        return any(change.phase in UNEXPOSED | EXPOSED for change in self.changes.values())
