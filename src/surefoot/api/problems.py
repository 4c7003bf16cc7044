"""Every no that the API says, as problem+json (RFC 9457), chosen by what the reader can do."""

import logging

import msgspec
from starlette.datastructures import Headers
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Scope

from surefoot.api.wire import Problem
from surefoot.domain.errors import (
    BadEvidence,
    BadManifest,
    BadRevision,
    NotAllowed,
    NotFound,
    OutsideFailed,
    Refused,
    SurefootError,
)
from surefoot.pages.plain import plain_page

__all__ = ["PROBLEM_MEDIA", "UNKNOWN", "is_api", "refusal", "told"]

PROBLEM_MEDIA = "application/problem+json"
UNKNOWN = 401

logger = logging.getLogger(__name__)

# The first class that fits is taken, so the particular ones stand before what they derive from.
_KINDS: tuple[tuple[type[SurefootError], int, str], ...] = (
    (BadManifest, 422, "This manifest cannot be used"),
    (BadRevision, 422, "This revision cannot be used"),
    (BadEvidence, 422, "This evidence cannot be read"),
    (NotAllowed, 403, "Somebody else must do this"),
    (Refused, 409, "Refused"),
    (NotFound, 404, "Not found"),
    (OutsideFailed, 503, "Something outside Surefoot did not do its part"),
)

_CURES = {
    400: "See /v1/openapi.json for what this route takes.",
    401: "Send a token: 'Authorization: Bearer ...'. `surefoot token new` makes one.",
    403: "Send requests from a program, or from a page of this very address.",
    404: "See /v1/openapi.json for what there is.",
    405: "See /v1/openapi.json for what this route takes.",
    413: "Send at most 1 MB.",
    414: "See /v1/openapi.json for what there is.",
    415: "Send 'Content-Type: application/json'.",
    422: "See /v1/openapi.json for what this route takes.",
    503: "Try again; the daemon's log tells more.",
}

_UNFORESEEN = Problem(
    "urn:surefoot:problem:unforeseen",
    "Surefoot made a mistake",
    500,
    "Nothing more is known here; what was ordered may or may not have been taken.",
    "`surefoot status` shows what is so; the daemon's log tells more.",
)


async def told(request: Request, error: Exception) -> Response:
    """The answer to whatever a route raised. The server writes an unforeseen trace to its log."""
    if isinstance(error, HTTPException):
        return refusal(request.scope, error)
    said = _said_no(error) if isinstance(error, SurefootError) else _UNFORESEEN
    return _answer(request.scope, said, said.cure)


def refusal(scope: Scope, error: HTTPException) -> Response:
    """What HTTP itself has a word for: no such route, no such method, too large, no token."""
    status = error.status_code
    title = error.detail if status != UNKNOWN else "Who are you?"
    said = Problem(_urn(str(status)), title, status, error.detail, _CURES.get(status, ""))
    answer = _answer(scope, said, cure="")
    answer.headers.update(error.headers or {})
    return answer


def is_api(scope: Scope) -> bool:
    """Whether a request is for a program's part of this address, and not for a page."""
    path: str = scope["path"]
    return path == "/v1" or path.startswith("/v1/")


def _answer(scope: Scope, said: Problem, cure: str) -> Response:
    """A problem document for a program, a script's question included; a page for a person.

    `cure` is what a person can do about it.
    """
    if is_api(scope) or PROBLEM_MEDIA in Headers(scope=scope).get("accept", ""):
        return Response(msgspec.json.encode(said), said.status, media_type=PROBLEM_MEDIA)
    return plain_page(said.status, said.title, said.detail, cure=cure)


def _said_no(error: SurefootError) -> Problem:
    """What the control plane said no with; an error of no known kind tells nothing of itself."""
    for kind, status, title in _KINDS:
        if isinstance(error, kind):
            return Problem(_urn(type(error).__name__), title, status, error.message, error.cure)
    logger.error("An answer of no known kind", exc_info=error)
    return _UNFORESEEN


def _urn(name: str) -> str:
    return f"urn:surefoot:problem:{name.lower()}"
