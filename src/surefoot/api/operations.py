"""What an operation of the API is: a row of the route table."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Generic, TypeVar

import msgspec
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from surefoot.domain.change import Person
from surefoot.engine.control import Control

__all__ = ["Call", "Operation"]

Asked = TypeVar("Asked")

_TAKES_QUERY = ("GET", "DELETE")


@dataclass(frozen=True, slots=True)
class Call(Generic[Asked]):
    """One request as an operation sees it: who asks what, of which control plane."""

    control: Control
    request: Request
    by: Person
    asked: Asked

    @property
    def name(self) -> str:
        """The service that the path names."""
        return str(self.request.path_params["name"])

    @property
    def number(self) -> int:
        """The change, or the token, that the path names."""
        number = int(self.request.path_params["number"])
        if number > 2**53:
            raise HTTPException(404, "There is no such number.")
        return number


@dataclass(frozen=True, slots=True)
class Operation(Generic[Asked]):
    """A row: where it is, what it takes and gives, and the one question to the control plane.

    `takes` is read from the query of a GET or DELETE, else from the JSON body; `gives` is encoded
    as JSON unless `media` says otherwise, and then `answer` makes the response itself. `by_key`:
    what would outlive a browser's sign-in is not given to one.
    """

    method: str
    path: str
    takes: type[Asked]
    gives: type
    answer: Callable[[Call[Asked]], Awaitable[object]]
    status: int = 200
    media: str = "application/json"
    by_key: bool = False

    @property
    def summary(self) -> str:
        """What the answering function says of itself."""
        return (self.answer.__doc__ or "").rstrip(".")

    @property
    def takes_query(self) -> bool:
        """Whether it is asked by query parameters."""
        return self.method in _TAKES_QUERY

    async def serve(self, control: Control, request: Request) -> Response:
        """Validate, ask, encode."""
        if self.by_key and request.scope["credential"].in_browser:
            raise HTTPException(403, "This is given to a key, not to a browser's sign-in.")
        call = Call(control, request, request.scope["user"], await self._asked(request))
        given = await self.answer(call)
        if isinstance(given, Response):
            return given
        return Response(msgspec.json.encode(given), self.status, media_type=self.media)

    async def _asked(self, request: Request) -> Asked:
        try:
            if self.takes_query:
                return msgspec.convert(dict(request.query_params), self.takes, strict=False)
            return msgspec.json.decode(await request.body() or b"{}", type=self.takes)
        except msgspec.ValidationError as error:
            raise HTTPException(422, f"This request does not fit: {error}.") from error
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            raise HTTPException(400, f"This request is not JSON: {error}.") from error
