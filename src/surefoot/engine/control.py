"""What a person can ask of the control plane: the one door for every face."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Protocol

from surefoot.analysis.replay import Judged
from surefoot.domain.change import Intent, Person
from surefoot.domain.token import Token, TokenKind
from surefoot.engine.status import (
    ChangeStatus,
    DiffStatus,
    DoctorFinding,
    LearntStatus,
    OutputStatus,
    PlanStatus,
    ServiceStatus,
)
from surefoot.ports import Entry, LogQuery

__all__ = ["Control", "Health", "ShipOrder", "SignIn"]


@dataclass(frozen=True, slots=True)
class Health:
    """The control plane itself."""

    version: str
    pid: int
    epoch: int
    home: str


@dataclass(frozen=True, slots=True)
class ShipOrder:
    """What `ship` and `plan` are asked. `adopt`: this revision is what runs today."""

    service: str
    revision: str
    intent: Intent
    adopt: bool = False


@dataclass(frozen=True, slots=True)
class SignIn:
    """A one-time code that signs a browser in, and when it opens nothing more (epoch seconds)."""

    code: str
    expires_at: float


class Control(Protocol):
    """Every order carries the person of the token. Refusals raise `SurefootError`s.

    A change is known by its number, but for 0: each service may have one, so that `service` names
    which.
    """

    def health(self) -> Health:
        """Who answers."""

    def now(self) -> float:
        """What time it is here, in epoch seconds."""

    async def register(self, source: str, folder: str, manifest: str, by: Person) -> ServiceStatus:
        """Know a service by its manifest's text and its source; again is the same."""

    async def services(self) -> tuple[ServiceStatus, ...]:
        """Every service."""

    async def service(self, name: str) -> ServiceStatus:
        """One service. Raises `NotFound`."""

    async def plan(self, order: ShipOrder, by: Person) -> PlanStatus:
        """What `ship` would do. Changes nothing. Raises `Refused` as `ship` would."""

    async def ship(self, order: ShipOrder, by: Person) -> ChangeStatus:
        """Take a change on its way. Raises `Refused` with the cure."""

    async def change(self, number: int, service: str | None = None) -> ChangeStatus:
        """One change. Raises `NotFound`."""

    async def log(self, query: LogQuery) -> tuple[ChangeStatus, ...]:
        """Changes, newest first."""

    async def undo(
        self, number: int, by: Person, because: str, service: str | None = None
    ) -> ChangeStatus:
        """Give the service back; a second undo says that there is nothing to undo."""

    async def undo_service(self, service: str, by: Person, because: str) -> ChangeStatus:
        """As `undo`, for what is exposed, else live, in this service."""

    async def accept(
        self, number: int, by: Person, because: str, service: str | None = None
    ) -> ChangeStatus:
        """Answer for a change that the evidence could not decide."""

    async def hold(
        self, service: str, by: Person, because: str, for_s: float | None = None
    ) -> ServiceStatus:
        """Expose nothing further here for so many seconds, or until `resume`."""

    async def resume(self, service: str, by: Person, because: str) -> ServiceStatus:
        """Open the lane again."""

    async def drill_placebo(
        self, service: str, times: int, every_s: float, by: Person
    ) -> ServiceStatus:
        """Run the live release beside itself so many times; 0: no more. Replaces what was left."""

    async def learn(self, service: str | None = None) -> LearntStatus:
        """What was learnt of this service, or of each."""

    async def approve(self, number: int, by: Person, service: str | None = None) -> ChangeStatus:
        """Say yes to this very diff. Never one's own."""

    async def ask(
        self, number: int, by: Person, question: str, service: str | None = None
    ) -> ChangeStatus:
        """Ask the author something; the review stays open."""

    async def reviews(self, by: Person) -> tuple[ChangeStatus, ...]:
        """Changes that wait for somebody's yes and that this person may review."""

    async def evidence(self, number: int, service: str | None = None) -> str:
        """The recorded ticks of a change, as `surefoot judge` reads them."""

    async def output(self, number: int, service: str | None = None) -> OutputStatus:
        """What a change prints, and first what its baseline does not. Raises `NotFound`."""

    async def diff(self, number: int, service: str | None = None) -> DiffStatus:
        """What a change alters. Raises `NotFound`."""

    async def course(self, number: int, service: str | None = None) -> Judged | None:
        """How the evidence of a change came to what it says now, as the live judge says it.

        None before any user met it, and when it cannot be read. Raises `NotFound`.
        """

    async def entries(
        self, after: int, limit: int, service: str | None = None, change: int | None = None
    ) -> tuple[Entry, ...]:
        """The ledger."""

    def follow(self, after: int | None) -> AsyncIterator[Entry]:
        """The ledger from behind `after` (None: what is still to come), and then as it grows."""

    async def doctor(self) -> tuple[DoctorFinding, ...]:
        """What is missing, and the cure."""

    async def who(self, secret: str, *, in_browser: bool = False) -> Person | None:
        """The person behind a key, or behind a browser's sign-in; neither passes for the other."""

    async def tokens(self) -> tuple[Token, ...]:
        """Every token that has not expired, without its secret."""

    async def new_token(self, person: Person, by: Person) -> tuple[Token, str]:
        """A key for a person, and its secret: shown once, stored hashed."""

    async def revoke_token(self, token: int, by: Person) -> None:
        """Close a token."""

    async def sign_in(self, by: Person, kind: TokenKind) -> SignIn:
        """A code that signs a browser in as this person: for one use, soon."""

    async def redeem(self, code: str, instead_of: str = "") -> tuple[Token, str] | None:
        """The sign-in that a code stands for, and its secret; None for one that is wrong or old.

        `instead_of` is the secret of the sign-in that this browser had before; it is closed.
        """

    async def sign_out(self, secret: str) -> None:
        """Close a browser's sign-in; one that is closed stays so."""

    async def down(self, by: Person, *, everything: bool = False) -> tuple[str, ...]:
        """Stop the control plane: what is exposed is given back; users stay served. Sentences.

        `everything` takes users off the air: releases, proxy and what keeps them alive end too.
        """
