"""A control plane with recorded facts: every order is kept, every change walks a known journey.

It implements `Control` without a store, a proxy or a clock. The sentence of a change's intent
names its journey ("ends restored"); each look at a change takes it one recorded step further. The
API's tests hold it in their hands; the tests of the command line start this file as a program:

    python recorded.py FOLDER      writes FOLDER/daemon.json and FOLDER/token, serves until killed
"""

import asyncio
import json
import os
import socket
import sys
import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from http.client import HTTPConnection, HTTPResponse
from pathlib import Path
from typing import Any

import uvicorn

from surefoot.api.app import create_app
from surefoot.domain.change import Person
from surefoot.domain.errors import (
    BadManifest,
    BadRevision,
    NotAllowed,
    NotFound,
    OutsideFailed,
    Refused,
)
from surefoot.domain.output import LineKind
from surefoot.domain.token import Token, TokenKind
from surefoot.domain.verdict import Level
from surefoot.engine.control import Control, Health, ShipOrder, SignIn
from surefoot.engine.status import (
    ChangeStatus,
    DiffStatus,
    DoctorFinding,
    Harmed,
    LearnStatus,
    LearntStatus,
    MetricStatus,
    OutputStatus,
    PartStatus,
    PhiStatus,
    PlanStatus,
    PromiseStatus,
    RateStatus,
    ServiceStatus,
    Size,
    Times,
    UndoStatus,
    VerdictStatus,
    WaitStatus,
)
from surefoot.ports import Entry, LogQuery

ANN = Person("Ann Example", "ann@example.org")
BO = Person("Bo Example", "bo@example.org")
SECRETS = {"secret-of-ann": ANN, "secret-of-bo": BO}
HASH = "0123456789abcdef-the-hash-of-a-token"
IN_A_TRACE = "only-the-log-may-say-this"

# phase, share, exit code: what a follower sees, one look after another.
_READY = (("proposed", 0.0, None), ("getting_ready", 0.0, None), ("queued", 0.0, None))
_OUT = (*_READY, ("rolling_out", 0.1, None), ("verifying", 0.5, None))
JOURNEYS: dict[str, tuple[tuple[str, float, int | None], ...]] = {
    "ends verified": (*_OUT, ("verified", 1.0, 0)),
    "ends adopted": (*_READY, ("adopted", 1.0, 0)),
    "ends restored": (*_OUT, ("restoring", 0.0, None), ("restored", 0.0, 10)),
    "ends not restored": (*_OUT, ("restoring", 0.0, None), ("not_restored", 0.0, 20)),
    "ends rejected": (*_READY[:2], ("rejected", 0.0, 30)),
    "ends inconclusive": (*_OUT, ("verifying", 0.5, 40)),
    "stays out": (*_READY, ("rolling_out", 0.1, None)),
}
_FINAL = {"rejected", "withdrawn", "restored", "applied"}

_NO_UNDO = UndoStatus(possible=False, seconds=None, says="Nothing to undo: all users are on 0")

VERDICT = VerdictStatus(
    word="watching",
    because="errors need 40 s more",
    at_s=12.0,
    metric="errors",
    evidence=3.5,
    ratio=(0.8, 1.3),
    metrics=(
        MetricStatus(
            "errors", "watching", "at most +1 point", 1.0, 4.0, True, 2, 210, 9, 900, None
        ),
        MetricStatus(
            name="memory",
            word="worse",
            margin=None,
            harm=120.0,
            ok=1.0,
            required=False,
            canary_bad=0,
            canary_all=0,
            baseline_bad=0,
            baseline_all=0,
            level=Level(1.2e8, 0.9e8, blocks=9, higher=120.0, lower=0.01),
        ),
    ),
    promises=(
        PromiseStatus(
            expects="memory falls by 10%",
            metric="memory",
            kind="gauge",
            met=False,
            says="not seen yet: memory falls by 10%: 9e+07 to 1.2e+08",
            canary=1.2e8,
            baseline=0.9e8,
            evidence=0.01,
            needed=20.0,
        ),
    ),
    warnings=("errors: a warning",),
)

