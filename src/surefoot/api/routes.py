"""The route table: all that the API can be asked, and the door each question goes through."""

from typing import Any

from starlette.responses import PlainTextResponse, Response

from surefoot.api.operations import Call, Operation
from surefoot.api.stream import STREAM_MEDIA, events
from surefoot.api.wire import (
    Changes,
    Done,
    Down,
    DrillPlacebo,
    Findings,
    Followed,
    HoldFor,
    Ledger,
    LedgerAsked,
    LogAsked,
    NewToken,
    Nothing,
    Question,
    Reason,
    Register,
    Said,
    Services,
    Ship,
    SignInFor,
    TokenFor,
    Tokens,
    TokenView,
    Undo,
    WhichService,
)
from surefoot.domain.change import Intent, Person
from surefoot.domain.token import Token, TokenKind
from surefoot.engine.control import Health, ShipOrder, SignIn
from surefoot.engine.status import (
    ChangeStatus,
    DiffStatus,
    LearntStatus,
    OutputStatus,
    PlanStatus,
    ServiceStatus,
)
from surefoot.ports import Entry, LogQuery

__all__ = ["ROUTES"]


async def _health(call: Call[Nothing]) -> Health:
    """Who answers."""
    return call.control.health()


async def _whoami(call: Call[Nothing]) -> Person:
    """Whose token this is."""
    return call.by


async def _services(call: Call[Nothing]) -> Services:
    """Every service."""
    return Services(await call.control.services())


async def _register(call: Call[Register]) -> ServiceStatus:
    """Know a service; again is the same."""
    asked = call.asked
    return await call.control.register(asked.source, asked.folder, asked.manifest, call.by)


async def _service(call: Call[Nothing]) -> ServiceStatus:
    """One service."""
    return await call.control.service(call.name)


def _order(call: Call[Ship]) -> ShipOrder:
    asked = call.asked
    intent = Intent(
        why=asked.why,
        watch=asked.watch,
        expect=asked.expect,
        fixes=asked.fixes,
        again=asked.again,
        forward_only=asked.forward_only,
    )
    return ShipOrder(call.name, asked.revision, intent, asked.adopt)


async def _plan(call: Call[Ship]) -> PlanStatus:
    """What `ship` would do; changes nothing."""
    return await call.control.plan(_order(call), call.by)


async def _ship(call: Call[Ship]) -> ChangeStatus:
    """Take a change on its way."""
    return await call.control.ship(_order(call), call.by)


async def _undo_service(call: Call[Said]) -> ChangeStatus:
    """Give the service back."""
    return await call.control.undo_service(call.name, call.by, call.asked.because)


async def _hold(call: Call[HoldFor]) -> ServiceStatus:
    """Expose nothing further here."""
    return await call.control.hold(call.name, call.by, call.asked.because, call.asked.for_s)


async def _resume(call: Call[Reason]) -> ServiceStatus:
    """Open the lane again."""
    return await call.control.resume(call.name, call.by, call.asked.because)


async def _drill_placebo(call: Call[DrillPlacebo]) -> ServiceStatus:
    """Run the live release beside itself."""
    asked = call.asked
    return await call.control.drill_placebo(call.name, asked.times, asked.every_s, call.by)


async def _drill_no_placebo(call: Call[Nothing]) -> ServiceStatus:
    """End what is left of an order for placebo runs."""
    return await call.control.drill_placebo(call.name, 0, 0.0, call.by)


async def _learn(call: Call[WhichService]) -> LearntStatus:
    """How often a verdict is wrong here, and what was learnt."""
    return await call.control.learn(call.asked.service)


async def _log(call: Call[LogAsked]) -> Changes:
    """Changes, newest first."""
    asked = call.asked
    query = LogQuery(
        service=asked.service,
        since=asked.since,
        author=asked.author,
        outcome=asked.outcome,
        path=asked.path,
        serving_at=asked.serving_at,
        limit=asked.limit,
    )
    return Changes(await call.control.log(query))


async def _change(call: Call[WhichService]) -> ChangeStatus:
    """One change."""
    return await call.control.change(call.number, call.asked.service)


async def _undo(call: Call[Undo]) -> ChangeStatus:
    """Undo this change."""
    asked = call.asked
    return await call.control.undo(call.number, call.by, asked.because, asked.service)


async def _accept(call: Call[Reason]) -> ChangeStatus:
    """Answer for an undecided change."""
    return await call.control.accept(call.number, call.by, call.asked.because)


async def _approve(call: Call[Nothing]) -> ChangeStatus:
    """Say yes to this very diff."""
    return await call.control.approve(call.number, call.by)


async def _ask(call: Call[Question]) -> ChangeStatus:
    """Ask its author something."""
    return await call.control.ask(call.number, call.by, call.asked.question)


async def _evidence(call: Call[WhichService]) -> Response:
    """Its ticks, as `surefoot judge` reads them."""
    return PlainTextResponse(await call.control.evidence(call.number, call.asked.service))


async def _output(call: Call[WhichService]) -> OutputStatus:
    """What it prints, and first what its baseline does not."""
    return await call.control.output(call.number, call.asked.service)


async def _diff(call: Call[WhichService]) -> DiffStatus:
    """What it alters."""
    return await call.control.diff(call.number, call.asked.service)


