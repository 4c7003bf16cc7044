"""Every no that the API says, as problem+json (RFC 9457), chosen by what the reader can do."""

import logging

import msgspec
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

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

__all__ = ["PROBLEM_MEDIA", "http_problem", "problem", "said_no", "told"]

PROBLEM_MEDIA = "application/problem+json"

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


def problem(said: Problem, headers: dict[str, str] | None = None) -> Response:
    """The answer that carries a problem."""
    body = msgspec.json.encode(said)
    return Response(body, said.status, headers, PROBLEM_MEDIA)


def said_no(error: SurefootError) -> Response:
    """What the control plane said no with; an error of no known kind tells nothing of itself."""
    for kind, status, title in _KINDS:
        if isinstance(error, kind):
            return problem(
                Problem(_urn(type(error).__name__), title, status, error.message, error.cure)
            )
    logger.error("An answer of no known kind", exc_info=error)
    return problem(_UNFORESEEN)


def http_problem(error: HTTPException) -> Response:
    """What HTTP itself has a word for: no such route, no such method, too large, no token."""
    headers = dict(error.headers or {})
    said = Problem(
        _urn(str(error.status_code)),
        error.detail if error.status_code != 401 else "Who are you?",  # noqa: PLR2004 -- HTTP
        error.status_code,
        error.detail,
        _CURES.get(error.status_code, ""),
    )
    return problem(said, headers)


async def told(_request: Request, error: Exception) -> Response:
    """The answer to whatever a route raised. The server writes an unforeseen trace to its log."""
    if isinstance(error, HTTPException):
        return http_problem(error)
    if isinstance(error, SurefootError):
        return said_no(error)
    return problem(_UNFORESEEN)


def _urn(name: str) -> str:
    return f"urn:surefoot:problem:{name.lower()}"