FIRST = ChangeStatus(
    service="shop",
    number=0,
    phase="proposed",
    sentence="",
    because="",
    final=False,
    exit_code=None,
    revision="0" * 40,
    base="b" * 40,
    base_number=0,
    why="",
    watch=(),
    expect=(),
    fixes=None,
    forward_only=False,
    authors=(str(ANN),),
    shipper=str(ANN),
    approved_by=(),
    asked=(),
    size=Size(38, 12, 3, 1),
    files=("app.py", "prices.py", "test_shop.py"),
    commits=("abc1234 faster export (Ann Example)",),
    parts=(PartStatus("checks", "done", 4.2, "12 passed"), PartStatus("review", "open", None, "")),
    wait=None,
    position=None,
    expected_start_s=None,
    share=0.0,
    steps=(0.1, 0.5),
    rehearsed_s=0.4,
    undo=UndoStatus(possible=True, seconds=0.4, says="Undo (0.400 s)"),
    verdict=None,
    forecast="At 200 requests/s *verified* takes about 100 s.",
    harmed=Harmed(210, 2, 2.1),
    cause=None,
    worse=None,
    times=Times(3.0, commit_to_exposed_s=5.5),
    proposed_at=1_000_000.0,
    exposed_at=None,
    verdict_at=None,
    given_back_at=None,
    live_at=None,
    live_until_at=None,
    ended_at=None,
    soak_until_at=None,
    before_after="",
)


def _seen(change: ChangeStatus, phase: str, share: float, exit_code: int | None) -> ChangeStatus:
    """The same change one step further on its journey."""
    exposed = share > 0
    wait = WaitStatus("a person", 1_000_000.0, 1_001_800.0, "it is restored")
    return replace(
        change,
        phase=phase,
        sentence=f"Change {change.number} is {phase.replace('_', ' ')}.",
        because="errors were worse: 20 % beside 1 %" if phase.startswith("rest") else "as planned",
        share=share,
        exit_code=exit_code,
        final=phase in _FINAL,
        undo=_NO_UNDO if phase in _FINAL else change.undo,
        verdict=VERDICT if exposed else change.verdict,
        worse="errors" if phase.startswith("rest") else None,
        cause="harm" if phase.startswith("rest") else None,
        wait=wait if exit_code == 40 else None,
        exposed_at=1_000_005.5 if exposed else change.exposed_at,
        next=("git revert abc1234 && surefoot ship",) if phase == "restored" else (),
    )