async def _reviews(call: Call[Nothing]) -> Changes:
    """Changes that wait for this person's yes."""
    return Changes(await call.control.reviews(call.by))


async def _ledger(call: Call[LedgerAsked]) -> Ledger:
    """What happened, oldest first."""
    asked = call.asked
    entries = await call.control.entries(asked.after, asked.limit, asked.service, asked.change)
    return Ledger(entries, entries[-1].seq if entries else asked.after)


async def _doctor(call: Call[Nothing]) -> Findings:
    """What is missing, and the cure."""
    return Findings(await call.control.doctor())


async def _tokens(call: Call[Nothing]) -> Tokens:
    """Every token, without its secret."""
    return Tokens(tuple(TokenView.of(token) for token in await call.control.tokens()))


async def _new_token(call: Call[TokenFor]) -> NewToken:
    """A token for a person."""
    person = Person(call.asked.name.strip(), call.asked.email)
    token, secret = await call.control.new_token(person, call.by)
    return NewToken(TokenView.of(token), secret)


async def _revoke_token(call: Call[Nothing]) -> Done:
    """Close a token."""
    known = await call.control.tokens()
    await call.control.revoke_token(call.number, call.by)
    return Done((f"Token {call.number} is closed.", *_left_open(call.number, known)))


def _left_open(closed: int, known: tuple[Token, ...]) -> tuple[str, ...]:
    """Whoever leaves the team, or lost a laptop, may be signed in in more than one place."""
    person = next((one.person for one in known if one.id == closed), None)
    others = [
        f"{one.id} ({one.kind})"
        for one in known
        if one.person == person and one.id != closed and one.revoked_at is None
    ]
    return (f"{person.name} still has {', '.join(others)}.",) if person and others else ()


async def _sign_in(call: Call[SignInFor]) -> SignIn:
    """A one-time code that signs a browser in."""
    return await call.control.sign_in(call.by, TokenKind(call.asked.kind))


async def _down(call: Call[Down]) -> Done:
    """Stop the control plane; users stay served unless everything is to end."""
    return Done(await call.control.down(call.by, everything=call.asked.everything))


_SERVICE = "/v1/services/{name}"
_CHANGE = "/v1/changes/{number:int}"

ROUTES: tuple[Operation[Any], ...] = (
    Operation("GET", "/v1/health", Nothing, Health, _health),
    Operation("GET", "/v1/whoami", Nothing, Person, _whoami),
    Operation("GET", "/v1/services", Nothing, Services, _services),
    Operation("POST", "/v1/services", Register, ServiceStatus, _register),
    Operation("GET", _SERVICE, Nothing, ServiceStatus, _service),
    Operation("POST", f"{_SERVICE}/plan", Ship, PlanStatus, _plan),
    Operation("POST", f"{_SERVICE}/changes", Ship, ChangeStatus, _ship, status=201),
    Operation("POST", f"{_SERVICE}/undo", Said, ChangeStatus, _undo_service),
    Operation("POST", f"{_SERVICE}/hold", HoldFor, ServiceStatus, _hold),
    Operation("POST", f"{_SERVICE}/resume", Reason, ServiceStatus, _resume),
    Operation("POST", f"{_SERVICE}/drill/placebo", DrillPlacebo, ServiceStatus, _drill_placebo),
    Operation("DELETE", f"{_SERVICE}/drill/placebo", Nothing, ServiceStatus, _drill_no_placebo),
    Operation("GET", "/v1/learn", WhichService, LearntStatus, _learn),
    Operation("GET", "/v1/changes", LogAsked, Changes, _log),
    Operation("GET", _CHANGE, WhichService, ChangeStatus, _change),
    Operation("POST", f"{_CHANGE}/undo", Undo, ChangeStatus, _undo),
    Operation("POST", f"{_CHANGE}/accept", Reason, ChangeStatus, _accept),
    Operation("POST", f"{_CHANGE}/approve", Nothing, ChangeStatus, _approve),
    Operation("POST", f"{_CHANGE}/ask", Question, ChangeStatus, _ask),
    Operation("GET", f"{_CHANGE}/evidence", WhichService, str, _evidence, media="text/plain"),
    Operation("GET", f"{_CHANGE}/output", WhichService, OutputStatus, _output),
    Operation("GET", f"{_CHANGE}/diff", WhichService, DiffStatus, _diff),
    Operation("GET", "/v1/reviews", Nothing, Changes, _reviews),
    Operation("GET", "/v1/ledger", LedgerAsked, Ledger, _ledger),
    Operation("GET", "/v1/events", Followed, Entry, events, media=STREAM_MEDIA),
    Operation("GET", "/v1/doctor", Nothing, Findings, _doctor),
    Operation("GET", "/v1/tokens", Nothing, Tokens, _tokens),
    Operation("POST", "/v1/tokens", TokenFor, NewToken, _new_token, 201, by_key=True),
    Operation("DELETE", "/v1/tokens/{number:int}", Nothing, Done, _revoke_token),
    Operation("POST", "/v1/sign-ins", SignInFor, SignIn, _sign_in, 201, by_key=True),
    Operation("POST", "/v1/down", Down, Done, _down),
)
