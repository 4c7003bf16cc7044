"""What crosses the wire beside the engine's own values. The OpenAPI schemas come from these.

What a request carries is validated here, before anything is asked of the control plane: an unknown
key, a wrong type and a text that is too long are refused with their place.
"""

from typing import Annotated, Literal

from msgspec import Meta, Struct

from surefoot.domain.change import Person
from surefoot.domain.token import Token, TokenKind
from surefoot.engine.status import ChangeStatus, DoctorFinding, ServiceStatus
from surefoot.ports import Entry

__all__ = [
    "Changes",
    "Done",
    "Down",
    "DrillPlacebo",
    "Findings",
    "Followed",
    "HoldFor",
    "Ledger",
    "LedgerAsked",
    "LogAsked",
    "NewToken",
    "Nothing",
    "Problem",
    "Question",
    "Reason",
    "Register",
    "Said",
    "Services",
    "Ship",
    "SignInFor",
    "TokenFor",
    "TokenView",
    "Tokens",
    "Undo",
    "WhichService",
]

# A person's name stands beside approvals: nothing in it may hide or turn around what is read.
_STEERS = r"\x00-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069"
Line = Annotated[str, Meta(max_length=4_000)]
Sentence = Annotated[str, Meta(min_length=1, max_length=4_000, pattern=r"\S")]
Number = Annotated[int, Meta(ge=0, le=2**53)]


class Nothing(Struct, forbid_unknown_fields=True, frozen=True):
    """This request takes nothing."""


class Register(Struct, forbid_unknown_fields=True, frozen=True):
    """A service: where its source is, the folder in it, and the text of its `surefoot.toml`."""

    source: Sentence
    manifest: str
    folder: Line = ""


class Ship(Struct, forbid_unknown_fields=True, frozen=True):
    """What `ship` and `plan` are asked. `adopt`: this revision is what runs today.

    `forward_only`: it alters data, and whoever ships it says so.
    """

    revision: Annotated[str, Meta(min_length=1, max_length=200)]
    why: Line = ""
    watch: tuple[Line, ...] = ()
    expect: tuple[Line, ...] = ()
    fixes: Number | None = None
    again: Number | None = None
    forward_only: bool = False
    adopt: bool = False


class Reason(Struct, forbid_unknown_fields=True, frozen=True):
    """An order that wants a reason: it stays on record."""

    because: Sentence


class HoldFor(Struct, forbid_unknown_fields=True, frozen=True):
    """A hold and its reason. `for_s` seconds, a week at most; without, until somebody resumes."""

    because: Sentence
    for_s: Annotated[float, Meta(gt=0, le=7 * 86_400)] | None = None


class DrillPlacebo(Struct, forbid_unknown_fields=True, frozen=True):
    """So many placebo runs, each `every_s` seconds, a year at most, after the one before."""

    times: Annotated[int, Meta(ge=1, le=1_000)] = 1
    every_s: Annotated[float, Meta(ge=0, le=366 * 86_400)] = 0.0


class Said(Struct, forbid_unknown_fields=True, frozen=True):
    """An order that never waits for a reason, and keeps one when it is given."""

    because: Line = ""


class Undo(Said, forbid_unknown_fields=True, frozen=True):
    """An order to undo a change; of number 0 the service must be named."""

    service: Line | None = None


class Down(Struct, forbid_unknown_fields=True, frozen=True):
    """How much is to end: the control plane, or `everything`, which takes users off the air."""

    everything: bool = False


class Question(Struct, forbid_unknown_fields=True, frozen=True):
    """What a reviewer wants to know before saying yes."""

    question: Sentence


class TokenFor(Struct, forbid_unknown_fields=True, frozen=True):
    """Whom a new token is for."""

    name: Annotated[str, Meta(min_length=1, max_length=200, pattern=rf"^[^<>{_STEERS}]+$(?!\n)")]
    email: Annotated[
        str, Meta(max_length=200, pattern=rf"^[^\s<>@{_STEERS}]+@[^\s<>@{_STEERS}]+$(?!\n)")
    ]


class SignInFor(Struct, forbid_unknown_fields=True, frozen=True):
    """What is to be signed in: a browser for 7 days, or a phone for 30."""

    kind: Literal["browser", "phone"] = "browser"


class WhichService(Struct, forbid_unknown_fields=True, frozen=True):
    """Number 0 is a service's adopted release: then the service must be named."""

    service: Line | None = None


class LogAsked(Struct, forbid_unknown_fields=True, frozen=True):
    """Which changes, newest first. `since` and `serving_at` are epoch seconds."""

    service: Line | None = None
    since: float | None = None
    author: Line | None = None
    outcome: Line | None = None
    path: Line | None = None
    serving_at: float | None = None
    limit: Annotated[int, Meta(ge=1, le=1_000)] = 50


class LedgerAsked(Struct, forbid_unknown_fields=True, frozen=True):
    """Which part of the ledger, oldest first, from behind entry `after`."""

    after: Number = 0
    limit: Annotated[int, Meta(ge=1, le=1_000)] = 200
    service: Line | None = None
    change: Number | None = None


class Followed(Struct, forbid_unknown_fields=True, frozen=True):
    """Which entries to follow, from behind entry `after`. `Last-Event-ID` wins over it."""

    after: Number = 0
    service: Line | None = None
    change: Number | None = None


class Services(Struct, frozen=True):
    """Every service."""

    services: tuple[ServiceStatus, ...]


class Changes(Struct, frozen=True):
    """Changes, newest first."""

    changes: tuple[ChangeStatus, ...]


class Findings(Struct, frozen=True):
    """What `doctor` looked at."""

    findings: tuple[DoctorFinding, ...]


class Ledger(Struct, frozen=True):
    """Entries, oldest first; ask again with `after` for those behind them."""

    entries: tuple[Entry, ...]
    after: int


class TokenView(Struct, frozen=True):
    """A token as anybody may see it: never its secret, nor its hash. Times are epoch seconds."""

    id: int
    person: Person
    created_at: float
    revoked_at: float | None
    kind: TokenKind
    expires_at: float | None

    @classmethod
    def of(cls, token: Token) -> "TokenView":
        """The token without what opens a door."""
        return cls(
            token.id,
            token.person,
            token.created_at,
            token.revoked_at,
            token.kind,
            token.expires_at,
        )


class Tokens(Struct, frozen=True):
    """Every token."""

    tokens: tuple[TokenView, ...]


class NewToken(Struct, frozen=True):
    """A new token with its secret, which is shown this once and kept nowhere."""

    token: TokenView
    secret: str


class Done(Struct, frozen=True):
    """The order was carried out; what there is to say about it."""

    says: tuple[str, ...]


class Problem(Struct, frozen=True):
    """Why not, where, and the cure (RFC 9457)."""

    type: str
    title: str
    status: int
    detail: str
    cure: str = ""