@dataclass
class Recorded:
    """The control plane. `orders` is what it was told, in order."""

    known: dict[str, ServiceStatus] = field(default_factory=dict)
    services_of: dict[int, str] = field(default_factory=dict)
    journeys: dict[int, Iterator[ChangeStatus]] = field(default_factory=dict)
    changes: dict[int, ChangeStatus] = field(default_factory=dict)
    orders: list[tuple[str, object]] = field(default_factory=list)
    ledger: list[Entry] = field(default_factory=list)
    keys: dict[int, tuple[str, Person]] = field(default_factory=dict)
    codes: dict[str, tuple[Person, TokenKind]] = field(default_factory=dict)
    sign_ins: dict[int, tuple[str, Person]] = field(default_factory=dict)
    more: asyncio.Event = field(default_factory=asyncio.Event)
    stopped: threading.Event = field(default_factory=threading.Event)

    def __post_init__(self) -> None:
        """Two people have tokens from the start."""
        for number, (secret, person) in enumerate(SECRETS.items(), start=1):
            self.keys[number] = (secret, person)

    def _record(
        self, kind: str, told: object, by: Person, service: str | None, change: int | None
    ) -> None:
        self.orders.append((kind, told))
        data = {"told": repr(told)}
        seq = len(self.ledger) + 1
        self.ledger.append(
            Entry(
                1_000_000.0 + seq, service, change, kind, f"{by.name}: {kind}", str(by), data, seq
            )
        )
        self.more.set()
        self.more = asyncio.Event()

    def now(self) -> float:
        return 1_000_100.0

    def health(self) -> Health:
        return Health("0.1.0", os.getpid(), 7, "home")

    async def register(self, source: str, folder: str, manifest: str, by: Person) -> ServiceStatus:
        if 'name = "' not in manifest:
            raise BadManifest("surefoot.toml:1: there is no name.", cure='Add name = "shop".')
        name = manifest.split('name = "')[1].partition('"')[0]
        self._record("register", (source, folder, manifest), by, name, None)
        self.known.setdefault(name, _service(name))
        return self.known[name]

    async def services(self) -> tuple[ServiceStatus, ...]:
        return tuple(self.known.values())

    async def service(self, name: str) -> ServiceStatus:
        if name not in self.known:
            raise NotFound(f"There is no service '{name}'.", cure="`surefoot init` makes one.")
        return self.known[name]

    async def plan(self, order: ShipOrder, by: Person) -> PlanStatus:
        await self.service(order.service)
        if order.intent.why == "is refused":
            raise Refused("Change 7 holds the lane.", cure="surefoot ship --fixes 7")
        self.orders.append(("plan", (order, by)))
        return PlanStatus(
            service=order.service,
            revision=order.revision,
            base="b" * 40,
            base_number=0,
            size=Size(38, 12, 3, 1),
            files=("app.py",),
            commits=("abc1234 faster export (Ann Example)",),
            checks=("unit",),
            review="before",
            reviewers=(str(BO),),
            metrics=("errors", "latency"),
            steps=(0.1, 0.5),
            forecast="At 200 requests/s *verified* takes about 100 s.",
            undo="undo 0.4 s",
            position=1,
            warnings=("this change alters data",),
        )

    async def ship(self, order: ShipOrder, by: Person) -> ChangeStatus:
        await self.service(order.service)
        why = order.intent.why
        if why == "is refused":
            raise Refused("Change 7 holds the lane.", cure="surefoot ship --fixes 7")
        if why == "is refused by git":
            raise BadRevision("No such commit.", cure="git push")
        if why == "is of somebody else":
            raise NotAllowed("You are not of this team.", cure="Ask ann@example.org.")
        if why == "meets a full disk":
            raise OutsideFailed("git fetch did not end.", cure="Look at the disk.")
        if why == "is unforeseen":
            raise ZeroDivisionError(IN_A_TRACE)
        number = len(self.changes) + 1
        proposed = replace(
            FIRST,
            service=order.service,
            number=number,
            revision=order.revision,
            why=why,
            watch=order.intent.watch,
            expect=order.intent.expect,
            fixes=order.intent.fixes,
            forward_only=order.intent.forward_only,
            shipper=str(by),
        )
        steps = JOURNEYS[
            "ends adopted" if order.adopt else why if why in JOURNEYS else "ends verified"
        ]
        self.journeys[number] = iter([_seen(proposed, *step) for step in steps])
        self.services_of[number] = order.service
        self._record("adopt" if order.adopt else "ship", order, by, order.service, number)
        return await self.change(number)

    async def change(self, number: int, service: str | None = None) -> ChangeStatus:
        if number == 0 and service is not None:
            return replace(FIRST, service=service, phase="adopted", sentence="It was adopted.")
        if number not in self.journeys or service not in {None, self.services_of.get(number)}:
            raise NotFound(f"There is no change {number}.")
        self.changes[number] = next(self.journeys[number], self.changes.get(number, FIRST))
        return self.changes[number]

    async def log(self, query: LogQuery) -> tuple[ChangeStatus, ...]:
        self.orders.append(("log", query))
        found = [
            change
            for change in reversed(self.changes.values())
            if query.service in {None, change.service}
        ]
        return tuple(found[: query.limit])

    async def undo(
        self, number: int, by: Person, because: str, service: str | None = None
    ) -> ChangeStatus:
        seen = await self.change(number, service)
        self._record("undo", because, by, seen.service, number)
        if not seen.final:
            back = [("restoring", 0.0, None), ("restored", 0.0, 10)]
            self.journeys[number] = iter([_seen(seen, *step) for step in back])
        return seen

    async def undo_service(self, service: str, by: Person, because: str) -> ChangeStatus:
        await self.service(service)
        if not self.changes:
            raise NotFound("There is nothing to undo.")
        return await self.undo(max(self.changes), by, because)

    async def accept(
        self, number: int, by: Person, because: str, service: str | None = None
    ) -> ChangeStatus:
        seen = await self.change(number, service)
        self._record("accept", because, by, seen.service, number)
        return replace(_seen(seen, "accepted", 1.0, 40), sentence="Accepted.")

    async def hold(
        self, service: str, by: Person, because: str, for_s: float | None = None
    ) -> ServiceStatus:
        self._record("hold", because, by, service, None)
        until = None if for_s is None else 1_000_000.0 + for_s
        self.known[service] = replace(
            await self.service(service), held_because=because, held_until_at=until
        )
        return self.known[service]

    async def resume(self, service: str, by: Person, because: str) -> ServiceStatus:
        self._record("resume", because, by, service, None)
        self.known[service] = replace(await self.service(service), held_because=None)
        return self.known[service]

    async def drill_placebo(
        self, service: str, times: int, every_s: float, by: Person
    ) -> ServiceStatus:
        known = await self.service(service)
        if known.held_because:
            raise Refused(f"{service} is held.", cure="surefoot resume")
        self._record("drill", (times, every_s), by, service, None)
        drill = f"To come: {times}, {every_s:.0f} s apart, ordered by {by.name}." if times else None
        self.known[service] = replace(known, drill=drill)
        return self.known[service]

    async def learn(self, service: str | None = None) -> LearntStatus:
        known = [await self.service(service)] if service else list(self.known.values())
        rate = RateStatus(3, 0, 0.0, 0.71, "none in 3 placebo runs: at most 71 % (95 %)")
        phis = (PhiStatus("errors", 1.35, "placebo runs"),)
        services = tuple(
            LearnStatus(one.name, rate, 2, 1, 1, 61.5, phis, one.drill) for one in known
        )
        return LearntStatus(rate, services)

    async def approve(self, number: int, by: Person, service: str | None = None) -> ChangeStatus:
        seen = await self.change(number, service)
        if seen.shipper == str(by):
            raise NotAllowed("Nobody approves their own change.", cure="Ask bo@example.org.")
        self._record("approve", None, by, seen.service, number)
        return replace(seen, approved_by=(str(by),))

    async def ask(
        self, number: int, by: Person, question: str, service: str | None = None
    ) -> ChangeStatus:
        seen = await self.change(number, service)
        self._record("ask", question, by, seen.service, number)
        return replace(seen, asked=(f"{by.name}: {question}",))

    async def reviews(self, by: Person) -> tuple[ChangeStatus, ...]:
        return tuple(one for one in self.changes.values() if one.shipper != str(by))

    async def evidence(self, number: int, service: str | None = None) -> str:
        await self.change(number, service)
        return '{"t": 0, "share": 0.1}\n'

    async def output(self, number: int, service: str | None = None) -> OutputStatus:
        seen = await self.change(number, service)
        new = (LineKind("retry 7 of 9", 12),)
        said = "Compared: 900 lines of 1 and 2,000 of 0."
        return OutputStatus(seen.service, number, 0, said, new, 0, ("retry 7 of 9",), ("ready",))

    async def diff(self, number: int, service: str | None = None) -> DiffStatus:
        seen = await self.change(number, service)
        lines = ("--- a/app.py", "+++ b/app.py", "@@ -1 +1 @@", "-1", "+2")
        ends = (seen.base, seen.revision)
        return DiffStatus(seen.service, number, *ends, "", lines, 0, "git diff a..b")

    async def entries(
        self, after: int, limit: int, service: str | None = None, change: int | None = None
    ) -> tuple[Entry, ...]:
        found = [
            entry
            for entry in self.ledger
            if entry.seq > after
            and service in {None, entry.service}
            and change in {None, entry.change}
        ]
        return tuple(found[:limit])

    async def follow(self, after: int | None) -> AsyncIterator[Entry]:
        after = len(self.ledger) if after is None else after
        while True:
            more = self.more
            for entry in await self.entries(after, 1_000):
                after = entry.seq
                yield entry
            await more.wait()

    async def doctor(self) -> tuple[DoctorFinding, ...]:
        return (DoctorFinding("envoy", ok=True, says="Envoy answers."),)

    async def who(self, secret: str, *, in_browser: bool = False) -> Person | None:
        known = self.sign_ins if in_browser else self.keys
        return next((person for key, person in known.values() if key == secret), None)

    async def sign_in(self, by: Person, kind: TokenKind) -> SignIn:
        code = f"code-{len(self.codes) + 1}"
        self.codes[code] = (by, kind)
        return SignIn(code, 1_000_120.0)

    async def redeem(self, code: str, instead_of: str = "") -> tuple[Token, str] | None:
        if code not in self.codes:
            return None
        await self.sign_out(instead_of)
        person, kind = self.codes.pop(code)
        number = 100 + len([kind for kind, _ in self.orders if kind == "redeem"])
        self.sign_ins[number] = (f"session-{number}", person)
        self._record("redeem", kind, person, None, None)
        return _sign_in(number, person, kind), f"session-{number}"

    async def sign_out(self, secret: str) -> None:
        for number, (known, _) in list(self.sign_ins.items()):
            if known == secret:
                del self.sign_ins[number]

    async def tokens(self) -> tuple[Token, ...]:
        keys = [Token(n, person, HASH, 1_000_000.0) for n, (_, person) in self.keys.items()]
        return (*keys, *(_sign_in(n, person) for n, (_, person) in self.sign_ins.items()))

    async def new_token(self, person: Person, by: Person) -> tuple[Token, str]:
        number = max(self.keys) + 1
        self.keys[number] = (f"secret-{number}", person)
        self._record("new_token", person, by, None, None)
        return Token(number, person, HASH, 1_000_000.0), f"secret-{number}"

    async def revoke_token(self, token: int, by: Person) -> None:
        if (self.keys.pop(token, None) or self.sign_ins.pop(token, None)) is None:
            raise NotFound(f"There is no token {token}.")
        self._record("revoke_token", token, by, None, None)

    async def down(self, by: Person, *, everything: bool = False) -> tuple[str, ...]:
        self._record("down", everything, by, None, None)
        self.stopped.set()
        return ("Nothing was exposed.", "Users stay served.")


