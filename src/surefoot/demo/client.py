"""One person at Surefoot's HTTP API, and what is read of its answers.

The values name what the demo shows of the API's schemas; everything else in an answer is ignored.
"""

import http.client
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TypeVar

import msgspec

from surefoot.demo.errors import DemoError

__all__ = ["Change", "Client", "Harmed", "Metric", "Part", "Service", "Size", "Times"]
__all__ += ["Undo", "Verdict", "Wait"]

ANSWER_LIMIT_S = 30.0
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Size:
    """How big a change is."""

    added: int = 0
    removed: int = 0
    files: int = 0


@dataclass(frozen=True, slots=True)
class Part:
    """A part of getting ready."""

    name: str
    state: str
    seconds: float | None = None
    said: str = ""


@dataclass(frozen=True, slots=True)
class Wait:
    """What a change waits for, and what happens when its time is over."""

    cause: str
    then: str = ""


@dataclass(frozen=True, slots=True)
class Metric:
    """One metric, new beside old."""

    name: str
    word: str
    margin: str | None = None
    harm: float = 1.0
    ok: float = 1.0
    required: bool = False
    canary_bad: int = 0
    canary_all: int = 0
    baseline_bad: int = 0
    baseline_all: int = 0


@dataclass(frozen=True, slots=True)
class Verdict:
    """The verdict so far; `at_s` counts from first exposure, `evidence` of 100 is *worse*."""

    word: str
    because: str = ""
    at_s: float = 0.0
    metric: str | None = None
    evidence: float = 0.0
    metrics: tuple[Metric, ...] = ()


@dataclass(frozen=True, slots=True)
class Undo:
    """The way back."""

    possible: bool = False
    seconds: float | None = None
    says: str = ""


@dataclass(frozen=True, slots=True)
class Harmed:
    """Requests that met a change, those harmed, and how many the old release would have."""

    requests: int = 0
    harmed: int = 0
    expected: float = 0.0


@dataclass(frozen=True, slots=True)
class Times:
    """Where the seconds went."""

    getting_ready_s: float | None = None
    queued_s: float | None = None
    exposed_to_verdict_s: float | None = None
    undo_s: float | None = None
    restoring_s: float | None = None
    commit_to_exposed_s: float | None = None
    commit_to_done_s: float | None = None


@dataclass(frozen=True, slots=True)
class Change:
    """A change as Surefoot sees it now."""

    number: int
    phase: str
    sentence: str = ""
    because: str = ""
    final: bool = False
    base_number: int | None = None
    why: str = ""
    expect: tuple[str, ...] = ()
    size: Size = Size()
    parts: tuple[Part, ...] = ()
    wait: Wait | None = None
    share: float = 0.0
    rehearsed_s: float | None = None
    undo: Undo = Undo()
    verdict: Verdict | None = None
    forecast: str = ""
    harmed: Harmed = Harmed()
    worse: str | None = None
    times: Times = Times()
    next: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Service:
    """A service as Surefoot sees it now."""

    name: str
    sentence: str = ""
    live: int | None = None
    requests_per_s: float = 0.0
    error_rate: float | None = None
    watched_s: float = 0.0


@dataclass(frozen=True, slots=True)
class _Problem:
    title: str = ""
    detail: str = ""
    cure: str = ""


@dataclass(frozen=True, slots=True)
class _NewToken:
    secret: str


@dataclass(frozen=True, slots=True)
class Client:
    """A person with a token. `address` is that of the control plane, `host:port`."""

    address: str
    token: str = field(repr=False)

    def give_token(self, name: str, email: str) -> str:
        """A new person's token."""
        order = {"name": name, "email": email}
        return self._ask("POST", "/v1/tokens", _NewToken, order).secret

    def register(self, source: str, manifest: str) -> Service:
        """Make a service known by its repository and its manifest's text."""
        order = {"source": source, "folder": "", "manifest": manifest}
        return self._ask("POST", "/v1/services", Service, order)

    def ship(self, service: str, order: Mapping[str, object]) -> Change:
        """Take a change on its way."""
        return self._ask("POST", f"/v1/services/{service}/changes", Change, order)

    def approve(self, number: int) -> Change:
        """Say yes to a change's diff."""
        return self._ask("POST", f"/v1/changes/{number}/approve", Change, {})

    def change(self, service: str, number: int) -> Change:
        """A change as it is now."""
        return self._ask("GET", f"/v1/changes/{number}?service={service}", Change)

    def service(self, name: str) -> Service:
        """A service as it is now."""
        return self._ask("GET", f"/v1/services/{name}", Service)

    def _ask(
        self, method: str, path: str, kind: type[T], order: Mapping[str, object] | None = None
    ) -> T:
        connection = http.client.HTTPConnection(self.address, timeout=ANSWER_LIMIT_S)
        headers = {"authorization": f"Bearer {self.token}", "accept": "application/json"}
        body = None
        if order is not None:
            headers["content-type"] = "application/json"
            body = msgspec.json.encode(order)
        try:
            connection.request(method, path, body, headers)
            answer = connection.getresponse()
            text = answer.read()
        except (OSError, http.client.HTTPException) as trouble:
            raise DemoError(
                f"The control plane does not answer {method} {path}: {trouble}."
            ) from trouble
        finally:
            connection.close()
        if answer.status >= http.client.BAD_REQUEST:
            raise DemoError(f"{method} {path}: {_said(answer.status, text)}")
        return msgspec.json.decode(text, type=kind)


def _said(status: int, text: bytes) -> str:
    try:
        problem = msgspec.json.decode(text, type=_Problem)
    except msgspec.DecodeError:  # not one of Surefoot's own answers
        return f"status {status}"
    return " ".join(part for part in (problem.detail or problem.title, problem.cure) if part)