def _sign_in(number: int, person: Person, kind: TokenKind = TokenKind.BROWSER) -> Token:
    ends = 1_000_000.0 + 7 * 86_400
    return Token(number, person, HASH, 1_000_000.0, None, kind, ends)


def _service(name: str) -> ServiceStatus:
    return ServiceStatus(
        name=name,
        sentence=f"{name}: release 0 is live.",
        listen="127.0.0.1:8080",
        live=0,
        live_phase="adopted",
        live_since_at=1_000_000.0,
        live_revision="b" * 40,
        exposed=None,
        share=0.0,
        waiting=(),
        held_because=None,
        awaits_fix=(),
        requests_per_s=200.0,
        error_rate=0.01,
        watched_s=60.0,
        undo=UndoStatus(possible=False, seconds=None, says="Nothing to undo: nothing is live"),
    )


@dataclass(frozen=True, slots=True)
class Served:
    """An API that answers on a port."""

    address: tuple[str, int]

    def send(
        self,
        method: str,
        path: str,
        body: object = None,
        *,
        token: str | None = "secret-of-ann",
        headers: dict[str, str] | None = None,
    ) -> tuple[int, Any, HTTPResponse]:
        """One request; returns the status, the decoded body and the response."""
        connection = HTTPConnection(*self.address, timeout=20)
        sent = {"Authorization": f"Bearer {token}"} if token else {}
        data = None
        if body is not None:
            sent["Content-Type"] = "application/json"
            data = body if isinstance(body, bytes) else json.dumps(body).encode()
        connection.request(method, path, data, sent | (headers or {}))
        response = connection.getresponse()
        text = response.read()
        connection.close()
        is_json = "json" in (response.getheader("Content-Type") or "")
        return response.status, json.loads(text) if is_json else text.decode(), response


def _server(control: Control, port: int) -> tuple[uvicorn.Server, socket.socket]:
    listening = socket.socket()
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listening.bind(("127.0.0.1", port))
    config = uvicorn.Config(
        create_app(control), log_level="critical", lifespan="off", timeout_graceful_shutdown=1
    )
    return uvicorn.Server(config), listening


@contextmanager
def served(control: Control, port: int = 0) -> Iterator[Served]:
    """Serve a control plane by real uvicorn, in a thread of its own, on a free port unless told."""
    server, listening = _server(control, port)
    address = listening.getsockname()
    listening.listen()
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]}, daemon=True)
    thread.start()
    try:
        yield Served(address)
    finally:
        server.should_exit = True
        thread.join(timeout=20)
        listening.close()


def main(folder: Path) -> None:
    """Serve as a daemon does: its address and the owner's token stand in its home."""
    control = Recorded()
    with served(control) as api:
        host, port = api.address
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "token").write_text("secret-of-ann\n")
        named = folder / "daemon.json.new"
        named.write_text(json.dumps({"address": f"{host}:{port}", "pid": os.getpid()}))
        named.rename(folder / "daemon.json")
        control.stopped.wait()
        (folder / "daemon.json").unlink()


if __name__ == "__main__":
    main(Path(sys.argv[1]))
